"""From data to scores: the entries of a task's runs, one function per stage, in the order data flows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moa.datasets import module_name as dataset_module
from moa.models.conditioning import module_name as conditioning_module
from moa.models.settings import AnswerStage, PromptSettings
from moa.oracles import module_name as oracle_module
from moa.runtime.fingerprints import whole_digest
from moa.runtime.settings import KindSettings, Settings
from moa.training.bases import module_name as base_module
from moa.training.bases.settings import PackagedGGUFBase
from moa.training.online_losses import module_name as loss_module
from moa.workflow.config import Run, Task
from moa.workflow.entries import Catalogue, Entry, Inputs, only
from moa.workflow.keys import canonical, constant


def plain(settings: Settings) -> dict[str, Any]:
    """Settings as a spec holds them."""
    return canonical(settings.model_dump(mode="json"))


def shared_entries(catalogue: Catalogue, task: Task) -> dict[str, Entry]:
    """What all runs and seeds of a task start from, by role: data, base, oracles, oracle_stats."""
    module = dataset_module(task.data.kind)
    data = catalogue.add("data", task.name, {"data": catalogue.pins.data}, {}, modules=[module])
    base = _base(catalogue, task, data)
    if getattr(task.data, "responses", None) == "base":
        data = _answers(catalogue, task, base, data)
    return {
        "base": base,
        "data": data,
        **_scorers(catalogue, task.name, _oracles(catalogue, task), data),
    }


def judge_entries(catalogue: Catalogue, task: Task, shared: Inputs) -> dict[str, Entry]:
    """What a task's judges are fitted on and normalised by, by the roles that it has for its oracles; empty
    if there are none. No training reads it.
    """
    if not task.judges:
        return {}
    name = f"{task.name}-judges"
    return _scorers(catalogue, name, _judges(catalogue, task), shared["data"])


def _scorers(catalogue: Catalogue, name: str, scorers: Scorers, data: Entry) -> dict[str, Entry]:
    """Of oracles, or of judges: those that are fitted in the workflow, and what normalises rewards."""
    fitted = {}
    for objective, module in zip(scorers.objectives, scorers.modules, strict=True):
        if constant(module, "FITTED", False):
            told = {"objective": objective, "oracle": scorers.params["oracles"][objective]}
            fitted[f"oracle/{objective}"] = catalogue.add(
                "oracle", objective, told, {}, modules=[module]
            )
    inputs = {"data": data, **fitted}
    stats = catalogue.add("oracle_stats", name, scorers.params, inputs, modules=scorers.modules)
    return {"oracle_stats": stats, **fitted}


def _base(catalogue: Catalogue, task: Task, data: Entry) -> Entry:
    """The base model; a kind that learns from the task's text depends on its data and objectives."""
    kind, told = task.policy.base.kind, catalogue.pins.base
    module = base_module(kind)
    inputs = {}
    if constant(module, "READS_DATA", False):
        told, inputs = {**told, "objectives": task.objectives}, {"data": data}
    carried = [task.policy.base.package] if isinstance(task.policy.base, PackagedGGUFBase) else []
    return catalogue.add("base", kind, {"base": told}, inputs, modules=[module], packages=carried)


def _answers(catalogue: Catalogue, task: Task, base: Entry, data: Entry) -> Entry:
    """The data with the base's own responses to their prompts."""
    told = AnswerStage(**{key: getattr(task.policy, key) for key in PromptSettings.model_fields})
    params = {"objectives": task.objectives, "answers": plain(told)}
    return catalogue.add("answers", task.name, params, {"base": base, "data": data})


def sft_policy(catalogue: Catalogue, task: Task, seed: int, shared: Inputs) -> Entry:
    """Where all methods of a seed start."""
    inputs = {role: shared[role] for role in ("base", "data")}
    if task.sft.response == "routed":
        inputs["oracle_stats"] = shared["oracle_stats"]
    return catalogue.add(
        "sft",
        f"{task.name}-s{seed}",
        {
            "objectives": task.objectives,
            "lora": plain(task.policy.lora),
            "settings": plain(task.sft),
        },
        inputs,
        seed=seed,
    )


def run_entries(
    catalogue: Catalogue, task: Task, run: Run, seed: int, shared: Inputs, judges: Inputs
) -> dict[str, Entry]:
    """A run's training and evaluation for one seed, by role. shared: with the seed's sft. judges: as
    `judge_entries` gives them.
    """
    trained = training(catalogue, task, run, seed, shared)
    at = f"{run.name}/{seed}"
    roles = evaluation(catalogue, task, run, seed, shared, judges, trained)
    for role, entry in trained.items():  # policy, or expert/<objective>
        roles[f"trained/{at}{role.removeprefix('policy').removeprefix('expert')}"] = entry
    return roles


def training(
    catalogue: Catalogue, task: Task, run: Run, seed: int, shared: Inputs
) -> dict[str, Entry]:
    """What a run trains after SFT: `policy`, or one `expert/<objective>` per objective, or nothing."""
    stage = run.method.stage
    if stage is None or run.told is None:
        return {}
    if stage == "expert":
        return experts(catalogue, task, run, seed, shared)
    scorers = _oracles(catalogue, task)
    params = {**scorers.params, "lora": plain(run.lora), "settings": plain(run.told)}
    modules = [*scorers.modules]
    if run.method.loss:
        params["loss"] = run.method.loss
        modules.append(loss_module(run.method.loss))
    policy = catalogue.add(
        stage, f"{run.name}-{task.name}-s{seed}", params, shared, seed=seed, modules=modules
    )
    return {"policy": policy}


def experts(
    catalogue: Catalogue, task: Task, run: Run, seed: int, shared: Inputs
) -> dict[str, Entry]:
    """One policy per objective, rewarded for that alone: `expert/<objective>`.

    How they are merged later is not part of their keys, so runs that differ in that share them.
    """
    assert run.told is not None
    found = {}
    scorers = _oracles(catalogue, task)
    for objective, module in zip(scorers.objectives, scorers.modules, strict=True):
        inputs = {
            role: entry
            for role, entry in shared.items()
            if not role.startswith("oracle/") or role == f"oracle/{objective}"
        }
        found[f"expert/{objective}"] = catalogue.add(
            "expert",
            f"{objective}-{task.name}-s{seed}",
            {
                "objectives": task.objectives,
                "objective": objective,
                "oracles": {objective: catalogue.pins.oracles[objective]},
                "lora": plain(run.lora),
                "settings": plain(run.told),
            },
            inputs,
            seed=seed,
            modules=[module],
        )
    return found


def evaluation(
    catalogue: Catalogue,
    task: Task,
    run: Run,
    seed: int,
    shared: Inputs,
    judges: Inputs,
    trained: Inputs,
) -> dict[str, Entry]:
    """What is made of a run's responses, by role: scores, the judges' too, likelihoods under its own policy
    and under SFT's, and the receipt of each block.

    trained: the run's policy, or its experts; empty for SFT.
    """
    if (conditioning := run.method.conditioning) is None:
        return _given(catalogue, task, run, seed, shared, judges)
    name, at = f"{run.name}-{task.name}-s{seed}", f"{run.name}/{seed}"
    params = {
        "conditioning": conditioning,
        "objectives": task.objectives,
        "generation": plain(task.asked),
    }
    if (merge := getattr(run.settings, "merge", None)) is not None:
        params["merge"] = merge
    policy = {**{role: shared[role] for role in ("base", "sft")}, **trained}
    modules = [conditioning_module(conditioning)]
    roles: dict[str, Entry] = {}
    for first, block in blocks(run.vectors, task.generation.vectors_per_job).items():
        last = first + len(block) - 1
        label = name if len(block) == len(run.vectors) else f"{name}-v{first}-{last}"
        generated = catalogue.add(
            "generate",
            label,
            {**params, "vectors": block, "first_vector": first, "repeats": _repeats(task)},
            {**policy, "data": shared["data"]},
            seed=seed,
            modules=modules,
        )
        parts = {"generate": generated}
        if run.method.conditioned:  # else K policies, not one that is told w
            count = task.generation.decodability_prompts
            parts["likelihoods"] = catalogue.add(
                "likelihoods",
                label,
                {**params, "vectors": run.vectors, "decodability_prompts": count},
                {**policy, "generate": generated},
                modules=modules,
            )
            own = {key: params[key] for key in ("objectives", "generation")}
            parts["reference"] = catalogue.add(
                "reference",
                label,
                {**own, "vectors": run.vectors, "decodability_prompts": count},
                {**{role: shared[role] for role in ("base", "sft")}, "generate": generated},
            )
        parts |= _scored(catalogue, task, label, generated, shared, judges)
        number = f"{first:03d}"  # a spec sorts its roles as text
        roles |= _block(catalogue, label, parts, f"{at}/{number}")
    return roles


def _given(
    catalogue: Catalogue, task: Task, run: Run, seed: int, shared: Inputs, judges: Inputs
) -> dict[str, Entry]:
    """The same of a run whose responses come out of a file: scores alone, as there is no policy to ask."""
    assert run.responses is not None
    label, path = f"{run.name}-{task.name}-s{seed}", Path(run.responses)
    params = {
        "file": run.responses,
        "sha256": whole_digest(path),
        "objectives": task.objectives,
        "vectors": run.vectors,
    }
    given = catalogue.add("responses", label, params, {"data": shared["data"]}, seed=seed)
    parts = _scored(catalogue, task, label, given, shared, judges)
    at = f"{run.name}/{seed}/000"
    return {f"responses/{at}": given, **_block(catalogue, label, parts, at)}


def _block(catalogue: Catalogue, label: str, parts: Inputs, at: str) -> dict[str, Entry]:
    """What one job makes of some responses, by role, with its receipt. at: <run>/<seed>/<first vector>."""
    receipt = catalogue.add("evaluate", label, {}, {**parts})
    return {f"{part}/{at}": entry for part, entry in {**parts, "evaluate": receipt}.items()}


def _scored(
    catalogue: Catalogue, task: Task, label: str, responses: Entry, shared: Inputs, judges: Inputs
) -> dict[str, Entry]:
    """The rewards of some responses by the oracles and, if there are any, by the judges."""
    scorers = _oracles(catalogue, task)
    found = {"score": _scores(catalogue, label, scorers, responses, only(shared, "oracle"))}
    if judges:
        scorers, name = _judges(catalogue, task), f"{label}-judges"
        found["judge"] = _scores(catalogue, name, scorers, responses, judges)
    return found


def _scores(
    catalogue: Catalogue, label: str, scorers: Scorers, generated: Entry, made_of: Inputs
) -> Entry:
    """made_of: what they are fitted on and normalised by."""
    inputs = {"generate": generated, **made_of}
    return catalogue.add("score", label, scorers.params, inputs, modules=scorers.modules)


def blocks(vectors: list[list[float]], size: int | None) -> dict[int, list[list[float]]]:
    """The vectors cut into blocks of `size` (None: one block), by the number of their first one."""
    size = size or len(vectors)
    return {first: vectors[first : first + size] for first in range(0, len(vectors), size)}


@dataclass(frozen=True)
class Scorers:
    """The oracles of a task, or its judges, in the order of its objectives: how a spec tells of them, and
    the modules of their kinds.
    """

    params: dict[str, Any]
    modules: list[str]

    @property
    def objectives(self) -> list[str]:
        return self.params["objectives"]


def _oracles(catalogue: Catalogue, task: Task) -> Scorers:
    params = {"objectives": task.objectives, "oracles": catalogue.pins.oracles}
    return Scorers(params, kinds(task, task.oracles))


def _judges(catalogue: Catalogue, task: Task) -> Scorers:
    params = {"objectives": task.objectives, "oracles": catalogue.pins.judges}
    return Scorers(params, kinds(task, task.judges))


def kinds(task: Task, scorers: Mapping[str, KindSettings]) -> list[str]:
    """The modules of a task's oracles or judges, in the order of its objectives; of none, none."""
    return [oracle_module(scorers[name].kind) for name in task.objectives if scorers]


def _repeats(task: Task) -> dict[str, int]:
    """How many more responses, to how many prompts; of none, it says nothing of prompts."""
    samples = task.generation.repeats
    return {"samples": samples, "prompts": task.generation.decodability_prompts if samples else 0}
