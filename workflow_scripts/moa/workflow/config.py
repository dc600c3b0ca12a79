"""Reading a config: what a file says, and what its tasks and runs come out as.

A task may override any common section (policy, sft, online, ...); a run may override its method's
section and `lora` further. All mistakes are told at once, each with its key and how to mend it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from moa.datasets.settings import DataSettings
from moa.evaluation.settings import MetricsSettings
from moa.models.settings import GenerationSettings, GenerationStage, LoraSettings, PromptSettings
from moa.oracles.pairs import Pair
from moa.runtime.errors import ConfigError
from moa.runtime.settings import KindSettings, OperationSettings, Settings
from moa.runtime.yaml_files import read_yaml
from moa.training.settings import (
    ExpertSettings,
    ExpertStage,
    OnlineSettings,
    OnlineStage,
    OptimizerSettings,
    RiCSettings,
    RiCStage,
    SFTSettings,
    SFTStage,
)
from moa.workflow.checks import (
    check_answers,
    check_base,
    check_batches,
    check_oracles,
    check_own_files,
    check_pairs,
    check_paper,
    check_processes,
    check_test_prompts,
    responses_of,
    vectors_of,
)
from moa.workflow.explain import explain, without_mistakes
from moa.workflow.inherit import inherit, merge
from moa.workflow.keys import canonical
from moa.workflow.methods import METHODS, RESERVED, SWEPT, SWEPT_METHOD, Method, run_label
from moa.workflow.schema import ConfigSettings, PolicySettings, TaskSettings
from moa.workflow.similarity import scaled

CONFIG_FOLDER = Path(__file__).resolve().parents[3] / "config"
PAPER_NUMBERS = CONFIG_FOLDER / "paper_numbers.yaml"
# section of a method -> what a config may say there, and what its stage is told
SECTIONS: dict[str, tuple[type[OptimizerSettings], type[PromptSettings]]] = {
    "online": (OnlineSettings, OnlineStage),
    "experts": (ExpertSettings, ExpertStage),
    "ric": (RiCSettings, RiCStage),
}
OTHERS: dict[str, type[Settings]] = {
    "policy": PolicySettings,
    "sft": SFTSettings,
    "generation": GenerationSettings,
    "metrics": MetricsSettings,
    "operation": OperationSettings,
}
S = TypeVar("S", bound=Settings)


@dataclass(frozen=True)
class Run:
    """One run of a task. settings: its method's section, with its overrides; None if nothing is trained.

    told: the same as its stage gets it, with betas for the length of its responses.
    vectors: (M, K), where it is evaluated. changed: what its overrides make other than the section says.
    responses: the file that they come out of, where there is no policy.
    """

    name: str
    label: str
    method: Method
    settings: OptimizerSettings | None
    told: PromptSettings | None
    lora: LoraSettings
    vectors: list[list[float]]
    changed: dict[str, Any]
    responses: str | None = None


@dataclass(frozen=True)
class Task:
    """A task with everything resolved.

    judges: empty, or one per objective. asked: how its policies are asked for evaluation. sweep: a run
    per value of `beta_w_sweep`. paper: the paper's numbers, by method, but for those whose run has other
    settings than the task says.
    """

    name: str
    objectives: list[str]
    data: DataSettings
    oracles: dict[str, KindSettings]
    judges: dict[str, KindSettings]
    pairs: dict[str, list[Pair]]
    vectors: list[list[float]]
    policy: PolicySettings
    sft: SFTStage
    generation: GenerationSettings
    asked: GenerationStage
    metrics: MetricsSettings
    operation: OperationSettings
    runs: list[Run]
    sweep: list[Run]
    paper: dict[str, dict[str, float]]


@dataclass(frozen=True)
class Config:
    """A config with everything resolved."""

    name: str
    seeds: list[int]
    store: str
    tasks: dict[str, Task]


def resolve(raw: dict[str, Any], folder: Path = CONFIG_FOLDER) -> Config:
    """Validate a config and fill in all defaults. folder: its own, where what it names beside it lies.

    Raises: ConfigError with all mistakes, one per line.
    """
    raw = inherit(raw, folder)
    mistakes: list[str] = []
    given = _made(ConfigSettings, raw, "", mistakes)
    if given is None:
        raise ConfigError("\n".join(dict.fromkeys(mistakes + _further(raw, folder))))
    names = [run.name for run in given.runs]
    for name in dict.fromkeys(n for n in names if names.count(n) > 1):
        mistakes.append(f"runs: the name {name!r} is used twice; give each run its own")
    for section in ("sft", *SECTIONS):
        check_batches(getattr(given, section), section, mistakes)
    papers = read_yaml(PAPER_NUMBERS)
    tasks = {name: _task(name, given, raw, folder, papers, mistakes) for name in given.tasks}
    if mistakes:
        raise ConfigError("\n".join(dict.fromkeys(mistakes)))
    found = {name: task for name, task in tasks.items() if task is not None}
    return Config(given.name, list(given.seeds), given.store, found)


def _further(raw: dict[str, Any], folder: Path) -> list[str]:
    """What else is wrong with a config that cannot be read as it is, so that all is told at once.

    What its mistakes have left incomplete is not spoken of.
    """
    rest, touched = without_mistakes(ConfigSettings, raw)
    if _made(ConfigSettings, rest, "", []) is None:
        return []
    try:
        resolve(rest, folder)
    except ConfigError as error:
        places = tuple(filter(None, touched))
        return [m for m in str(error).splitlines() if not m.startswith(places)]
    return []


def _task(
    name: str,
    given: ConfigSettings,
    raw: dict[str, Any],
    folder: Path,
    papers: dict[str, Any],
    mistakes: list[str],
) -> Task | None:
    """A task resolved, or None where its mistakes leave nothing to go on with."""
    where, task, own = f"tasks.{name}", given.tasks[name], raw["tasks"][name]
    merged = {s: merge(raw.get(s, {}), own.get(s, {})) for s in (*OTHERS, *SECTIONS)}
    models = {**OTHERS, **{s: model for s, (model, _) in SECTIONS.items()}}
    sections: dict[str, Any] = {
        s: _made(model, merged[s], f"{where}.{s}", mistakes) for s, model in models.items()
    }
    policy, sft = sections["policy"], sections["sft"]
    check_oracles(task, where, mistakes)
    check_own_files(task, where, mistakes)
    check_pairs(task, where, mistakes)
    check_test_prompts(task, where, mistakes)
    check_paper(task, papers, where, mistakes)
    if not isinstance(policy, PolicySettings) or not isinstance(sft, SFTSettings):
        return None
    check_base(
        policy.base, f"{where}.policy.base" if own.get("policy") else "policy.base", mistakes
    )
    check_answers(task, policy.base, where, mistakes)
    for section in ("sft", *SECTIONS):
        changed = own.get(section, {}).keys() & {"batch_size", "micro_batch_size"}
        if changed and sections[section]:  # else it is the common one's mistake
            check_batches(sections[section], f"{where}.{section}", mistakes)
    vectors = vectors_of(task, policy.decimals, where, mistakes)
    prompts = {key: getattr(policy, key) for key in PromptSettings.model_fields}
    common = _Common(where, merged, policy, prompts, vectors, mistakes)
    runs = [_run(r.name, METHODS[r.method], r.overrides, common) for r in given.runs]
    files = {r.name: responses_of(r, name, folder, where, mistakes) for r in given.runs}
    sweep = [_swept(value, common) for value in task.beta_w_sweep]
    _check_sweep(task, [run.name for run in given.runs], where, mistakes)
    swept = {_sweep_name(value) for t in given.tasks.values() for value in t.beta_w_sweep}
    _check_names([run for run in runs if run and run.name not in swept], where, mistakes)
    if (operation := sections["operation"]) is not None:
        processes, n_train = operation.processes, task.data.n_train
        check_processes(sft, processes, n_train, f"{where}.sft", mistakes)
        for run in filter(None, [*runs, *sweep]):
            if run.settings:
                own_batch = run.changed.keys() & {"batch_size", "micro_batch_size"}
                at = f"runs.{run.name} in {where}" if own_batch else f"{where}.{run.method.section}"
                check_processes(run.settings, processes, n_train, at, mistakes)
    if mistakes:
        return None
    generation = sections["generation"]
    asked = {k: getattr(generation, k) for k in ("temperature", "top_p", "batch_size")}
    return Task(
        name=name,
        objectives=list(task.objectives),
        data=task.data,
        oracles={o: task.oracles[o] for o in task.objectives},
        judges={o: task.judges[o] for o in task.objectives} if task.judges else {},
        pairs={
            o: [Pair(p.prompt, p.better, p.worse) for p in pairs] for o, pairs in task.pairs.items()
        },
        vectors=vectors,
        policy=policy,
        sft=SFTStage(**dict(sft), **prompts),
        generation=generation,
        asked=GenerationStage(**asked, **prompts),
        metrics=sections["metrics"],
        operation=operation,
        runs=[replace(run, responses=files[run.name]) for run in runs if run],
        sweep=[run for run in sweep if run],
        paper=_beside(papers[task.paper]["methods"], runs) if task.paper else {},
    )


@dataclass(frozen=True)
class _Common:
    """What all runs of a task are made from. where: the task's place. merged: its sections as written."""

    where: str
    merged: Mapping[str, dict[str, Any]]
    policy: PolicySettings
    prompts: dict[str, Any]
    vectors: list[list[float]]
    mistakes: list[str]


def _run(name: str, method: Method, overrides: Mapping[str, Any], common: _Common) -> Run | None:
    """One run with its method's settings and its adapter's, both with the run's overrides."""
    label, mistakes, merged = f"runs.{name}", common.mistakes, common.merged
    vectors = common.vectors
    if RESERVED.get(name, method) is not method:
        mistakes.append(
            f"{label}: a run of method {method.name} cannot have the name of another method; rename it"
        )
    own = {key: value for key, value in overrides.items() if key != "lora"}
    over_lora = overrides.get("lora", {})
    if not isinstance(over_lora, dict):
        mistakes.append(f"{label}.overrides.lora is {over_lora!r}: it must be a mapping of keys")
        return None
    base_lora = merged["policy"].get("lora", {})
    lora = _overridden(LoraSettings, base_lora, over_lora, f"{label}.overrides.lora", mistakes)
    at = vectors if method.conditioned else _units(len(vectors[0]) if vectors else 0)
    if method.section is None:
        if overrides:
            mistakes.append(f"{label}.overrides: {method.name} has nothing to override")
        return (
            Run(name, run_label(name, method), method, None, None, lora, at, {}) if lora else None
        )
    model, stage = SECTIONS[method.section]
    for key, fixed in method.fixed.items():
        if own.get(key, fixed.value) != fixed.value:
            mistakes.append(f"{label}.overrides.{key} is {own[key]}, but {method.name} {fixed.why}")
    fixed_values = {key: fixed.value for key, fixed in method.fixed.items()}
    place, section = f"{label}.overrides", merged[method.section]
    settings = _overridden(model, section, own | fixed_values, place, mistakes)
    plain = _overridden(model, section, fixed_values, place, [])
    if settings is None or lora is None or plain is None:
        return None
    if isinstance(settings, OnlineSettings) and settings.labels == "scalarised" and settings.beta_w:
        mistakes.append(
            f"{label}: labels scalarised has no exploration term; set beta_w to 0, or take a method "
            "that has none"
        )
    _check_variants(name, method, settings, label, mistakes)
    if own.keys() & {"batch_size", "micro_batch_size"}:  # else its section's, said there
        check_batches(settings, f"{label} in {common.where}", mistakes)
    known = {k: getattr(settings, k) for k in stage.model_fields if k in model.model_fields}
    told = _made(stage, {**scaled(known, common.policy), **common.prompts}, place, mistakes)
    if told is None:
        return None
    changed = {
        **_differences(settings, plain, ""),
        **_differences(lora, LoraSettings.model_validate(base_lora), "lora."),
    }
    return Run(name, run_label(name, method, changed), method, settings, told, lora, at, changed)


def _differences(settings: Settings, plain: Settings, prefix: str) -> dict[str, Any]:
    """What a run's overrides make other than its section says, by key."""
    return {f"{prefix}{k}": canonical(v) for k, v in settings if v != getattr(plain, k)}


def _beside(numbers: dict[str, Any], runs: list[Run | None]) -> dict[str, Any]:
    """The paper's numbers, but for methods whose own name a run with other settings has."""
    changed = {run.name for run in runs if run and run.changed}
    return {method: found for method, found in numbers.items() if method not in changed}


def _check_variants(
    name: str, method: Method, settings: OptimizerSettings, label: str, mistakes: list[str]
) -> None:
    """A name that stands for settings has them, and the method's own name has not."""
    for variant, stands in method.variants.items():
        has = {key: getattr(settings, key) == value for key, value in stands.settings.items()}
        listed = ", ".join(f"{key} {value}" for key, value in stands.settings.items())
        if name == variant and not all(has.values()):
            mistakes.append(
                f"{label}: the name stands for {listed}; set them under overrides, or rename it"
            )
        if name == method.name and all(has.values()):
            mistakes.append(
                f"{label}: with {listed} this is no plain {method.name}; name the run {variant}"
            )


def _sweep_name(value: float) -> str:
    """With nothing in it that a folder's name has no room for: 1e+20 is 1e20."""
    return f"{SWEPT}_{value:g}".replace(".", "_").replace("+", "")


def _check_sweep(task: TaskSettings, runs: list[str], where: str, mistakes: list[str]) -> None:
    """Each value has a run of its own, by a name that no other run has."""
    found: dict[str, float] = {}
    for value in task.beta_w_sweep:
        name = _sweep_name(value)
        if name in found:
            mistakes.append(
                f"{where}.beta_w_sweep: {found[name]!r} and {value!r} are the same to six digits; "
                "remove one"
            )
        if name in runs:
            mistakes.append(
                f"runs.{name}: that is the name of the run of {value:g} in {where}.beta_w_sweep; "
                "rename it"
            )
        found[name] = value


def _check_names(runs: list[Run], where: str, mistakes: list[str]) -> None:
    """A name that speaks of a value, as those of a sweep do, speaks of the run's own."""
    for run in runs:
        own = getattr(run.settings, SWEPT, None)
        if re.fullmatch(rf"{SWEPT}_\d[\d_]*(e\d+)?", run.name) and (
            own is None or run.name != _sweep_name(own)
        ):
            has = "it has none" if own is None else f"its own is {own:g} in {where}"
            mistakes.append(
                f"runs.{run.name}: the name speaks of a value of {SWEPT}, but {has}; rename it"
            )


def _swept(value: float, common: _Common) -> Run | None:
    """The run of one value of a sweep, labelled by it."""
    run = _run(_sweep_name(value), SWEPT_METHOD, {SWEPT: value}, common)
    return replace(run, label=f"{SWEPT} = {value:g}") if run else None


def _overridden(
    model: type[S], base: Any, over: Mapping[str, Any], where: str, mistakes: list[str]
) -> S | None:
    """A section with a run's overrides; what is wrong in them is said of the run, where they stand."""
    return _made(model, merge(base, dict(over)), where, mistakes)


def _made(model: type[S], value: Any, where: str, mistakes: list[str]) -> S | None:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        mistakes.extend(explain(error, model, where))
        return None


def _units(k: int) -> list[list[float]]:
    """The K unit vectors, where a single-reward expert is asked."""
    return [[float(i == j) for j in range(k)] for i in range(k)]
