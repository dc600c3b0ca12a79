"""Whether a base's tokenizer reads what prompts say: their words, their objectives, their weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from moa.preferences import build_prompt, uniform
from moa.runtime.errors import JobError

MOST_LOST = 0.01  # share of all prompts' characters, blanks left out
OTHER_BASE = (
    "Take a base that knows such text: under policy.base, kind scratch_text, packaged_gguf or hub"
)


def require_readable(
    prompts: Sequence[str], objectives: Sequence[str], tokenizer: Any, decimals: int = 2
) -> None:
    """Check that little of the prompts is lost on a tokenizer, and nothing of the weights.

    prompts: raw, without weights. Raises: JobError, with an example.
    """
    _require_weights(objectives, tokenizer, decimals)
    even = uniform(len(objectives))
    texts = [build_prompt(x, objectives, even, decimals) for x in prompts]
    encoded = tokenizer(texts, add_special_tokens=False, return_offsets_mapping=True)
    unknown = _unknown(tokenizer)
    lost = [
        _lost(text, ids, spans, unknown)
        for text, ids, spans in zip(
            texts, encoded["input_ids"], encoded["offset_mapping"], strict=True
        )
    ]
    share = sum(lost) / max(1, sum(len("".join(text.split())) for text in texts))
    if share > MOST_LOST:
        worst = max(range(len(texts)), key=lambda i: lost[i] / len(texts[i]))
        read = tokenizer.decode(encoded["input_ids"][worst])
        raise JobError(
            f"the base's tokenizer loses {share:.0%} of the prompts' characters; for example, it reads\n"
            f"  {texts[worst][-200:]!r} as\n  {read[-200:]!r}\n{OTHER_BASE}"
        )


def _require_weights(objectives: Sequence[str], tokenizer: Any, decimals: int) -> None:
    """Every digit in every place of a weight makes another prompt."""
    first = [1.0, *(digit / 10**place for place in range(1, decimals + 1) for digit in range(10))]
    seen: dict[tuple[int, ...], str] = {}
    for weight in dict.fromkeys(first):
        text = build_prompt("x", objectives, [weight, *[0.0] * (len(objectives) - 1)], decimals)
        ids = tuple(tokenizer(text, add_special_tokens=False)["input_ids"])
        if (other := seen.setdefault(ids, text)) != text:
            raise JobError(
                f"the base's tokenizer reads {other!r} and {text!r} alike, as {tokenizer.decode(ids)!r}: "
                f"the policy could not tell these weights. {OTHER_BASE}"
            )


def _lost(
    text: str, ids: Sequence[int], spans: Sequence[tuple[int, int]], unknown: set[int]
) -> int:
    """Characters of a text, blanks left out, that no token stands for, or one that stands for anything."""
    covered = bytearray(len(text))
    for token, (start, end) in zip(ids, spans, strict=True):
        if token not in unknown:
            covered[start:end] = b"\1" * (end - start)
    return sum(not there and not char.isspace() for there, char in zip(covered, text, strict=True))


def _unknown(tokenizer: Any) -> set[int]:
    """Ids of what a tokenizer says for what it cannot read, whether or not it is declared as such."""
    inner = getattr(tokenizer.backend_tokenizer.model, "unk_token", None)
    names = {tokenizer.unk_token, inner} - {None}
    return {tokenizer.convert_tokens_to_ids(name) for name in names}
