"""Shared-prefix log-probabilities against one row per (condition, response), in one process, in turns.

    python benchmarks/tree_logprobs.py [MODEL_FOLDER]

Without a folder: a random Llama of SmolLM2-135M's shape. On it a new LoRA adapter (r 64, all linear layers,
no dropout), as in training. 4 prompts of 200 + 16 tokens, 2 conditions x 2 responses of 48 tokens. Prints
seconds of either and, last, their ratios: the reference pass (no gradient), and the policy pass (forward
and backward) of an online step.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from moa.logprobs import sequence_logprobs, tree_logprobs
from moa.models.policies import add_adapter, load_policy
from shared import LORA, SMOLLM2, Figures, alternate, base, print_figures, print_machine, seconds_of

PROMPTS, PREFIX, CONDITION, RESPONSE, ROUNDS = 4, 200, 16, 48, 3


def compare(
    policy: Any, prompts: int, prefix: int, condition: int, response: int, rounds: int
) -> Figures:
    """Ratios of seconds, tree / rows: `reference_pass`, `policy_pass`; and `difference`, in nats."""

    def ids(n: int) -> torch.Tensor:
        return torch.randint(0, policy.config.vocab_size, (n,))

    prefixes = [ids(prefix) for _ in range(prompts)]
    conditions = [[ids(condition) for _ in range(2)] for _ in range(prompts)]
    responses = [[ids(response) for _ in range(2)] for _ in range(prompts)]
    rows = torch.stack(
        [
            torch.cat([prefixes[b], conditions[b][c], responses[b][r]])
            for b in range(prompts)
            for c in range(2)
            for r in range(2)
        ]
    ).to(policy.device)
    completion = torch.zeros_like(rows)
    completion[:, -response:] = 1

    def plain() -> torch.Tensor:
        return sequence_logprobs(policy, rows, torch.ones_like(rows), completion)

    def tree() -> torch.Tensor:
        return tree_logprobs(policy, prefixes, conditions, responses)

    def learned(function: Callable[[], torch.Tensor]) -> None:
        function().sum().backward()
        policy.zero_grad()

    with torch.no_grad():
        figures = {"difference": (plain() - tree().flatten()).abs().max().item()}
        reference = alternate({"tree": seconds_of(tree), "rows": seconds_of(plain)}, rounds)
    runs = {
        "tree": seconds_of(lambda: learned(tree)),
        "rows": seconds_of(lambda: learned(plain)),
    }
    for title, found in (("reference_pass", reference), ("policy_pass", alternate(runs, rounds))):
        seconds = {name: one["seconds"] for name, one in found.items()}
        print(f"{title}: tree {seconds['tree']:.2f} s, rows {seconds['rows']:.2f} s")
        figures[title] = seconds["tree"] / seconds["rows"]
    return figures


def main() -> None:
    print_machine()
    model = load_policy(Path(sys.argv[1])) if len(sys.argv) > 1 else base(SMOLLM2)
    policy = add_adapter(model, LORA, seed=0)
    found = compare(policy, PROMPTS, PREFIX, CONDITION, RESPONSE, ROUNDS)
    print(f"{PROMPTS} prompts, {PREFIX}+{CONDITION} prompt and {RESPONSE} response tokens,")
    print(f"largest difference {found['difference']:.1e} nats")
    print_figures(
        ratio_reference_pass=found["reference_pass"], ratio_policy_pass=found["policy_pass"]
    )


if __name__ == "__main__":
    main()
