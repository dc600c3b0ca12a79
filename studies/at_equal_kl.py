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
DECIMALS = 3


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
    runs = metrics["runs"]
    line = [r for r in runs.values() if r["method"] in ("sft", plain) and r["hv"] is not None]
    for name, run in runs.items():
        if run["method"] != with_term:
            continue
        beta_c, beta_w = run["betas"]["beta_c"], run["betas"]["beta_w"]
        cells = [name, f"{beta_c:g}", f"{beta_w / beta_c:.2g}", f"{run['kl']['mean']:.2f}"]
        print("| " + " | ".join([*cells, *(difference(run, line, key) for key in MEASURES)]) + " |")


def difference(run: dict, line: list[dict], key: str) -> str:
    """run - the line at the run's KL, over the seeds in which the line reaches so far."""
    ours, theirs = [], []
    for seed, own in run["seeds"].items():
        places = sorted(
            (max(0.0, other["seeds"][seed]["kl"]) ** 0.5, other["seeds"][seed][key])
            for other in line
        )
        kl, values = np.array(places).T
        if own["kl"] ** 0.5 <= kl[-1]:
            ours.append(own[key])
            theirs.append(float(np.interp(own["kl"] ** 0.5, kl, values)))
    if not ours:
        return "–"
    test = paired(ours, theirs)
    above = sum(a > b for a, b in zip(ours, theirs, strict=True))
    interval = "" if test.low is None else f" [{test.low:+.{DECIMALS}f}, {test.high:+.{DECIMALS}f}]"
    return f"{test.mean:+.{DECIMALS}f}{interval} {above}/{len(ours)}"


if __name__ == "__main__":
    main()
