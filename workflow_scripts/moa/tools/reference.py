"""What a config may say, written out from its models: docs/config.md for people, a schema for editors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import PydanticUndefined

from moa.datasets.settings import AnyData
from moa.oracles.settings import AnyOracle, PairSettings
from moa.training.bases.settings import AnyBase
from moa.workflow.explain import documented, kinds_of, models_in
from moa.workflow.schema import ConfigSettings, PolicySettings, RunSettings, TaskSettings

INTRO = """# Configuration

Every key, its type, its default, and what the paper says of it. Made from the typed settings of the
code (`make config-docs`); a test keeps it current. `config/schema.json` holds the same for editors: with
the YAML language server, put `# yaml-language-server: $schema=schema.json` at the top of a config.

A config is one YAML file. `extends` takes what it does not say from another one beside it. A task may
override any common section under a key of that name, and a run its method's section and `lora`, under
`overrides`. Snakemake's `--config 'online={epochs: 2}' 'seeds=[0]'` stands on top of the file.
All mistakes are told at once, each with its key and the mend.
"""


def markdown() -> str:
    """docs/config.md."""
    parts = [INTRO]
    shown: set[type[BaseModel]] = set()
    parts.append(_section("A config file", ConfigSettings, ""))
    for name, field in ConfigSettings.model_fields.items():
        for model in models_in(field.annotation):
            if model in (TaskSettings, RunSettings) or model in shown or not _is_section(name):
                continue
            shown.add(model)
            parts.append(_section(f"`{name}`", model, f"{name}."))
            break
    lora = next(models_in(PolicySettings.model_fields["lora"].annotation))
    parts.append(_section("`policy.lora`", lora, "policy.lora."))
    parts.append(_section("`tasks.<name>`", TaskSettings, ""))
    parts.append(_section("`tasks.<name>.pairs.<objective>[]`", PairSettings, ""))
    parts.append(_section("`runs[]`", RunSettings, ""))
    for title, union in (
        ("`tasks.<name>.data`", AnyData),
        ("`tasks.<name>.oracles.<objective>`", AnyOracle),
        ("`policy.base`", AnyBase),
    ):
        for kind, model in kinds_of(union).items():
            parts.append(_section(f"{title}, kind `{kind}`", model, ""))
    return "\n".join(parts)


def schema() -> dict[str, Any]:
    """config/schema.json: JSON Schema of a config file; a task's own sections may leave out any key."""
    made = _standard(ConfigSettings.model_json_schema())
    made["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    made["required"] = ["name"]  # the rest may come from what the config extends
    task = made["$defs"]["TaskSettings"]
    del task["required"]
    task_or_none = {"anyOf": [{"$ref": "#/$defs/TaskSettings"}, {"type": "null"}]}
    tasks = made["properties"]["tasks"]
    for pattern in tasks["patternProperties"]:
        tasks["patternProperties"][pattern] = task_or_none
    made["$defs"]["PolicySettings"].pop("required", None)
    return made


def _standard(node: Any) -> Any:
    """With JSON Schema's own words for limits: pydantic leaves its own behind a validator, such as `ge`."""
    if isinstance(node, dict):
        words = GenerateJsonSchema.ValidationsMapping.numeric
        return {words.get(key, key): _standard(value) for key, value in node.items()}
    return [_standard(item) for item in node] if isinstance(node, list) else node


def _is_section(name: str) -> bool:
    return name not in ("tasks", "runs")


def _section(title: str, model: type[BaseModel], prefix: str) -> str:
    about = " ".join((model.__doc__ or "").split("\n\n")[0].split())
    lines = [f"## {title}", "", about, "", "| key | type | default | |", "|---|---|---|---|"]
    lines += [f"| `{prefix}{row[0]}` | {row[1]} | {row[2]} | {row[3]} |" for row in _rows(model)]
    return "\n".join(lines) + "\n"


def _rows(model: type[BaseModel]) -> Iterator[tuple[str, str, str, str]]:
    inherited = {name for base in model.__bases__ for name in getattr(base, "model_fields", ())}
    # What is its own first: a class has the fields of those below it before them.
    for name, field in sorted(model.model_fields.items(), key=lambda item: item[0] in inherited):
        said = documented(field)
        text = said["about"]
        if "mend" in said and not said["mend"].startswith("choose") and "paper" not in said["mend"]:
            text += f" {said['mend'][:1].upper()}{said['mend'][1:]}."
        if "paper" in said:
            text += f" *Paper: {said['paper']}.*"
        yield name, _type(field), _default(field), text.replace("|", "\\|")


def _type(field: FieldInfo) -> str:
    limits = [
        f"{sign} {getattr(item, name)}"
        for item in _metadata(field)
        for name, sign in (("gt", ">"), ("ge", "≥"), ("lt", "<"), ("le", "≤"))
        if isinstance(getattr(item, name, None), int | float)
    ]
    return ", ".join([_named(field.annotation), *dict.fromkeys(limits)]).replace("|", "\\|")


def _metadata(field: FieldInfo) -> list[Any]:
    found = list(field.metadata)
    todo = [field.annotation]
    while todo:
        annotation = todo.pop()
        if get_origin(annotation) in (tuple, list, dict):
            continue
        for item in getattr(annotation, "__metadata__", ()):
            found += getattr(item, "metadata", None) or [item]
        todo += list(get_args(annotation))
    return found


def _named(annotation: Any) -> str:
    names = {int: "whole number", float: "number", str: "text", bool: "true or false"}
    if annotation in names:
        return names[annotation]
    if annotation is type(None):
        return "null"
    origin, parts = get_origin(annotation), get_args(annotation)
    if hasattr(annotation, "__metadata__"):
        return _named(parts[0])
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in parts)
    if origin is tuple:
        return f"list of {_named(parts[0])}"
    if origin is dict:
        return "mapping"
    if kinds_of(annotation):
        return "a kind, below"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "section"
    return " or ".join(dict.fromkeys(_named(part) for part in parts if part is not Ellipsis))


def _default(field: FieldInfo) -> str:
    value = field.default
    if value is PydanticUndefined:
        return "**needed**"
    if isinstance(value, BaseModel):
        return "its own"
    if isinstance(value, tuple):
        return f"`[{', '.join(f'{v:g}' if isinstance(v, float) else str(v) for v in value)}]`"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if value is None:
        return "`null`"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"
