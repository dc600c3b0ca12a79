"""How a step's time and memory grow: with objectives, prompts, responses, batch and vectors.

    python benchmarks/scaling.py [--out results/benchmarks] [--rounds 1]

A random Llama of SmolLM2-135M's shape in float32. One thing is changed at a time from 2 objectives, prompts
of 64 tokens, two responses of 8 tokens and a batch of 2. Time is that of one MI-EPO step (of a sweep over
evaluation vectors in the row `vectors`: 2 prompts of 64 tokens, responses of 8), after a first one that is
not counted; memory the peak that is resident in the process that makes both, libraries included. Every
point has a process of its own, and rounds go through all points, so that drift hits all.

Writes scaling.md (the table) and scaling.png (the plot). Prints the table and last, per row, the exponents
`time_exponent_<row>` and `memory_exponent_<row>`: log of the ratio between largest and smallest, by log of
the ratio of the sizes; 1 is proportional, 0 constant.
"""

from __future__ import annotations

import math
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from shared import (
    SMOLLM2,
    alternate,
    apart,
    base,
    command_line,
    online_trainer,
    print_figures,
    print_machine,
    step,
)
from sweep_cost import Sweep

START = {"objectives": 2, "prompt": 64, "response": 8, "batch": 2, "vectors": 0}
ROWS = {
    "objectives": ("objectives K", (2, 4, 8)),
    "prompt": ("prompt, tokens", (64, 128, 256)),
    "response": ("response, tokens", (8, 16, 32)),
    "batch": ("prompts per step", (2, 4, 8)),
    "vectors": ("vectors of a sweep", (2, 4, 8)),
}


@dataclass(frozen=True)
class Point:
    """size: of what the row changes. seconds: of a step or a sweep. peak: resident bytes."""

    row: str
    size: int
    seconds: float
    peak: float


def run_seconds(shape: Mapping[str, Any], sizes: Mapping[str, int]) -> float:
    """Seconds of one step or, where there are vectors, of one sweep; the second of its process."""
    new, prompt = sizes["response"], sizes["prompt"]
    if sizes["vectors"]:
        vectors = [[i / 10, 1 - i / 10] for i in range(sizes["vectors"])]
        sweep = Sweep(shape, vectors, sizes["batch"], prompt, new, mean=10**6)
        return alternate({"sweep": sweep.ours}, 1)["sweep"]["seconds"]
    with tempfile.TemporaryDirectory() as folder:
        trainer = online_trainer(
            base(shape), sizes["objectives"], sizes["batch"], prompt, new, Path(folder)
        )
        return alternate({"step": lambda: step(trainer)}, 1)["step"]["seconds"]


def measure(
    shape: Mapping[str, Any], rows: Mapping[str, Sequence[int]], rounds: int
) -> list[Point]:
    """Medians over the rounds of every point of some rows."""
    points = [(row, size) for row, sizes in rows.items() for size in sizes]
    found: dict[tuple[str, int], list[tuple[float, float]]] = {point: [] for point in points}
    for _ in range(rounds):
        for row, size in points:
            changed = {**START, row: size}
            found[row, size].append(apart(run_seconds, shape, changed))
    return [
        Point(row, size, *(statistics.median(column) for column in zip(*every, strict=True)))
        for (row, size), every in found.items()
    ]


def exponents(points: Sequence[Point]) -> tuple[float, float]:
    """Of time and of memory, from the smallest of a row to its largest."""
    first, last = points[0], points[-1]
    grown = math.log(last.size / first.size)
    return (
        math.log(last.seconds / first.seconds) / grown,
        math.log(last.peak / first.peak) / grown,
    )


def table(points: Sequence[Point]) -> str:
    lines = ["| changed | size | seconds | peak memory, GB |", "|---|---|---|---|"]
    lines += [
        f"| {ROWS[p.row][0]} | {p.size} | {p.seconds:.2f} | {p.peak / 1e9:.2f} |" for p in points
    ]
    return "\n".join(lines) + "\n"


def plot(points: Sequence[Point], path: Path) -> None:
    """A column of two panels per row, time above memory; sizes are on a logarithmic axis."""
    rows = list(dict.fromkeys(point.row for point in points))
    figure, axes = plt.subplots(
        2,
        len(rows),
        figsize=(2.2 * len(rows), 4.4),
        sharex="col",
        squeeze=False,
        layout="constrained",
    )
    for (time, memory), row in zip(axes.T, rows, strict=True):
        own = [point for point in points if point.row == row]
        sizes = [point.size for point in own]
        time.plot(sizes, [point.seconds for point in own], marker="o")
        memory.plot(sizes, [point.peak / 1e9 for point in own], marker="o")
        time.set_xscale("log", base=2)
        time.set_ylim(0, 1.1 * max(point.seconds for point in own))
        memory.set_ylim(0, 1.1 * max(point.peak for point in own) / 1e9)
        memory.set_xlabel(ROWS[row][0])
        memory.set_xticks(sizes, [str(size) for size in sizes])
        time.set_title("sweep" if row == "vectors" else "step", fontsize="medium")
    axes[0, 0].set_ylabel("time, s")
    axes[1, 0].set_ylabel("peak memory, GB")
    figure.savefig(path, dpi=150)
    plt.close(figure)


def main() -> None:
    parser = command_line(__doc__, 1, "processes per point")
    parser.add_argument("--out", type=Path, default=Path("results/benchmarks"))
    args = parser.parse_args()
    print_machine()
    points = measure(SMOLLM2, {row: sizes for row, (_, sizes) in ROWS.items()}, args.rounds)
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "scaling.md").write_text(table(points))
    plot(points, args.out / "scaling.png")
    print(table(points), end="")
    for row in ROWS:
        time, memory = exponents([point for point in points if point.row == row])
        print_figures(**{f"time_exponent_{row}": time, f"memory_exponent_{row}": memory})


if __name__ == "__main__":
    main()
