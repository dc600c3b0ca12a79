"""From data to scores: the entries of a task's runs, one function per stage, in the order data flows.

s: a task's sections, as `moa.workflow.config.task_sections` resolves them.
"""

from __future__ import annotations

from typing import Any

from moa.datasets import module_name as dataset_module
from moa.models.conditioning import module_name as conditioning_module
from moa.oracles import module_name as oracle_module
from moa.training.bases import module_name as base_module
from moa.training.online_losses import module_name as loss_module
from moa.workflow.entries import Catalogue, Entry, Inputs, only
from moa.workflow.keys import constant
from moa.workflow.methods import METHODS

MODELS = ("torch", "transformers", "peft")


def shared_entries(catalogue: Catalogue, task: str, s: dict[str, Any]) -> dict[str, Entry]:
    """What all runs and seeds of a task start from, by role: data, base, oracles, oracle_stats."""
    data = catalogue.add(
        "data",
        task,
        {"data": s["data"]},
        {},
        modules=[dataset_module(s["data"]["kind"])],
        libraries=["datasets"],
    )
    base = catalogue.add(
        "base",
        s["policy"]["base"]["kind"],
        {"base": s["policy"]["base"]},
        {},
        modules=[base_module(s["policy"]["base"]["kind"])],
        libraries=MODELS,
    )
    oracles = fitted_oracles(catalogue, s)
    stats = catalogue.add(
        "oracle_stats", task, _scored_by(s), {"data": data, **oracles}, modules=oracle_kinds(s)
    )
    return {"base": base, "data": data, "oracle_stats": stats, **oracles}


def fitted_oracles(catalogue: Catalogue, s: dict[str, Any]) -> dict[str, Entry]:
    """The oracles that are fitted in the workflow, as inputs by role."""
    fitted = {}
    for objective in s["objectives"]:
        oracle = s["oracles"][objective]
        module = oracle_module(oracle["kind"])
        if constant(module, "FITTED", False):
            fitted[f"oracle/{objective}"] = catalogue.add(
                "oracle",
                objective,
                {"objective": objective, "oracle": oracle},
                {},
                modules=[module],
            )
    return fitted


def sft_policy(
    catalogue: Catalogue, task: str, s: dict[str, Any], seed: int, shared: Inputs
) -> Entry:
    """Where all methods of a seed start."""
    inputs = {role: shared[role] for role in ("base", "data")}
    if s["sft"]["response"] == "routed":
        inputs["oracle_stats"] = shared["oracle_stats"]
    return catalogue.add(
        "sft",
        f"{task}-s{seed}",
        {"objectives": s["objectives"], "lora": s["policy"]["lora"], "settings": s["sft"]},
        inputs,
        seed=seed,
        libraries=[*MODELS, "trl", "accelerate"],
    )


def run_entries(
    catalogue: Catalogue,
    task: str,
    s: dict[str, Any],
    run: dict[str, Any],
    seed: int,
    shared: Inputs,
) -> dict[str, Entry]:
    """A run's training, scores and likelihoods for one seed, by role. shared: with the seed's sft."""
    suffix, method = f"{task}-s{seed}", METHODS[run["method"]]
    name = f"{run['name']}-{suffix}"
    if method.stage is None:
        trained = {}
    elif method.stage == "expert":
        trained = experts(catalogue, suffix, s, run, seed, shared)
    else:
        trained = {"policy": policy(catalogue, name, s, run, seed, shared)}
    at = f"{run['name']}/{seed}"
    roles = evaluation(catalogue, name, at, s, run, seed, shared, trained)
    for role, entry in trained.items():  # policy, or expert/<objective>
        roles[f"trained/{at}{role.removeprefix('policy').removeprefix('expert')}"] = entry
    return roles


def evaluation(
    catalogue: Catalogue,
    name: str,
    at: str,
    s: dict[str, Any],
    run: dict[str, Any],
    seed: int,
    shared: Inputs,
    trained: Inputs,
) -> dict[str, Entry]:
    """A run's scores, one entry per block of vectors, and its likelihoods, by role.

    at: <run>/<seed>. trained: the run's policy, or its experts; empty for SFT.
    """
    method, vectors = METHODS[run["method"]], vectors_of(run, s)
    settings = dict(s["generation"])
    per_job, decodability_prompts = (
        settings.pop(key) for key in ("vectors_per_job", "decodability_prompts")
    )
    params = {
        "conditioning": method.conditioning,
        "objectives": s["objectives"],
        "evaluation": settings,
    }
    if method.section == "experts":
        params["merge"] = run["settings"]["merge"]
    if run["method"] == "rlhf":
        params["merge"] = "exact"  # at a unit vector both are the same
    policy = {**{role: shared[role] for role in ("base", "sft")}, **trained}
    modules = [conditioning_module(method.conditioning)]
    responses: dict[str, Entry] = {}
    roles: dict[str, Entry] = {}
    for first, block in blocks(vectors, per_job).items():
        last = first + len(block) - 1
        label = name if len(block) == len(vectors) else f"{name}-v{first}-{last}"
        number = f"{first:03d}"  # a spec sorts its roles as text
        responses[f"generate/{number}"] = generated = catalogue.add(
            "generate",
            label,
            {**params, "vectors": block, "first_vector": first},
            {**policy, "data": shared["data"]},
            seed=seed,
            modules=modules,
            libraries=MODELS,
        )
        roles[f"score/{at}/{number}"] = catalogue.add(
            "score",
            label,
            _scored_by(s),
            {"generate": generated, **only(shared, "oracle")},
            modules=oracle_kinds(s),
        )
    if run["method"] != "rlhf":  # K policies, not one that is told w
        roles[f"likelihoods/{at}"] = catalogue.add(
            "likelihoods",
            name,
            {**params, "vectors": vectors, "decodability_prompts": decodability_prompts},
            {**policy, **responses},
            modules=modules,
            libraries=MODELS,
        )
    return roles


def blocks(vectors: list[list[float]], size: int | None) -> dict[int, list[list[float]]]:
    """The vectors cut into blocks of `size` (None: one block), by the number of their first one."""
    size = size or len(vectors)
    return {first: vectors[first : first + size] for first in range(0, len(vectors), size)}


def policy(
    catalogue: Catalogue,
    name: str,
    s: dict[str, Any],
    run: dict[str, Any],
    seed: int,
    shared: Inputs,
) -> Entry:
    """One policy that is told w: MO-ODPO, MI-EPO, RiC."""
    stage = METHODS[run["method"]].stage
    assert stage is not None
    loss = {"loss": "mi_epo"} if stage == "online" else {}
    return catalogue.add(
        stage,
        name,
        {**_scored_by(s), "lora": run["lora"], **loss, "settings": run["settings"]},
        shared,
        seed=seed,
        modules=[*oracle_kinds(s), *(loss_module(name) for name in loss.values())],
        libraries=[*MODELS, "accelerate", *(["trl"] if stage == "ric" else [])],
    )


def experts(
    catalogue: Catalogue,
    suffix: str,
    s: dict[str, Any],
    run: dict[str, Any],
    seed: int,
    shared: Inputs,
) -> dict[str, Entry]:
    """One policy per objective, rewarded for that alone: `expert/<objective>`.

    How they are merged later is not part of their keys, so runs that differ in that share them.
    """
    settings = {key: value for key, value in run["settings"].items() if key != "merge"}
    return {
        f"expert/{objective}": catalogue.add(
            "expert",
            f"{objective}-{suffix}",
            {
                "objectives": s["objectives"],
                "objective": objective,
                "oracles": {objective: s["oracles"][objective]},
                "lora": run["lora"],
                "settings": settings,
            },
            {
                role: entry
                for role, entry in shared.items()
                if not role.startswith("oracle/") or role == f"oracle/{objective}"
            },
            seed=seed,
            modules=[oracle_module(s["oracles"][objective]["kind"])],
            libraries=[*MODELS, "accelerate", "trl"],
        )
        for objective in s["objectives"]
    }


def oracle_kinds(s: dict[str, Any]) -> list[str]:
    """The modules of a task's oracles."""
    return [oracle_module(s["oracles"][name]["kind"]) for name in s["objectives"]]


def vectors_of(run: dict[str, Any], s: dict[str, Any]) -> list[list[float]]:
    """Where a run is evaluated: the task's vectors; an RLHF expert at its own objective only."""
    if run["method"] != "rlhf":
        return s["evaluation_vectors"]
    k = len(s["objectives"])
    return [[float(i == j) for j in range(k)] for i in range(k)]


def _scored_by(s: dict[str, Any]) -> dict[str, Any]:
    return {"objectives": s["objectives"], "oracles": s["oracles"]}
