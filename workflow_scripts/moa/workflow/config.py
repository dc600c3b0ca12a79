"""Reading a config: schema, defaults, cross-checks. Every mistake is one message that says how to mend it.

The schema is config/schema.yaml. A task may override any common section (policy, sft, online, ...); a
run may override its method's section and `lora` further.
"""

from __future__ import annotations

import copy
import difflib
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from moa.preferences import evaluation_vectors
from moa.reporting.labels import METHOD_LABELS, SWEPT
from moa.runtime.errors import ConfigError
from moa.runtime.hub_lock import LockError
from moa.workflow.methods import METHODS
from moa.workflow.sources import pin

CONFIG_FOLDER = Path(__file__).resolve().parents[3] / "config"
TRAINED = ("online", "experts", "ric")  # the sections of methods
COMMON = ("policy", "sft", *TRAINED, "generation", "metrics", "operation")
SHARED_KEYS = ("dtype", "max_prompt_tokens", "max_new_tokens", "decimals")  # policy -> stages


def resolve(raw: dict[str, Any]) -> dict[str, Any]:
    """Validate a config and fill in all defaults; tasks stay as given (see `task_sections`).

    Raises: ConfigError with the first mistake found.
    """
    config = copy.deepcopy(raw)
    validate(config, load_schema(), "")
    fill_defaults(config, load_schema())
    config["paper_numbers"] = yaml.safe_load((CONFIG_FOLDER / "paper_numbers.yaml").read_text())
    names = [run["name"] for run in config["runs"]]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"runs: the name {name!r} is used twice; give each run its own")
    for task in config["tasks"]:
        task_sections(config, task)
    return config


def task_sections(config: dict[str, Any], task: str) -> dict[str, Any]:
    """Everything a task's stages need, resolved: sections merged, defaults filled, kinds checked,
    what comes from the hub pinned to a commit.

    Returns: objectives, data, oracles, evaluation_vectors, policy, sft, generation, metrics,
    operation, `runs` and `sweep_runs` (one per value of beta_w_sweep). A run has name, method,
    settings (its method's section, resolved; None for sft) and lora.
    """
    given = config["tasks"][task]
    where = f"tasks.{task}"
    schema = load_schema()["$defs"]
    out = copy.deepcopy(given)
    fill_defaults(out, schema["task"])
    for section in COMMON:
        merged = _merge(config[section], given.get(section, {}))
        validate(merged, schema[section], f"{where}.{section}")
        fill_defaults(merged, schema[section])
        out[section] = merged
    _check_kind(out["data"], "data", f"{where}.data", own=schema["task"]["properties"]["data"])
    _check_kind(out["policy"]["base"], "base", f"{where}.policy.base")
    missing = [name for name in out["objectives"] if name not in out["oracles"]]
    if missing:
        raise ConfigError(f"{where}.oracles: no oracle for the objective {missing[0]!r}; add one")
    for name, oracle in out["oracles"].items():
        if name not in out["objectives"]:
            raise ConfigError(
                f"{where}.oracles.{name}: no such objective; the task has "
                f"{', '.join(out['objectives'])}"
            )
        _check_kind(oracle, "oracle", f"{where}.oracles.{name}")
    try:
        pin(out)
    except LockError as error:
        raise ConfigError(str(error)) from None
    _check_batches(out["sft"], f"{where}.sft")
    out["evaluation_vectors"] = _vectors(out, where)
    shared = {key: out["policy"][key] for key in SHARED_KEYS}
    for section in ("sft", "generation", *TRAINED):
        out[section] |= shared
    out["runs"] = [_run(run, out, where) for run in config["runs"]]
    out["sweep_runs"] = [
        _run(
            {
                "name": SWEPT + f"{value:g}".replace(".", "_"),
                "method": "mi_epo",
                "overrides": {"beta_w": float(value)},
            },
            out,
            where,
        )
        for value in out["beta_w_sweep"]
    ]
    for section in TRAINED:
        del out[section]
    return out


def _run(run: dict[str, Any], sections: dict[str, Any], where: str) -> dict[str, Any]:
    """One run with its method's settings and its adapter's, both with the run's overrides."""
    label, method = f"runs.{run['name']}", METHODS[run["method"]]
    if run["name"] in METHODS and run["name"] != run["method"]:
        raise ConfigError(
            f"{label}: a run of method {run['method']} cannot have the name of another method; "
            "rename it"
        )
    overrides = dict(run["overrides"])
    lora = _override("lora", sections["policy"]["lora"], overrides.pop("lora", {}), label)
    if method.section is None:
        if run["overrides"]:
            raise ConfigError(f"{label}.overrides: {run['method']} has nothing to override")
        return {"name": run["name"], "method": run["method"], "settings": None, "lora": lora}
    settings = _override(method.section, sections[method.section], overrides, label)
    if method.section == "online":
        _set_online(settings, run, label)
    _check_batches(settings, f"{label} in {where}")
    return {"name": run["name"], "method": run["method"], "settings": settings, "lora": lora}


def _override(
    section: str, base: dict[str, Any], over: dict[str, Any], label: str
) -> dict[str, Any]:
    validate(over, load_schema()["$defs"][section], f"{label}.overrides")
    return _merge(base, over)


def _set_online(settings: dict[str, Any], run: dict[str, Any], label: str) -> None:
    """MO-ODPO is MI-EPO without the exploration term; scalarised labels go with MO-ODPO only."""
    if run["method"] == "mo_odpo":
        if run["overrides"].get("beta_w"):
            raise ConfigError(
                f"{label}.overrides.beta_w is {run['overrides']['beta_w']}, but mo_odpo has no "
                "exploration term: use method mi_epo"
            )
        settings["beta_w"] = 0.0
    settings["beta_w"] = float(settings["beta_w"])
    if settings["labels"] == "scalarised" and settings["beta_w"] > 0:
        raise ConfigError(f"{label}: labels scalarised goes with method mo_odpo only")
    if run["name"] in METHOD_LABELS.keys() - METHODS.keys() and settings["labels"] != "scalarised":
        raise ConfigError(
            f"{label}: the name stands for labels scalarised; set them under overrides, or rename it"
        )


def _check_batches(section: dict[str, Any], where: str) -> None:
    micro = min(section["micro_batch_size"], section["batch_size"])
    if section["batch_size"] % micro:
        raise ConfigError(
            f"{where}: batch_size {section['batch_size']} is not a multiple of micro_batch_size "
            f"{micro}; change one of them"
        )


def _vectors(task: dict[str, Any], where: str) -> list[list[float]]:
    k = len(task["objectives"])
    given = task.get("evaluation_vectors")
    if given is None:
        try:
            return evaluation_vectors(k).tolist()
        except ValueError as error:
            raise ConfigError(f"{where}.evaluation_vectors: {error}") from None
    for i, vector in enumerate(given):
        if len(vector) != k:
            raise ConfigError(
                f"{where}.evaluation_vectors[{i}] is {vector}: it needs {k} weights, one per objective"
            )
        # The paper's own (.33, .33, .33) sums to 0.99 and is left so.
        if abs(sum(vector) - 1) > 0.0101:
            raise ConfigError(
                f"{where}.evaluation_vectors[{i}] is {vector} and sums to {sum(vector):g}: "
                "weights must sum to 1"
            )
    return [list(map(float, vector)) for vector in given]


@lru_cache(maxsize=1)
def load_schema() -> dict[str, Any]:
    """config/schema.yaml."""
    return yaml.safe_load((CONFIG_FOLDER / "schema.yaml").read_text())


def validate(value: Any, schema: dict[str, Any], where: str) -> None:
    """Raise ConfigError for the first violation of a (sub-)schema, with the path in front."""
    full = {**schema, "$defs": load_schema()["$defs"]}
    errors = sorted(
        Draft202012Validator(full).iter_errors(value), key=lambda e: list(map(str, e.path))
    )
    if errors:
        raise ConfigError(_explain(errors[0], where))


def fill_defaults(value: dict[str, Any], schema: dict[str, Any]) -> None:
    """Set missing keys to their schema's default, in place, at every depth.

    A section marked `partial` overrides another one, so what it leaves out stays out.
    """
    for name, sub in _deref(schema).get("properties", {}).items():
        if name not in value and "default" in sub:
            value[name] = copy.deepcopy(sub["default"])
        target = value.get(name)
        if sub.get("partial"):
            continue
        if isinstance(target, dict):
            fill_defaults(target, sub)
        elif isinstance(target, list):
            for item in target:
                if isinstance(item, dict):
                    fill_defaults(item, sub["items"])


def _check_kind(value: dict[str, Any], sort: str, where: str, own: Any = None) -> None:
    """Validate an entry with a `kind` against that kind's own keys, and fill their defaults."""
    kinds = load_schema()["$defs"][f"{sort}_kinds"]
    kind = value["kind"]
    if kind not in kinds:
        raise ConfigError(
            f"{where}.kind: unknown kind {kind!r}{_nearest(kind, kinds)} "
            f"Known kinds: {', '.join(kinds)}"
        )
    properties = copy.deepcopy(kinds[kind])
    required = [name for name, sub in properties.items() if sub.pop("required", False)]
    properties.update((own or {}).get("properties", {"kind": {}}))
    schema = {
        "type": "object",
        "additionalProperties": False,
        "required": required,
        "properties": properties,
    }
    validate(value, schema, where)
    fill_defaults(value, schema)


def _merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """`over` on top of `base`, section by section; an entry with another `kind` replaces the whole."""
    merged = copy.deepcopy(base)
    for key, value in over.items():
        old = merged.get(key)
        if (
            isinstance(old, dict)
            and isinstance(value, dict)
            and old.get("kind") == value.get("kind")
        ):
            merged[key] = _merge(old, value)
        else:
            merged[key] = copy.deepcopy(value)
    return merged


def _deref(schema: dict[str, Any]) -> dict[str, Any]:
    reference = schema.get("$ref")
    return load_schema()["$defs"][reference.rsplit("/", 1)[1]] if reference else schema


def _explain(error: ValidationError, where: str) -> str:
    path = where
    for step in error.absolute_path:
        path += f"[{step}]" if isinstance(step, int) else f".{step}"
    path = path.lstrip(".") or "config"
    schema = error.schema if isinstance(error.schema, dict) else {}
    if error.validator == "additionalProperties":
        known = list(schema.get("properties", {}))
        unknown = next(key for key in error.instance if key not in known)
        return (
            f"{path}: unknown key {unknown!r}{_nearest(unknown, known)} "
            f"Known keys: {', '.join(known)}"
        )
    if error.validator == "required":
        name = next(n for n in error.validator_value if n not in error.instance)
        about = _deref(schema.get("properties", {}).get(name, {})).get("description", "")
        return f"{path}: the key {name!r} is missing{f' ({about})' if about else ''}; add it"
    mend = schema.get("mend") or f"{error.message}; {schema.get('description', 'see the schema')}"
    return f"{path} is {error.instance!r}: {mend}"


def _nearest(name: str, known: Any) -> str:
    close = difflib.get_close_matches(str(name), list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else "."
