"""What a policy of this base would read, learn and be asked."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from moa.logprobs import tree_logprobs
from moa.logprobs.exactness import rounding, sees_all
from moa.logprobs.rows import completion_logprobs
from moa.models.policies import add_adapter, load_policy, load_tokenizer
from moa.models.prompts import encode, split_prefix, truncate_prompt
from moa.models.self_check import check_model
from moa.models.settings import LoraSettings, PromptSettings
from moa.preferences import build_prompt
from moa.runtime.checks import Check
from moa.runtime.errors import JobError
from moa.training.sft import tokenize_example

PROMPTS = 2  # of the data, on which the passes are compared


def check_policy(
    base: Path,
    rows: pd.DataFrame,
    objectives: Sequence[str],
    asked: PromptSettings,
    lora: LoraSettings,
) -> tuple[str, list[Check]]:
    """The form of a prompt, to be looked at, and the checks. rows: of the train split."""
    try:
        tokenizer = load_tokenizer(base)
    except JobError as error:
        return "", [Check("tokenizer", "cannot be used", "fails", str(error))]
    eos, pad = tokenizer.eos_token, tokenizer.pad_token
    checks = [Check("EOS and pad", f"EOS {eos!r}, pad {pad!r}; prompts end as they are written")]
    model = load_policy(base, dtype=asked.dtype)
    checks += check_model(model)
    k = len(objectives)
    corners = [[float(i == j) for j in range(k)] for i in range(k)]
    prompts = [
        truncate_prompt(x, objectives, tokenizer, asked.max_prompt_tokens, asked.decimals)
        for x in rows["prompt"].head(PROMPTS)
    ]
    shown = build_prompt(prompts[0], objectives, corners[0], asked.decimals)
    example = tokenize_example(shown, rows["chosen"].iloc[0], tokenizer, asked.max_new_tokens)
    checks.append(_trees(model, tokenizer, rows, prompts, corners, objectives, asked))
    needed = asked.max_prompt_tokens + asked.max_new_tokens
    checks += [_positions(model, needed), _window(model, needed)]
    try:
        adapted = add_adapter(model, lora, seed=0)
        found = sorted({name.rsplit(".", 1)[-1] for name in adapted.targeted_module_names})
        checks.append(Check("LoRA targets", ", ".join(found)))
    except JobError as error:
        checks.append(Check("LoRA targets", "not as the config says", "fails", str(error)))
    return _form(example, tokenizer), checks


def _form(example: dict[str, list[int]], tokenizer: Any) -> str:
    """The first prompt and its response, token by token; what is learned stands after the bar."""
    ids, labels = example["input_ids"], example["labels"]
    learned = next((i for i, label in enumerate(labels) if label != -100), len(ids))
    before, after = (
        " ".join(repr(tokenizer.decode([i]))[1:-1] or "''" for i in part)
        for part in (ids[:learned], ids[learned:])
    )
    return f"{before} | {after}"


@torch.no_grad()
def _trees(
    model: Any,
    tokenizer: Any,
    rows: pd.DataFrame,
    prompts: Sequence[str],
    vectors: Sequence[Sequence[float]],
    objectives: Sequence[str],
    asked: PromptSettings,
) -> Check:
    """Log-probabilities of the data's responses under every unit vector, as training takes them."""
    worst, tokens = 0.0, 0
    for x, row in zip(prompts, rows.head(PROMPTS).to_dict("records"), strict=True):
        texts = [build_prompt(x, objectives, w, asked.decimals) for w in vectors]
        contexts = encode(texts, tokenizer)
        responses = [
            torch.tensor([i for i in example["labels"] if i != -100], dtype=torch.long)
            for y in (row["chosen"], row["rejected"])
            if y
            for example in [tokenize_example(texts[0], y, tokenizer, asked.max_new_tokens)]
        ]
        prefix, conditions = split_prefix(contexts)
        tree = tree_logprobs(model, [prefix], [conditions], [responses])[0]
        plain = torch.stack(
            [torch.cat([completion_logprobs(model, [c], [r]) for r in responses]) for c in contexts]
        )
        worst = max(worst, float((tree - plain).abs().max()))
        tokens = max(tokens, *map(len, responses))
    allowed = rounding(model, tokens)
    return Check.of(
        "log-probabilities as trained, against plain rows",
        f"differ by {worst:.1e} nats, of {allowed:.0e} that rounding may make",
        worst <= allowed,
        "This is a fault of the workflow or of the model's code: please report it with the model's name",
    )


def _positions(model: Any, needed: int) -> Check:
    there = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    if there is None:
        return Check("positions", f"{needed} needed; the model names no limit", "note")
    return Check.of(
        "positions",
        f"{needed} needed for a prompt and its response, of {there}",
        needed <= there,
        "Lower policy.max_prompt_tokens or policy.max_new_tokens",
    )


def _window(model: Any, needed: int) -> Check:
    if sees_all(model.config, needed):
        return Check("attention", f"every layer sees all {needed} tokens")
    window = bisect_left(range(1, needed), True, key=lambda n: not sees_all(model.config, n))
    return Check(
        "attention",
        f"some layers see only the nearest {window} of {needed} tokens, so the start of a prompt is read "
        "at second hand, and each response is scored in a row of its own, exactly but slower",
        "fails",
        "Take a base that attends to the whole row, or lower policy.max_prompt_tokens or "
        "policy.max_new_tokens",
    )
