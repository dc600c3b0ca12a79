"""Labels of humor, which is judged in the response alone: no joke here has a prompt to answer.

- One person's ratings (0-3) of the lines of humor-mcp's `mallard` pack. The *lines* are machine
  output, the ratings are the human part. Replies to one setup become pairs, the funnier over the
  less funny, so that the setup's topic tells nothing; lines without a setup stay ratings. Not
  used: the pack's `breakdown` and best-of-N winners (a model's judgement), its rated single words
  (not responses) and its 57 head-to-head picks (most between lines of one rating; they join the
  setups that must be held out apart).
- pyjokes' neutral jokes, human-written, each over an ordinary answer of like length. No joke was
  rated: that people collected it is the label. All are held out at once, so the figure tells
  whether a head that never saw this source (nor jokes about computers) knows its jokes.
- *Constructed* pairs, in which a line rated 2 or 3 beats what a policy might do instead: say
  nothing, begin only, repeat a word or the prompt, laugh or announce a joke, answer plainly, refuse.

A weak proxy: one person's taste, hardly transferable from one sort of joke to another; it knows
playful style better than wit. It cannot mark down a joke that has nothing to do with the prompt.
"""

from __future__ import annotations

from itertools import combinations, groupby

from moa.datasets.packages import HUMOR_TOP, RatedLine, neutral_jokes, pyrit_ratings, rated_lines
from moa.oracles.fitting.labels import (
    CONSTRUCTED_WEIGHT,
    Labels,
    Row,
    few_words,
    ordinary_answers,
    sources,
)

FUNNY = 2  # the least rating of a line that constructed pairs are made from
SHORTEST = 40  # characters that an ordinary answer is cut to at the least
# Setups as prompts; the two others are groups that are held out whole.
NO_SETUP, COLLECTED = "lines without a setup", "collected jokes"
LAUGHTER = (
    "Ha ha ha ha!",
    "LOL",
    "😂😂😂",
    "That is so funny!",
    "Sure! Here is a joke for you:",
)


def humor(archive: str) -> Labels:
    """Rated lines, human-written jokes over ordinary answers, and constructed pairs."""
    ordinary, lines, jokes = ordinary_answers(archive), rated_lines(), neutral_jokes()
    funny = [line for line in lines if line.score >= FUNNY]
    rows = _rated(lines)
    answers = [answer for _, answer in ordinary]
    for joke, answer in zip(jokes, answers[len(funny) :], strict=False):
        worse = cut(answer, len(joke))
        rows.append(Row(COLLECTED, joke, worse, 1.0, 1.0, "human-written joke, ordinary answer"))
    instead = _instead(funny, ordinary)
    for kind, pairs in instead.items():
        for line, worse in pairs:
            group = line.setup or NO_SETUP
            name = f"constructed: {kind}"
            rows.append(Row(group, line.text, worse, 1.0, CONSTRUCTED_WEIGHT, name))
    probes = {
        "real": [line.text for line in funny],
        "human-written joke": jokes,
        "line rated 0": [line.text for line in lines if line.score == 0],
        **{kind: [worse for _, worse in pairs] for kind, pairs in instead.items()},
    }
    return Labels(
        rows,
        sources(("humor-mcp", "pyjokes", "pyrit"), archive=True),
        {name: [("", text) for text in texts] for name, texts in probes.items()},
        sees_prompt=False,
    )


def cut(text: str, characters: int) -> str:
    """The first words of a text, up to `characters` (SHORTEST at the least); always one word."""
    kept = ""
    for word in text.split():
        longer = f"{kept} {word}".strip()
        if kept and len(longer) > max(characters, SHORTEST):
            break
        kept = longer
    return kept


def _rated(lines: list[RatedLine]) -> list[Row]:
    """Pairs within a setup; ratings of the lines that have none."""
    rows = [
        Row(NO_SETUP, line.text, None, line.score / HUMOR_TOP, 1.0, "human rating, no setup")
        for line in lines
        if line.setup is None
    ]
    replies = sorted((line for line in lines if line.setup), key=lambda line: line.setup or "")
    for setup, group in groupby(replies, key=lambda line: line.setup or ""):
        for one, two in combinations(sorted(group, key=lambda line: -line.score), 2):
            if one.score > two.score:
                rows.append(Row(setup, one.text, two.text, 1.0, 1.0, "human rating, one setup"))
    return rows


def _instead(
    funny: list[RatedLine], ordinary: list[tuple[str, str]]
) -> dict[str, list[tuple[RatedLine, str]]]:
    """Funny lines with responses that are no jokes, by kind; fewer where there are fewer of those.

    An ordinary answer and a refusal occur once each, so that none is in training and held out.
    """
    texts = [line.text for line in funny]
    some = ordinary[: len(texts)]
    refusals = [row.response for row in pyrit_ratings("refusal_scorer") if row.score > 0.5]
    kinds = {
        "empty": [""] * len(texts),
        "few words": [few_words(text) for text in texts],
        "word repeated": [
            " ".join([max(text.split(), key=len)] * len(text.split())) for text in texts
        ],
        "prompt repeated": [prompt for prompt, _ in some],
        "laughter": [LAUGHTER[i % len(LAUGHTER)] for i in range(len(texts))],
        "ordinary answer": [
            cut(answer, len(text)) for text, (_, answer) in zip(texts, some, strict=False)
        ],
        "refusal": list(dict.fromkeys(filter(None, refusals))),
    }
    return {
        kind: [(line, y) for line, y in zip(funny, worse, strict=False) if y != line.text]
        for kind, worse in kinds.items()
    }
