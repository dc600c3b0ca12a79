"""The catalogue of a config: every artefact, what it is made from, and so its key and its folder.

Pure and fast: reads the config and source files, imports nothing that is heavy. One function per
stage, in the order data flows; `Plan.views` maps the stable paths of figures and tables to entries.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from moa.base_models import module_name as base_module
from moa.conditioning import module_name as conditioning_module
from moa.config import task_sections
from moa.datasets import module_name as dataset_module
from moa.keys import (
    PACKAGE_ROOT,
    STORE_VERSION,
    code_digest,
    constant,
    content_key,
    library_versions,
)
from moa.methods import METHODS
from moa.oracles import module_name as oracle_module
from moa.store import is_published

MODELS = ("torch", "transformers", "peft")
SCRIPTS = {
    "data": "prepare_data",
    "base": "build_base",
    "oracle": "fit_oracle",
    "oracle_stats": "score_offline",
    "sft": "train_sft",
    "train": "train_online",
    "expert": "train_expert",
    "ric": "train_ric",
    "generate": "generate_responses",
    "score": "score_responses",
    "metrics": "compute_metrics",
    "table": "write_tables",
    "figure": "draw_figure",
}
# Each is a file of moa/plots/ or moa/tables/, and a target under results/<config>/<task>/.
FIGURES = (
    "reward_overlap",
    "exploration",
    "pareto_fronts",
    "reward_distributions",
    "front_3d",
    "objective_best",
    "metrics_by_run",
    "training_curves",
)
TABLES = ("summary", "comparisons", "references")
SWEEP = "beta_w_sweep"  # figure and table of the runs that a task's beta_w_sweep lists


@dataclass(frozen=True)
class Artefact:
    """One entry of the store. `spec` is what its key is made of; `inputs` are upstream entries."""

    stage: str
    name: str
    spec: dict[str, Any]
    inputs: Mapping[str, Artefact]

    @cached_property
    def key(self) -> str:
        return content_key(self.spec)

    @property
    def rel(self) -> str:
        """Its folder, relative to the store."""
        return f"{self.stage}/{self.name}-{self.key}"


Inputs = Mapping[str, Artefact]


class Plan:
    """All artefacts of a resolved config, by folder, and the views that show some of them.

    config: as `moa.config.resolve` returns it.
    """

    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config
        self.artefacts: dict[str, Artefact] = {}
        self._by_key: dict[str, str] = {}
        self._codes: dict[tuple[str, tuple[str, ...]], tuple[str, list[str]]] = {}
        self.views: dict[str, tuple[Artefact, str]] = {}
        for task in config["tasks"]:
            self._add_task(task, task_sections(config, task))

    def _add(
        self,
        stage: str,
        name: str,
        params: dict[str, Any],
        inputs: Mapping[str, Artefact],
        *,
        seed: int | None = None,
        modules: Iterable[str] = (),
        libraries: Iterable[str] = (),
    ) -> Artefact:
        code, required = self._code(SCRIPTS[stage], tuple(sorted(set(modules))))
        spec = {
            "stage": stage,
            "name": name,
            "params": params,
            "seed": seed,
            "inputs": {role: artefact.rel for role, artefact in sorted(inputs.items())},
            "code": code,
            "versions": library_versions([*libraries, *required]),
            "store_version": STORE_VERSION,
            "operation": self.config["operation"],
        }
        artefact = Artefact(stage, name, spec, inputs)
        # Runs that differ in name only share their entries: experts, or a value of a sweep.
        return self.artefacts.setdefault(
            self._by_key.setdefault(artefact.key, artefact.rel), artefact
        )

    def _code(self, script: str, modules: tuple[str, ...]) -> tuple[str, list[str]]:
        """The code digest of a script and its modules, and the libraries that these name."""
        if (script, modules) not in self._codes:
            required = [name for module in modules for name in constant(module, "REQUIRES", ())]
            digest = code_digest(PACKAGE_ROOT / f"{script}.py", modules)
            self._codes[script, modules] = digest, required
        return self._codes[script, modules]

    def _add_task(self, task: str, s: dict[str, Any]) -> None:
        data = self._add(
            "data",
            task,
            {"data": s["data"]},
            {},
            modules=[dataset_module(s["data"]["kind"])],
            libraries=["datasets"],
        )
        base = self._add(
            "base",
            s["policy"]["base"]["kind"],
            {"base": s["policy"]["base"]},
            {},
            modules=[base_module(s["policy"]["base"]["kind"])],
            libraries=MODELS,
        )
        oracles = self._oracles(s)
        scored_by = {"objectives": s["objectives"], "oracles": s["oracles"]}
        stats = self._add(
            "oracle_stats", task, scored_by, {"data": data, **oracles}, modules=_kinds(s)
        )
        shared = {"base": base, "data": data, "oracle_stats": stats, **oracles}
        made: dict[str, dict[str, Artefact]] = {}  # run -> role -> artefact
        for seed in self.config["seeds"]:
            sft = self._sft(task, s, seed, base, data, stats)
            for run in [*s["runs"], *s["sweep_runs"]]:
                roles = made.setdefault(run["name"], {})
                roles |= self._run(task, s, run, seed, {**shared, "sft": sft})
        self._report(task, s, made, shared)

    def _run(
        self, task: str, s: dict[str, Any], run: dict[str, Any], seed: int, shared: Inputs
    ) -> dict[str, Artefact]:
        """A run's training, responses and scores for one seed, by role."""
        name, method = f"{run['name']}-{task}-s{seed}", METHODS[run["method"]]
        trained = self._trained(name, s, run, seed, shared)
        evaluation = dict(s["generation"])
        params = {
            "conditioning": method.conditioning,
            "objectives": s["objectives"],
            "vectors": _vectors(run["method"], s),
            "evaluation": evaluation,
        }
        if run["method"] == "rlhf":
            evaluation["decodability_prompts"] = 0  # K policies, not one that is told w
        if method.section == "experts":
            params["merge"] = run["settings"]["merge"] if run["method"] != "rlhf" else "exact"
        generate = self._add(
            "generate",
            name,
            params,
            {**{role: shared[role] for role in ("base", "data", "sft")}, **trained},
            seed=seed,
            modules=[conditioning_module(method.conditioning)],
            libraries=MODELS,
        )
        score = self._add(
            "score",
            name,
            {"objectives": s["objectives"], "oracles": s["oracles"]},
            {"generate": generate, **_only(shared, "oracle")},
            modules=_kinds(s),
        )
        at = f"{run['name']}/{seed}"
        roles = {f"generate/{at}": generate, f"score/{at}": score}
        for role, artefact in trained.items():  # policy, or expert/<objective>
            roles[f"train/{at}{role.removeprefix('policy').removeprefix('expert')}"] = artefact
        return roles

    def _trained(
        self, name: str, s: dict[str, Any], run: dict[str, Any], seed: int, shared: Inputs
    ) -> dict[str, Artefact]:
        """What a run trains, as inputs of its responses: `policy`, or `expert/<objective>`s."""
        method = METHODS[run["method"]]
        params = {
            "objectives": s["objectives"],
            "oracles": s["oracles"],
            "lora": run["lora"],
            "settings": run["settings"],
        }
        if method.stage is None:
            return {}
        if method.stage != "expert":
            return {
                "policy": self._add(
                    method.stage,
                    name,
                    params,
                    shared,
                    seed=seed,
                    modules=_kinds(s),
                    libraries=[*MODELS, "accelerate", *(["trl"] if method.stage == "ric" else [])],
                )
            }
        settings = {k: v for k, v in run["settings"].items() if k != "merge"}
        return {
            f"expert/{objective}": self._add(
                "expert",
                f"{objective}-{name.removeprefix(run['name'] + '-')}",
                {
                    **params,
                    "settings": settings,
                    "objective": objective,
                    "oracles": {objective: s["oracles"][objective]},
                },
                {
                    role: artefact
                    for role, artefact in shared.items()
                    if not role.startswith("oracle/") or role == f"oracle/{objective}"
                },
                seed=seed,
                modules=[oracle_module(s["oracles"][objective]["kind"])],
                libraries=[*MODELS, "accelerate", "trl"],
            )
            for objective in s["objectives"]
        }

    def _oracles(self, s: dict[str, Any]) -> dict[str, Artefact]:
        """Entries of the oracles that are fitted in the workflow, as inputs by role."""
        fitted = {}
        for objective in s["objectives"]:
            oracle = s["oracles"][objective]
            module = oracle_module(oracle["kind"])
            if constant(module, "FITTED", False):
                fitted[f"oracle/{objective}"] = self._add(
                    "oracle",
                    objective,
                    {"objective": objective, "oracle": oracle},
                    {},
                    modules=[module],
                )
        return fitted

    def _sft(
        self,
        task: str,
        s: dict[str, Any],
        seed: int,
        base: Artefact,
        data: Artefact,
        stats: Artefact,
    ) -> Artefact:
        inputs = {"base": base, "data": data}
        if s["sft"]["response"] == "routed":
            inputs["oracle_stats"] = stats
        return self._add(
            "sft",
            f"{task}-s{seed}",
            {"objectives": s["objectives"], "lora": s["policy"]["lora"], "settings": s["sft"]},
            inputs,
            seed=seed,
            libraries=[*MODELS, "trl", "accelerate"],
        )

    def _report(
        self, task: str, s: dict[str, Any], made: dict[str, dict[str, Artefact]], shared: Inputs
    ) -> None:
        """Metrics, figures and tables of a task's runs, and of its sweep."""
        config = self.config["name"]
        metrics = self._metrics(f"{config}-{task}", task, s, s["runs"], made, shared)
        for name in FIGURES:
            if constant(f"moa.plots.{name}", "OBJECTIVES", None) in (None, len(s["objectives"])):
                self._figure(task, name, s, metrics, made)
        for name in TABLES:
            self._table(task, name, name, metrics)
        if s["sweep_runs"]:
            name = f"{config}-{task}-{SWEEP}"
            sweep = self._metrics(name, task, s, s["sweep_runs"], made, shared)
            self._figure(task, SWEEP, s, sweep, made)
            self._table(task, SWEEP, "summary", sweep)

    def _metrics(
        self,
        name: str,
        task: str,
        s: dict[str, Any],
        runs: list[dict[str, Any]],
        made: dict[str, dict[str, Artefact]],
        shared: Inputs,
    ) -> Artefact:
        described = [
            {
                "name": run["name"],
                "method": run["method"],
                "beta_w": (run["settings"] or {}).get("beta_w"),
                "vectors": _vectors(run["method"], s),
            }
            for run in runs
        ]
        results = {
            role: artefact
            for run in runs
            for role, artefact in made[run["name"]].items()
            if not role.startswith("train/")
        }
        return self._add(
            "metrics",
            name,
            {
                "config": self.config["name"],
                "task": task,
                "objectives": s["objectives"],
                "oracles": s["oracles"],
                "vectors": s["evaluation_vectors"],
                "runs": described,
                "metrics": s["metrics"],
                "sft_response": s["sft"]["response"],
            },
            {"data": shared["data"], **_only(shared, "oracle"), **results},
            modules=_kinds(s),
            libraries=["pymoo", "numpy"],
        )

    def _figure(
        self,
        task: str,
        name: str,
        s: dict[str, Any],
        metrics: Artefact,
        made: dict[str, dict[str, Artefact]],
    ) -> None:
        config, module = self.config["name"], f"moa.plots.{name}"
        needs = constant(module, "NEEDS", ())
        inputs = {"metrics": metrics}
        for run in s["runs"]:
            if "scores" in needs:
                inputs |= _only(made[run["name"]], "score/")
            if "curves" in needs or (
                "explored" in needs and METHODS[run["method"]].stage == "train"
            ):
                inputs |= _only(made[run["name"]], "train/")
        figure = self._add(
            "figure",
            f"{name}-{config}-{task}",
            {"figure": name, "needs": list(needs)},
            inputs,
            modules=[module],
            libraries=["matplotlib", "seaborn"],
        )
        for suffix in ("pdf", "png"):
            path = f"results/{config}/{task}/figures/{name}.{suffix}"
            self.views[path] = (figure, f"{name}.{suffix}")

    def _table(self, task: str, name: str, table: str, metrics: Artefact) -> None:
        config, paper = self.config["name"], self.config["paper_numbers"].get(task, {})
        entry = self._add(
            "table",
            f"{name}-{config}-{task}",
            {"name": name, "table": table, "paper": paper},
            {"metrics": metrics},
            modules=[f"moa.tables.{table}"],
        )
        for suffix in ("csv", "md", "tex", "json"):
            path = f"results/{config}/{task}/tables/{name}.{suffix}"
            self.views[path] = (entry, f"{name}.{suffix}")


def _kinds(s: dict[str, Any]) -> list[str]:
    """The modules of a task's oracles."""
    return [oracle_module(s["oracles"][name]["kind"]) for name in s["objectives"]]


def _vectors(method: str, s: dict[str, Any]) -> list[list[float]]:
    """Where a method is evaluated: the task's vectors; an RLHF expert at its own objective only."""
    if method != "rlhf":
        return s["evaluation_vectors"]
    k = len(s["objectives"])
    return [[float(i == j) for j in range(k)] for i in range(k)]


def _only(roles: Inputs, prefix: str) -> dict[str, Artefact]:
    return {role: artefact for role, artefact in roles.items() if role.startswith(prefix)}


def sync_views(plan: Plan, store: Path, root: Path) -> None:
    """Make every stable path below `root` a link to its current entry, or nothing.

    A path whose entry is not in the store is removed, so the workflow manager sees it as missing:
    the store alone decides what is up to date. `ls -l` on a figure names the entry it came from.
    """
    for path, (artefact, file) in plan.views.items():
        link_view(
            root / path, store / artefact.rel / file, published=is_published(store / artefact.rel)
        )


def link_view(link: Path, target: Path, *, published: bool = True) -> None:
    """Point one stable path at a file of the store (relative, so that both can be moved together)."""
    if not published:
        if link.is_symlink():
            link.unlink()
        return
    relative = os.path.relpath(target, link.parent)
    if link.is_symlink() and os.readlink(link) == relative:
        return
    link.parent.mkdir(parents=True, exist_ok=True)
    temporary = link.with_name(f".{link.name}.{os.getpid()}")
    os.symlink(relative, temporary)
    os.replace(temporary, link)
