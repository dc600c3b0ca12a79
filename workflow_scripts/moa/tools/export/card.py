"""README.md of an exported folder: its model card, made from specs, manifests and metrics."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from moa.runtime.publishing import read_manifest
from moa.tools.export.exported import Exported, spec_of
from moa.tools.export.licences import OWN, licences
from moa.tools.export.results import compared, find_metrics, trade_offs
from moa.tools.export.usage import environment
from moa.tools.policies.described import Policy
from moa.tools.terminal import duration
from moa.workflow.plan import CHECKOUT
from moa.workflow.stages import STAGES

CITATION = CHECKOUT / "CITATION.cff"
AS_CODE = ("torch", "transformers", "peft", "trl", "numpy", "python")  # versions that a card names


def card(plan: Exported, usage: str) -> str:
    """The card's text. usage: the program that it prints."""
    policy, told = plan.policy, plan.told
    found = find_metrics(policy)
    terms = licences(policy)
    source = environment()
    source.filters["cell"] = _cell
    return source.get_template("card.md.j2").render(
        front=yaml.safe_dump(_front(plan, bool(terms)), sort_keys=False).strip(),
        plan=plan,
        policy=policy,
        told=told,
        usage=usage,
        data=_data(policy),
        base=_plain(spec_of(policy.inputs["base"])["params"]["base"]),
        oracles=[_oracle(policy, k) for k in range(len(policy.objectives))],
        trained=_trained(policy),
        compute=_compute(policy),
        versions=_versions(policy),
        entries=told["entries"],
        metrics=found and found[0],
        compared=found and compared(found[1], told["run"]),
        trade_offs=found and trade_offs(found[1], told["run"], policy.seed),
        licences=terms,
        own=OWN,
        cite=_cite(),
    )


def _front(plan: Exported, others: bool) -> dict[str, Any]:
    """What the hub reads of a card."""
    told = plan.told
    front: dict[str, Any] = {
        "license": "other" if others else OWN.lower(),
        "library_name": "transformers" if plan.merged else "peft",
        "pipeline_tag": "text-generation",
        "tags": ["multi-objective-alignment", told["method"], *told["objectives"]],
    }
    if plan.hub_base:
        front["base_model"] = plan.hub_base[0]
    data = spec_of(plan.policy.inputs["data"])["params"]["data"]
    if data.get("commit"):
        front["datasets"] = [data["source"]]
    return front | ({"license_name": "see-the-licences-below"} if others else {})


def _data(policy: Policy) -> dict[str, Any]:
    entry = policy.inputs["data"]
    return {
        "said": _plain(spec_of(entry)["params"]["data"]),
        "notes": read_manifest(entry)["notes"],
    }


def _oracle(policy: Policy, k: int) -> list[str]:
    """Objective, what scores it, how good that is where it was measured, and what normalises it."""
    name = policy.objectives[k]
    report = policy.inputs.get(f"oracle/{name}", Path()) / "report.json"
    heldout = "not fitted here, so not measured"
    if report.is_file():
        heldout = "; ".join(
            f"{kind}: {_plain(figures)}"
            for kind, figures in json.loads(report.read_text())["heldout"].items()
        )
    scale = policy.told["normalisation"]
    return [
        name,
        _plain(policy.told["oracles"][name]),
        heldout,
        f"{scale['mean'][k]:.4g} / {scale['std'][k]:.4g}",
    ]


def _steps(policy: Policy) -> dict[str, Path]:
    """What was made for it, by name, in order."""
    return {"base": policy.inputs["base"], "sft": policy.inputs["sft"], **policy.trained}


def _trained(policy: Policy) -> dict[str, str]:
    """Settings of each training stage, as YAML."""
    found = {}
    for role, entry in _steps(policy).items():
        params = spec_of(entry)["params"]
        if "settings" in params:
            said = {"lora": params["lora"], "settings": params["settings"]}
            found[role] = yaml.safe_dump(said, sort_keys=False).strip()
    return found


def _compute(policy: Policy) -> list[list[str]]:
    """A row per job: what, how long, on what, peak memory of the process."""
    rows = []
    for role, entry in _steps(policy).items():
        manifest, stage = read_manifest(entry), entry.parent.name
        hardware = manifest["hardware"]
        machine = ", ".join(hardware.get("gpus", [])) or f"{hardware['cpus']} CPU cores"
        rows.append(
            [
                f"{STAGES[stage].label} ({role})",
                duration(manifest["wall_seconds"]),
                machine,
                f"{manifest['max_rss_mb']:.0f} MB",
                manifest["git_commit"] or "unknown",
            ]
        )
    return rows


def _versions(policy: Policy) -> str:
    """Of the libraries that trained it last."""
    last = list(_steps(policy).values())[-1]
    versions = read_manifest(last)["versions"]
    return ", ".join(f"{name} {versions[name]}" for name in AS_CODE if name in versions)


def _cite() -> dict[str, Any]:
    cff = yaml.safe_load(CITATION.read_text())
    (paper,) = cff["references"]
    names = [f"{a['family-names']}, {a['given-names']}" for a in paper["authors"]]
    return {"workflow": cff, "paper": paper, "authors": " and ".join(names)}


def _plain(said: dict[str, Any]) -> str:
    """Settings in a line: only what is said."""
    return ", ".join(f"{key} {_short(value)}" for key, value in said.items() if value is not None)


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, dict):
        return f"({_plain(value)})"
    if isinstance(value, list):
        return " ".join(map(_short, value))
    return str(value)


def _cell(cells: Iterable[str]) -> str:
    """A row of a table; what would end a cell or a line does not."""
    return "| " + " | ".join(c.replace("|", r"\|").replace("\n", " ") for c in cells) + " |"
