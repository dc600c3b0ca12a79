"""The catalogue of a config: every artefact, what it is made from, and so its key and its folder.

Pure and fast: reads the config and source files, imports nothing that is heavy. One function per
stage, in the order data flows; `Plan.views` maps the stable paths of figures and tables to entries.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moa.base_models import module_name as base_module
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
    "generate": "generate_responses",
    "score": "score_responses",
    "metrics": "compute_metrics",
    "table": "write_tables",
    "figure": "draw_figure",
}
FIGURES = ("pareto_fronts", "reward_distributions")
TABLES = ("summary",)


@dataclass(frozen=True)
class Artefact:
    """One entry of the store. `spec` is what its key is made of; `inputs` are upstream entries."""

    stage: str
    name: str
    spec: dict[str, Any]
    inputs: Mapping[str, Artefact]

    @property
    def key(self) -> str:
        return content_key(self.spec)

    @property
    def rel(self) -> str:
        """Its folder, relative to the store."""
        return f"{self.stage}/{self.name}-{self.key}"


class Plan:
    """All artefacts of a resolved config, by folder, and the views that show some of them.

    config: as `moa.config.resolve` returns it.
    """

    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config
        self.artefacts: dict[str, Artefact] = {}
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
        modules = sorted(set(modules))
        required = [n for m in modules for n in constant(m, "REQUIRES", ())]
        spec = {
            "stage": stage,
            "name": name,
            "params": params,
            "seed": seed,
            "inputs": {role: artefact.rel for role, artefact in sorted(inputs.items())},
            "code": code_digest(PACKAGE_ROOT / f"{SCRIPTS[stage]}.py", modules),
            "versions": library_versions([*libraries, *required]),
            "store_version": STORE_VERSION,
            "operation": self.config["operation"],
        }
        artefact = Artefact(stage, name, spec, inputs)
        return self.artefacts.setdefault(artefact.rel, artefact)

    def _add_task(self, task: str, s: dict[str, Any]) -> None:
        objectives = s["objectives"]
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
        kinds = [oracle_module(s["oracles"][name]["kind"]) for name in objectives]
        scored_by = {"objectives": objectives, "oracles": s["oracles"]}
        stats = self._add("oracle_stats", task, scored_by, {"data": data, **oracles}, modules=kinds)
        scores: dict[str, Artefact] = {}
        generations: dict[str, Artefact] = {}
        for seed in self.config["seeds"]:
            sft = self._sft(task, s, seed, base, data, stats)
            for run in s["runs"]:
                name = f"{run['name']}-{task}-s{seed}"
                policy = {}
                if run["method"] != "sft":
                    policy["policy"] = self._add(
                        "train",
                        name,
                        {**scored_by, "lora": s["policy"]["lora"], "online": run["online"]},
                        {"base": base, "data": data, "sft": sft, "oracle_stats": stats, **oracles},
                        seed=seed,
                        modules=kinds,
                        libraries=[*MODELS, "accelerate"],
                    )
                generate = self._add(
                    "generate",
                    name,
                    {
                        "run": run["name"],
                        "method": run["method"],
                        "objectives": objectives,
                        "vectors": s["evaluation_vectors"],
                        "evaluation": s["generation"],
                    },
                    {"base": base, "data": data, "sft": sft, **policy},
                    seed=seed,
                    libraries=MODELS,
                )
                generations[f"generate/{run['name']}/{seed}"] = generate
                scores[f"score/{run['name']}/{seed}"] = self._add(
                    "score",
                    name,
                    scored_by,
                    {"generate": generate, "oracle_stats": stats, **oracles},
                    modules=kinds,
                )
        self._report(task, s, scores, generations, data, stats, oracles, kinds)

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
            {"objectives": s["objectives"], "lora": s["policy"]["lora"], "sft": s["sft"]},
            inputs,
            seed=seed,
            libraries=[*MODELS, "trl", "accelerate"],
        )

    def _report(
        self,
        task: str,
        s: dict[str, Any],
        scores: dict[str, Artefact],
        generations: dict[str, Artefact],
        data: Artefact,
        stats: Artefact,
        oracles: dict[str, Artefact],
        kinds: list[str],
    ) -> None:
        config = self.config["name"]
        metrics = self._add(
            "metrics",
            f"{config}-{task}",
            {
                "config": config,
                "task": task,
                "objectives": s["objectives"],
                "oracles": s["oracles"],
                "vectors": s["evaluation_vectors"],
                "runs": [[run["name"], run["method"]] for run in s["runs"]],
                "metrics": s["metrics"],
                "sft_response": s["sft"]["response"],
            },
            {"data": data, "oracle_stats": stats, **oracles, **scores, **generations},
            modules=kinds,
            libraries=["pymoo", "numpy"],
        )
        folder = f"results/{config}/{task}"
        for name in FIGURES:
            figure = self._add(
                "figure",
                f"{name}-{config}-{task}",
                {"figure": name},
                {"metrics": metrics, **scores},
                modules=[f"moa.plots.{name}"],
                libraries=["matplotlib", "seaborn"],
            )
            for suffix in ("pdf", "png"):
                self.views[f"{folder}/figures/{name}.{suffix}"] = (figure, f"{name}.{suffix}")
        for name in TABLES:
            paper = self.config["paper_numbers"].get(task, {})
            table = self._add(
                "table", f"{name}-{config}-{task}", {"paper": paper}, {"metrics": metrics}
            )
            for suffix in ("csv", "md", "tex", "json"):
                self.views[f"{folder}/tables/{name}.{suffix}"] = (table, f"{name}.{suffix}")


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
