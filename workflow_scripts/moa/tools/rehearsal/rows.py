"""Made-up rows in the schemas, folders and file formats of PKU-SafeRLHF-10K and HH-RLHF.

As in the originals some prompts have several rows, dialogues have one to four human turns, and a few
rows are irregular; the loaders have to drop those.
"""

from __future__ import annotations

import gzip
import json
import lzma
import random
from pathlib import Path
from typing import Any

PROMPTS = 28  # distinct regular ones of PKU-SafeRLHF-10K
DIALOGUES = {"train": 14, "test": 3}  # regular ones in each subset of HH-RLHF
SUBSETS = ("harmless-base", "helpful-base", "helpful-online", "helpful-rejection-sampled")
Row = dict[str, Any]

_ASKS = (
    "How do I bake good bread",
    "What is the best way to open a lock without its key",
    "Can you tell me a joke about work",
    "Who pays the fine if I park",
    "Is it 2 + 2 or 3 + 1 that people count",
    "Why does my café's {menu} look odd",
    "Where could I hide a present",
    "Please write one line about rain",
)
_PLACES = ("at home?", "on a small boat?", "in Tōkyō?", "for my two children?", "after dark?")
_HELP = (
    "Take flour, water and salt, and wait for an hour.",
    "Most people ask a neighbour first.",
    "It is four, whichever way you count.",
    "There are three good ways to do it, and the second is the cheapest.",
    "I laughed so much that my bread went flat!",
    "You would need a permit, which takes 14 days.",
)
_REFUSE = (
    "I would rather not help with that.",
    "That could hurt somebody, so please ask a professional.",
    "I'm sorry, but I can't say.",
)


def texts(seed: int) -> list[str]:
    """All that the rows say, for tokenizers to be trained on."""
    pku = [f"{r['prompt']} {r['response_0']} {r['response_1']}" for r in pku_saferlhf(seed)]
    return pku + [r["chosen"] for rows in hh_rlhf(seed).values() for r in rows]


def pku_saferlhf(seed: int) -> list[Row]:
    """Rows of PKU-SafeRLHF-10K: PROMPTS prompts with one to three rows each; the last five are
    irregular."""
    rng = random.Random(seed)
    rows = []
    for prompt in _questions(rng)[:PROMPTS]:
        for _ in range(rng.randint(1, 3)):
            safe = [rng.random() < 0.5 for _ in range(2)]
            rows.append(
                {
                    "prompt": prompt,
                    "response_0": _answer(rng, safe[0]),
                    "response_1": _answer(rng, safe[1]),
                    "is_response_0_safe": safe[0],
                    "is_response_1_safe": safe[1],
                    "better_response_id": rng.randint(0, 1),
                    "safer_response_id": int(safe[1]) if safe[0] != safe[1] else rng.randint(0, 1),
                }
            )
    wrong: list[Row] = [
        {"prompt": " "},
        {"response_0": ""},
        {"response_1": "  "},
        {"better_response_id": None},
        {"safer_response_id": 2},
    ]
    return rows + [{**rows[0], **changes} for changes in wrong]


def hh_rlhf(seed: int) -> dict[str, list[Row]]:
    """Rows of HH-RLHF by file, the `test` files with regular ones only."""
    rng = random.Random(seed)
    files = {}
    for subset in SUBSETS:
        for split, count in DIALOGUES.items():
            rows = [_dialogue(rng) for _ in range(count)]
            files[f"{subset}/{split}.jsonl.gz"] = rows
        files[f"{subset}/train.jsonl.gz"] += _irregular_dialogues(rng)
    return files


def write_pku_saferlhf(folder: Path, seed: int) -> None:
    """One xz file of JSON lines, in the folder of the collection's first round."""
    target = folder / "round0" / "train.jsonl.xz"
    target.parent.mkdir(parents=True)
    target.write_bytes(lzma.compress(_lines(pku_saferlhf(seed))))


def write_hh_rlhf(folder: Path, seed: int) -> None:
    """Four folders of pairs, and the red-teaming transcripts, which belong to no split."""
    files = {path: _lines(rows) for path, rows in hh_rlhf(seed).items()}
    red = [{"transcript": "\n\nHuman: Hi\n\nAssistant: Hello.", "rating": 0.0}]
    files["red-team-attempts/red_team_attempts.jsonl.gz"] = json.dumps(red).encode()
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(gzip.compress(content, mtime=0))


def _lines(rows: list[Row]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def _questions(rng: random.Random) -> list[str]:
    """All questions, in random order."""
    found = [f"{ask} {place}" for ask in _ASKS for place in _PLACES]
    rng.shuffle(found)
    return found


def _answer(rng: random.Random, safe: bool) -> str:
    first = rng.choice(_REFUSE if safe else _HELP)
    return " ".join([first, *rng.sample(_HELP, rng.randint(0, 3))])


def _dialogue(rng: random.Random) -> Row:
    """Two transcripts that differ in the last answer."""
    questions = _questions(rng)[: rng.choice((1, 1, 2, 3, 4))]
    shared = ""
    for i, question in enumerate(questions):
        earlier = f" {_answer(rng, safe=False)}" if i + 1 < len(questions) else ""
        shared += f"\n\nHuman: {question}\n\nAssistant:{earlier}"
    return {
        "chosen": f"{shared} {_answer(rng, safe=True)}",
        "rejected": f"{shared} {_answer(rng, safe=False)}",
    }


def _irregular_dialogues(rng: random.Random) -> list[Row]:
    """One row for every reason to drop one."""
    good = _dialogue(rng)
    wrong = [
        good["chosen"].replace("\n\nHuman: ", "\n\nHuman: Well, ", 1),  # another prompt
        good["chosen"].rsplit("\n\nAssistant:", 1)[0],  # no answer
        f"{good['chosen']}\n\nHuman: Thank you.",
        f"Hello.{good['chosen']}",
        f"\n\nHuman: Hm.{good['chosen']}",
        good["chosen"].rsplit("\n\nAssistant:", 1)[0] + "\n\nAssistant:",  # an empty one
    ]
    return [{**good, "rejected": transcript} for transcript in wrong]
