"""How good an exported policy is: the metrics that were made of this very policy, beside the other runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from moa.reporting.tables.common import (
    DASH,
    HEADLINE,
    TITLES,
    conditioned_runs,
    estimate,
    marked_label,
    mean_of,
    number,
    sample_note,
    shared_notes,
    units_note,
)
from moa.runtime.publishing import is_published, read_manifest
from moa.tools.export.exported import spec_of
from moa.tools.policies.described import Policy

ASKED = ("objectives", "conditioning", "generation")


def find_metrics(policy: Policy) -> tuple[str, dict[str, Any]] | None:
    """The newest metrics of the store that are made of this policy's responses: the entry and what it says;
    None if there are none. That other metrics have a run of the same name is not enough.
    """
    told = policy.told
    own = {"base": policy.inputs["base"], "sft": policy.inputs["sft"], **policy.trained}
    made_of = {role: f"{folder.parent.name}/{folder.name}" for role, folder in own.items()}
    found = [
        folder
        for folder in (policy.store / "metrics").glob("*")
        if is_published(folder)
        for spec in [spec_of(folder)]
        if (spec["params"]["config"], spec["params"]["task"]) == (told["config"], told["task"])
        and _is_of(policy, list(_blocks(policy, spec)), made_of)
    ]
    if not found:
        return None
    newest = max(found, key=lambda folder: read_manifest(folder)["started"])
    return newest.name, json.loads((newest / "metrics.json").read_text())


def _blocks(policy: Policy, metrics: dict[str, Any]) -> Iterator[Path]:
    """The responses that the run's and seed's metrics are made of."""
    prefix = f"score/{policy.told['run']}/{policy.seed}/"
    for role, rel in metrics["inputs"].items():
        if role.startswith(prefix) and is_published(policy.store / rel):
            yield policy.store / spec_of(policy.store / rel)["inputs"]["generate"]


def _is_of(policy: Policy, generated: list[Path], made_of: dict[str, str]) -> bool:
    specs = [spec_of(folder) for folder in generated if is_published(folder)]
    return bool(specs) and all(
        {role: rel for role, rel in spec["inputs"].items() if role != "data"} == made_of
        and all(spec["params"][key] == policy.told[key] for key in ASKED)
        for spec in specs
    )


def compared(metrics: dict[str, Any], run: str) -> dict[str, Any]:
    """The headline metrics of all runs, this one marked, as a table's header, rows and notes."""
    header = ["Run", *(TITLES[key] for key in HEADLINE), "Control", "KL per token"]
    rows = [
        [
            f"**{marked_label(of)}** (this one)" if name == run else marked_label(of),
            *(estimate(of[key]) for key in HEADLINE),
            " / ".join(f"{c['mean']:z.2f}" for c in of["control"].values()),
            number(mean_of(of["kl_per_token"]), "z.3f"),
        ]
        for name, of in conditioned_runs(metrics).items()
    ]
    view = {**metrics, "by": "oracles"}
    notes = [
        f"{sample_note(view)} {units_note(view)} Mean over seeds [95 % bootstrap interval over prompts] ± "
        "standard deviation over seeds. Control: rank correlation of an objective's weight and its mean "
        "reward, per objective. KL: to the SFT policy, in nats.",
        *shared_notes(view),
    ]
    return {"header": header, "rows": rows, "notes": notes}


def trade_offs(metrics: dict[str, Any], run: str, seed: int) -> dict[str, Any]:
    """Mean normalised rewards at each evaluated w: of the run's seeds with intervals, and of this seed."""
    of = metrics["runs"][run]
    own = of["seeds"][str(seed)]
    rows = []
    for i, w in enumerate(of["vectors"]):
        bounds = zip(of["points"][i], of["points_low"][i], of["points_high"][i], strict=True)
        rows.append(
            [
                " ".join(f"{value:g}" for value in w),
                *(f"{mean:.2f} [{low:.2f}, {high:.2f}]" for mean, low, high in bounds),
                " / ".join(f"{value:.2f}" for value in own["points"][i]),
            ]
        )
    numbers = ", ".join(
        f"{title} {DASH if own[key] is None else format(own[key], '.2f')}"
        for key, title in HEADLINE.items()
    )
    header = ["w", *metrics["objectives"], f"seed {seed}: {' / '.join(metrics['objectives'])}"]
    return {"header": header, "rows": rows, "own": numbers}
