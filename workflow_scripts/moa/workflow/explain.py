"""What pydantic found wrong, as people can mend it: the key, what is wrong with it, what to write."""

from __future__ import annotations

import copy
import difflib
import math
import re
from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo


def explain(error: ValidationError, model: type[BaseModel], where: str) -> list[str]:
    """One sentence or two per mistake, `where` in front of each path; the first of each path."""
    found: dict[str, str] = {}
    for mistake in _apart([dict(m) for m in error.errors(include_url=False)], model, where):
        path, text = _sentence(mistake, model, where)
        found.setdefault(path, text)
    return list(found.values())


def _apart(
    mistakes: list[dict[str, Any]], model: type[BaseModel], where: str
) -> list[dict[str, Any]]:
    """The mistakes without those that only follow from another one."""
    keys = [m["loc"][:-1] for m in mistakes if _is_odd_key(m)]
    kept: list[dict[str, Any]] = []
    wrong: dict[str, dict[str, Any]] = {}  # path -> what is said of a value of a wrong type
    paths = [_walk(list(m["loc"]), model, where)[0] for m in mistakes]
    for mistake, path in zip(mistakes, paths, strict=True):
        loc, within = mistake["loc"], [p for p in paths if p.startswith((f"{path}.", f"{path}["))]
        if not _is_odd_key(mistake) and any(loc[: len(key)] == key for key in keys):
            continue  # it stands below a key that is none
        if mistake["type"] == "too_short" and within:
            continue  # what is wrong inside was left out before it was counted
        if mistake["type"].endswith("_type") and not _is_odd_key(mistake):
            here = [m for m, p in zip(mistakes, paths, strict=True) if p == path]
            if within or not all(m["type"].endswith("_type") for m in here):
                continue  # of several types that may stand here, another one is meant
            if path in wrong:
                one = wrong[path]
                one["type"] = "union_type"
                one["msg"] += mistake["msg"].replace("Input should be", " or")
                continue
            wrong[path] = mistake
        kept.append(mistake)
    return kept


def _is_odd_key(mistake: dict[str, Any]) -> bool:
    """Whether it is about a key that YAML does not read as text, such as on or 12."""
    return mistake["type"] == "invalid_key" or (
        mistake["loc"][-1:] == ("[key]",) and not isinstance(mistake["input"], str)
    )


def without_mistakes(
    model: type[BaseModel], value: dict[str, Any]
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """A copy without what the model refuses, and the places that lost something by it."""
    value, touched = copy.deepcopy(value), []
    try:
        model.model_validate(value)
    except ValidationError as error:
        for mistake in error.errors(include_url=False):
            touched.append(_remove(value, list(mistake["loc"])))
    return value, tuple(touched)


def _remove(node: Any, steps: list[Any]) -> str:
    """Remove what stands at a place. Returns: the path of what held it.

    Steps that no file has (tags of unions, names of types, what is missing) are passed over.
    """
    inside, path = "", ""
    holder: Any = None
    last: Any = None
    for step in steps:
        if isinstance(node, dict) and step in node:
            shown = f".{step}"
        elif isinstance(node, list) and isinstance(step, int) and step < len(node):
            shown = f"[{step}]"
        else:
            continue
        inside, path = path, (path + shown).lstrip(".")
        holder, last, node = node, step, node[step]
    if isinstance(holder, dict):
        holder.pop(last)
    elif isinstance(holder, list):
        holder[last] = None  # the others keep their numbers
    return inside


def nearest(name: Any, known: Iterable[Any]) -> str:
    """`; did you mean 'x'?`, or a full stop if nothing known is near."""
    close = difflib.get_close_matches(str(name), [str(k) for k in known], n=1)
    return f"; did you mean {close[0]!r}?" if close else "."


def documented(field: FieldInfo) -> dict[str, str]:
    """The text below a field in parts: `about`, and `mend` and `paper` where it has them."""
    about, *others = (field.description or "").split("\n\n")
    parts = {"about": " ".join(about.split())}
    for paragraph in others:
        kind, _, text = paragraph.partition(":")
        parts[kind.strip().lower()] = " ".join(text.split()).rstrip(".")
    return parts


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """All models that a type is made of, at any depth of unions and containers."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from models_in(part)


def kinds_of(annotation: Any) -> dict[str, type[BaseModel]]:
    """kind -> its model, of a union of such."""
    return {
        get_args(model.model_fields["kind"].annotation)[0]: model
        for model in models_in(annotation)
        if "kind" in model.model_fields
    }


def _sentence(mistake: dict[str, Any], model: type[BaseModel], where: str) -> tuple[str, str]:
    steps, last = list(mistake["loc"]), mistake["type"]
    if _is_odd_key(mistake):
        at = steps.index("[key]") - 1 if "[key]" in steps else -1
        path = _walk(steps[:at], model, where)[0] or "config"
        key = mistake["input"]
        return f"{path}.{key}", f"{path}: the key {key!r}: {_not_text(key)}"
    # What is missing or unknown is said of the section that it would stand in.
    name = steps.pop() if last in ("missing", "extra_forbidden") else None
    path, owner, field = _walk(steps, model, where)
    path = path or "config"
    known = {n: f for m in owner for n, f in m.model_fields.items()}
    if last == "extra_forbidden":
        listed = ", ".join(known)
        return f"{path}.{name}", (
            f"{path}: unknown key {name!r}{nearest(name, known)} Known keys: {listed}"
        )
    if last == "missing":
        about = documented(known[name])["about"].rstrip(".") if name in known else ""
        about = about[:1].lower() + about[1:]
        return f"{path}.{name}", (
            f"{path}: the key {name!r} is missing{f' ({about})' if about else ''}; add it"
        )
    if last in ("union_tag_invalid", "union_tag_not_found"):
        kinds = kinds_of(field.annotation) if field else {}
        listed = ", ".join(kinds)
        if last == "union_tag_not_found":
            return path, f"{path}: the key 'kind' is missing; add it, with one of {listed}"
        tag = mistake["ctx"]["tag"]
        return path, (
            f"{path}.kind: unknown kind {tag!r}{nearest(tag, kinds)} Known kinds: {listed}"
        )
    return path, f"{path} is {mistake['input']!r}: {_mend(mistake, owner, field)}"


def _walk(
    steps: list[Any], model: type[BaseModel], where: str
) -> tuple[str, list[type[BaseModel]], FieldInfo | None]:
    """The path in the file, the models that may stand there, and the field it belongs to.

    pydantic's own steps hold the tags of unions and the names of types, which no file has.
    """
    path, owner, field, inside = where, [model], None, False
    for step in steps:
        if isinstance(step, int):
            path += f"[{step}]"
            continue
        if step == "[key]":
            break
        named = [m for m in owner if step in m.model_fields]
        if named and not inside:
            field = named[0].model_fields[step]
            path, owner = f"{path}.{step}".lstrip("."), list(models_in(field.annotation))
            inside = _is_mapping(field.annotation)
        elif inside:
            path, inside = f"{path}.{step}", False
        elif (tagged := kinds_of_models(owner)).get(step):
            owner = [tagged[step]]
    return path, owner, field


def kinds_of_models(models: Iterable[type[BaseModel]]) -> dict[str, type[BaseModel]]:
    """kind -> its model."""
    return {k: m for model in models for k, m in kinds_of(model).items()}


def _is_mapping(annotation: Any) -> bool:
    origin = getattr(annotation, "__origin__", None)
    return origin is dict or any(_is_mapping(part) for part in get_args(annotation))


def _mend(mistake: dict[str, Any], owner: list[type[BaseModel]], field: FieldInfo | None) -> str:
    value, said = mistake["input"], documented(field) if field else {"about": ""}
    if mistake["type"] in ("model_type", "dict_type", "model_attributes_type"):
        models = [] if mistake["type"] == "dict_type" else owner
        return f"it must be a mapping of keys; {_mapping(models, field, said)}"
    if mistake["type"] == "finite_number":
        return f"it must be a finite number; {said['about']}"
    if mistake["type"] == "string_type" and (why := _not_text(value)):
        return why
    if isinstance(value, str) and mistake["type"] in ("float_type", "int_type") and _number(value):
        return f"this is text to YAML, not a number; write {_number(value)}"
    if mistake["type"] == "literal_error" and "mend" not in said:
        return f"choose {mistake['ctx']['expected'].replace(chr(39), '')}"
    message = mistake["msg"].replace("Value error, ", "")
    message = re.sub(r"^\w+ should", "it must", message).replace("valid tuple", "list")
    message = message.partition(" after validation")[0]
    return said.get("mend") or f"{message}; {said['about']}".rstrip("; ")


def _mapping(models: list[type[BaseModel]], field: FieldInfo | None, said: dict[str, str]) -> str:
    """What to write where a mapping must stand: the keys that it needs, in whichever of the models."""
    needed = [
        name
        for name in (models[0].model_fields if models else ())
        if all(name in m.model_fields and m.model_fields[name].is_required() for m in models)
    ]
    if needed:
        return f"write {{{', '.join(f'{name}: ...' for name in needed)}}}"
    if field is None or not field.is_required():
        return "leave it out for the defaults"
    return said.get("mend") or said["about"]


def _not_text(value: Any) -> str | None:
    """How to write as text what YAML reads as something else; None for what nobody writes as text."""
    if isinstance(value, bool):
        return (
            "YAML reads on, off, yes, no, true and false as true or false, and not as text; write the word "
            "in quotes"
        )
    if isinstance(value, int | float | date):
        return "YAML reads this as a number or a date, and not as text; write it in quotes"
    return None


def _number(text: str) -> str | None:
    """A number that YAML reads as one: 1.0e-4 for 1e-4."""
    try:
        value = float(text)
    except ValueError:
        return None
    if not math.isfinite(value):
        return None
    mantissa, e, exponent = text.strip().lower().partition("e")
    mantissa = mantissa if "." in mantissa else f"{mantissa}.0"
    return (
        f"{mantissa}e{exponent}" if e else text.strip() if text.strip().isdecimal() else repr(value)
    )
