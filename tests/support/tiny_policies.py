"""The tiny config's policies, trained and evaluated for real, with their stable paths."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from moa.tools.policies.described import Policy, find_policy
from moa.workflow.views import show_views
from support.tiny_jobs import make_here
from support.tiny_store import tiny_config, tiny_plan

FACTORS = {"merge": "factors"}
RUNS = {
    "sft": {"name": "sft", "method": "sft"},
    "factors": {"name": "factors", "method": "rewarded_soups", "overrides": FACTORS},
}


class TinyPolicies:
    """A checkout's results below `root`: policies of some runs of tests/tiny.yaml, and of RUNS."""

    def __init__(self, root: Path, runs: Sequence[str], metrics: bool) -> None:
        self.root, store = root, root / "results" / "store"
        config = tiny_config(store)
        known = {**{run["name"]: run for run in config["runs"]}, **RUNS}
        task = config["tasks"]["safety"] | {"beta_w_sweep": []}
        plan = tiny_plan(store, runs=[known[name] for name in runs], tasks={"safety": task})
        wanted = ("policy", "evaluate", *(["metrics"] * metrics))
        for entry in plan.entries.values():
            if entry.stage in wanted:
                make_here(store, entry)
        show_views(plan, store, root)
        self.ends = {run: plan.ends["safety", run, 0] for run in runs}
        self.store = store

    def path(self, name: str) -> Path:
        """A stable path."""
        return self.root / "results" / "tiny" / "safety" / "policies" / name

    def policy(self, run: str) -> Policy:
        return find_policy(self.path(f"{run}-s0"))

    def responses(self, run: str) -> pd.DataFrame:
        """The pipeline's own."""
        (end,) = self.ends[run]
        return pd.read_parquet(self.store / end.inputs["generate"].rel / "generations.parquet")
