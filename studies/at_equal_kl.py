"""What the exploration term does at equal KL: MI-EPO's runs against MO-ODPO's at as large a KL divergence.

    .venv/bin/python studies/at_equal_kl.py config/phase_diagram.yaml

MO-ODPO's runs along beta_c are a line of (sqrt(KL), number) for each seed, from SFT's on. Each run of
MI-EPO is compared with the place on its own seed's line where the KL is the same, by linear
interpolation; where the line ends before, it is left out, as nothing is extrapolated. Printed: the mean
difference with its 95 % interval over seeds (Student's t), and in how many seeds it lies above 0. Reads
what the store has.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from moa.evaluation.seed_tests import paired
from moa.runtime.publishing import is_published
from moa.workflow.methods import compared
from moa.workflow.plan import read_plan

MEASURES = ("hv", "mip", "crd")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("config", type=Path)
    plan = read_plan(parser.parse_args().config)
    header = ["run", "beta_c", "beta_w / beta_c", "KL", *MEASURES]
    store = Path(plan.config.store)
    for entry in plan.entries.values():
        if entry.stage == "metrics" and is_published(store / entry.rel):
            print(f"\n{entry.name}\n\n| {' | '.join(header)} |\n|{'---|' * len(header)}")
            report(json.loads((store / entry.rel / "metrics.json").read_text()))


def report(metrics: dict) -> None:
    """One line per run of the second compared method."""
    plain, with_term = compared()
    runs, start = metrics["runs"], metrics["start"]
    own = [r for r in runs.values() if r["method"] == plain and r["nats_per_token"] is not None]
    line = [*([runs[start]] if start else []), *own]  # not of scalarised labels
    for name, run in runs.items():
        if run["method"] != with_term or not own:
            continue
        beta_c, beta_w = run["betas"]["beta_c"], run["betas"]["beta_w"]
        cells = [name, f"{beta_c:g}", f"{beta_w / beta_c:.2g}", f"{run['kl']['mean']:.2f}"]
        print("| " + " | ".join([*cells, *(difference(run, line, key) for key in MEASURES)]) + " |")


def difference(run: dict, line: list[dict], key: str) -> str:
    """run - the line at the run's KL, over the seeds in which the line reaches there."""
    ours, theirs = [], []
    for seed, own in run["seeds"].items():
        others = [other["seeds"][seed] for other in line]
        at, values = np.array(sorted((root(other["kl"]), other[key]) for other in others)).T
        if at[0] <= root(own["kl"]) <= at[-1]:
            ours.append(own[key])
            theirs.append(float(np.interp(root(own["kl"]), at, values)))
    if not ours:
        return "–"
    test = paired(ours, theirs)
    above = sum(a > b for a, b in zip(ours, theirs, strict=True))
    interval = "" if test.low is None else f" [{test.low:+.3f}, {test.high:+.3f}]"
    return f"{test.mean:+.3f}{interval} {above}/{len(ours)}"


def root(kl: float) -> float:
    """Of an estimate, which may come out below 0."""
    return max(0.0, kl) ** 0.5


if __name__ == "__main__":
    main()
