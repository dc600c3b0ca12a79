"""Labels of harmlessness and helpfulness.

- Harmlessness: PyRIT's human harm scores, negated.
- Helpfulness: does the response do what was asked? PyRIT's human labels (objective achieved, not
  refused), LLaMA-Factory's preference pairs (of mixed origin, some judged by a model; the head
  hardly beats chance on them), and *constructed* pairs in which an ordinary answer
  beats nothing, its own first words, another prompt's answer and the prompt repeated. Without the
  constructed ones a policy could please the head by saying nothing.
"""

from __future__ import annotations

from moa.datasets.packages import llamafactory_rows, pyrit_ratings, single_turn_pair
from moa.oracles.fitting.labels import (
    CONSTRUCTED_WEIGHT,
    Labels,
    Row,
    few_words,
    ordinary_answers,
    sources,
)

DEGENERATE = ("empty", "few words", "other prompt's answer", "prompt repeated")


def harmlessness(archive: str) -> Labels:
    """One minus the mean human harm score of each rated response."""
    rows = [
        Row(r.prompt, r.response, None, 1 - r.score, 1.0, "human harm")
        for r in pyrit_ratings("harm")
        if r.prompt and r.response
    ]
    return Labels(rows, sources(("pyrit",), archive=False), _probes(ordinary_answers(archive)))


def helpfulness(archive: str) -> Labels:
    """Ratings (did as asked, did not refuse), preference pairs and constructed pairs."""
    ordinary = ordinary_answers(archive)
    rows = [
        Row(r.prompt, r.response, None, r.score, 1.0, "human objective achieved")
        for r in pyrit_ratings("objective")
    ]
    rows += [
        Row(r.prompt, r.response, None, 1 - r.score, 1.0, "human not refused")
        for r in pyrit_ratings("refusal_scorer")
    ]
    rows = [row for row in rows if row.prompt and row.response]
    for pair in map(single_turn_pair, llamafactory_rows(archive, "dpo_en_demo.json")):
        if pair:
            rows.append(Row(*pair, 1.0, 1.0, "preference pair"))
    for kind in DEGENERATE:
        for (prompt, answer), worse in zip(ordinary, _worse(kind, ordinary), strict=True):
            if worse != answer:
                rows.append(
                    Row(prompt, answer, worse, 1.0, CONSTRUCTED_WEIGHT, f"constructed: {kind}")
                )
    return Labels(rows, sources(("pyrit",), archive=True), _probes(ordinary))


def _worse(kind: str, ordinary: list[tuple[str, str]]) -> list[str]:
    """A degenerate response for every (prompt, answer)."""
    if kind == "empty":
        return [""] * len(ordinary)
    if kind == "few words":
        return [few_words(answer) for _, answer in ordinary]
    if kind == "prompt repeated":
        return [prompt for prompt, _ in ordinary]
    return [answer for _, answer in ordinary[1:] + ordinary[:1]]


def _probes(ordinary: list[tuple[str, str]]) -> dict[str, list[tuple[str, str]]]:
    prompts = [prompt for prompt, _ in ordinary]
    worse = {kind: list(zip(prompts, _worse(kind, ordinary), strict=True)) for kind in DEGENERATE}
    return {"real": ordinary, **worse}
