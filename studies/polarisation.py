"""How far the points of the middle preference vectors have moved to the ends, per run and seed.

    .venv/bin/python studies/polarisation.py config/synthetic.yaml config/exploration_study.yaml

For two objectives. s is the mean reward of the first objective minus that of the second under a
vector, and t its place between the run's smallest and largest s. With t = w_1 the points are evenly
spread and polarisation, 1 - mean t(1-t) / mean w_1(1-w_1), is 0; with all at one end or the other it
is 1. Also printed: the largest step in t between neighbouring vectors (even spacing: 0.10). Reads what
the store has.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from moa.runtime.publishing import is_published
from moa.workflow.config import resolve
from moa.workflow.inherit import read_config
from moa.workflow.plan import Plan


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("configs", type=Path, nargs="+")
    args = parser.parse_args()
    print(
        "| run | polarisation per seed | mean | largest step | HV | CRD |\n|---|---|---|---|---|---|"
    )
    for path in args.configs:
        plan = Plan(resolve(read_config(path)))
        store = Path(plan.config.store)
        for entry in plan.entries.values():
            folder = store / entry.rel
            if entry.stage == "metrics" and is_published(folder):
                report(json.loads((folder / "metrics.json").read_text()), entry.name)


def report(metrics: dict, title: str) -> None:
    """One line per run of a task with two objectives."""
    if len(metrics["objectives"]) != 2:
        return
    w = np.array(metrics["vectors"])[:, 0]
    for name, run in metrics["runs"].items():
        if run["hv"] is None:
            continue
        places = [place(np.array(seed["points"])) for seed in run["seeds"].values()]
        values = [1 - (t * (1 - t)).mean() / (w * (1 - w)).mean() for t in places]
        steps = [np.abs(np.diff(t[np.argsort(w)])).max() for t in places]
        print(
            f"| {title}: {name} | {', '.join(f'{v:.2f}' for v in values)} | {np.mean(values):.2f} | "
            f"{np.mean(steps):.2f} | {run['hv']['mean']:.2f} | {run['crd']['mean']:.2f} |"
        )


def place(points: np.ndarray) -> np.ndarray:
    """t of every vector: points (M, 2) -> (M,)."""
    s = points[:, 0] - points[:, 1]
    return (s - s.min()) / max(np.ptp(s), 1e-12)


if __name__ == "__main__":
    main()
