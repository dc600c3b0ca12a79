"""Two lower bounds of an online step, from this machine's own rates, beside what the step takes.

    python benchmarks/bounds.py [--rounds 1]

The step of `step_cost.py`: MI-EPO, SmolLM2-135M's shape, 8 prompts of 200 tokens, 2 x 48 tokens sampled,
float32. Arithmetic: floating-point operations by formula, at the rate of one large matrix product. Memory:
bytes that have to be read, at the rate of summing one large array. Each part needs the longer of the two.

Operations per token: 2 per weight forward; backward 2 more per frozen weight, 4 per LoRA weight, as
moa/tools/estimates/cost.py counts them. Bytes: all weights and adapters once per pass or decoded token, and
the cache's keys and values of every row once per token. Left out, so that both stay lower bounds:
attention's own products, activations, the optimizer, the oracles; EOS ends no response early.

Prints the rates, a table, and last `ratio_<part>`, measured / bound.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from moa.tools.estimates.shapes import Shape, read_shape
from moa.tools.estimates.tensors import Policy, Tree
from shared import (
    LORA,
    SMOLLM2,
    Figures,
    alternate,
    base,
    command_line,
    online_trainer,
    print_figures,
    print_machine,
    seconds_of,
    step,
)
from step_cost import BATCH, NEW, PROMPT, places_of_ours

CONDITION = 12  # tokens of a prompt from where w+ and w- differ, with two objectives


@dataclass(frozen=True)
class Work:
    """What a part of a step cannot do without: floating-point operations, and bytes read."""

    flops: float
    bytes: float

    def __add__(self, other: Work) -> Work:
        return Work(self.flops + other.flops, self.bytes + other.bytes)


def work(shape: Shape, batch: int, prompt: int, new: int) -> dict[str, Work]:
    """Of each part of a step of float32 weights with an exploration term."""
    policy = Policy(shape, 4, LORA.model_dump())
    adapter = shape.adapter_parameters(policy.lora)
    adapted = policy.weights + policy.adapter

    def forward(tokens: float, columns: float, lora: int) -> float:
        """columns: tokens with logits."""
        return 2 * ((shape.matrix_parameters + lora) * tokens + shape.output_parameters * columns)

    rows = 2 * batch  # sampled with the adapter inside the weights
    read = Work(forward(batch * prompt, batch, 0), policy.weights)
    # The first token of a response comes of reading its prompt.
    cached = sum(policy.kv_cache(rows * (prompt + done)) for done in range(1, new))
    decoded = Work((new - 1) * forward(rows, rows, 0), (new - 1) * policy.weights + cached)
    tree = Tree(batch, prompt - CONDITION, 2, CONDITION, 2, new)
    tokens, columns = tree.tokens, tree.columns
    backward = forward(tokens, columns, 0) + 4 * adapter * tokens
    return {
        "reading prompts": read,
        "decoding": decoded,
        "sampling": read + decoded,
        "reference pass": Work(forward(tokens, columns, 0), policy.weights),
        "policy forward": Work(forward(tokens, columns, adapter), adapted),
        "backward": Work(backward, adapted),
    }


def rates(side: int, rounds: int) -> tuple[float, float]:
    """FLOP/s of a float32 product of two square matrices, and bytes/s of a sum over as many numbers as
    32 of them.
    """
    a, b, long = torch.randn(side, side), torch.randn(side, side), torch.randn(32 * side, side)
    runs = {"product": seconds_of(lambda: a @ b), "sum": seconds_of(lambda: long.sum())}
    found = alternate(runs, rounds)
    return (
        2 * side**3 / found["product"]["seconds"],
        long.numel() * long.element_size() / found["sum"]["seconds"],
    )


def measured(shape: Mapping[str, Any], batch: int, prompt: int, new: int, rounds: int) -> Figures:
    """Seconds of a step's parts."""
    with tempfile.TemporaryDirectory() as folder:
        trainer = online_trainer(base(shape), 2, batch, prompt, new, Path(folder))
        run = {"ours": lambda: step(trainer, places_of_ours(trainer))}
        return alternate(run, rounds)["ours"]


def main() -> None:
    args = command_line(__doc__, 1, "steps").parse_args()
    print_machine()
    flops, bandwidth = rates(2048, 5)
    print(f"{flops / 1e9:.1f} GFLOP/s, {bandwidth / 1e9:.1f} GB/s")
    shape = read_shape({**SMOLLM2, "head": "language_model"})
    found = measured(SMOLLM2, BATCH, PROMPT, NEW, args.rounds)
    print("| part | TFLOP | GB | arithmetic, s | memory, s | measured, s | measured / bound |")
    print("|---|---|---|---|---|---|---|")
    ratios, total = {}, 0.0
    for part, needed in work(shape, BATCH, PROMPT, NEW).items():
        times = needed.flops / flops, needed.bytes / bandwidth
        cells = [
            f"{needed.flops / 1e12:.3f}",
            f"{needed.bytes / 1e9:.2f}",
            *(f"{t:.2f}" for t in times),
        ]
        if part in found:
            total += max(times)
            ratios[f"ratio_{part.replace(' ', '_')}"] = found[part] / max(times)
            cells += [f"{found[part]:.2f}", f"{found[part] / max(times):.2f}"]
        else:  # a share of sampling
            cells += ["", ""]
        print(f"| {part} | {' | '.join(cells)} |")
    print(f"a whole step: {found['seconds']:.2f} s, of which {found['rest']:.2f} s are in no part")
    print_figures(**ratios, ratio_step=found["seconds"] / total)


if __name__ == "__main__":
    main()
