"""Content keys: what an entry is made from, as a short hash. Used when the workflow is parsed.

An entry's folder is `<stage>/<name>-<key>` below the store. The key covers the stage, the
resolved parameters, the seed, the code, the library versions and the keys of the upstream
entries; not the name. The code counts as its syntax tree, so comments, docstrings and
formatting do not matter, while any change in the script or in a module of `moa` that it imports,
directly or not, does. Left out is what can change no result: see `counts`.
"""

from __future__ import annotations

import ast
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from moa.runtime.errors import NotInstalled

STORE_VERSION = 2
NOT_IN_KEY = ("name", "operation", "code_files")  # fields of a spec
LEFT_OUT = (("moa", "runtime"), ("moa", "workflow"))  # folders whose code enters no key
PACKAGE_ROOT = Path(__file__).resolve().parents[2]  # the folder that holds `moa`


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no white space; NaN and unknown types raise ValueError/TypeError."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def canonical(value: Any) -> Any:
    """The value with every whole float as an int, at any depth: 1 and 1.0 are one parameter."""
    if isinstance(value, dict):
        return {key: canonical(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [canonical(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def content_key(spec: dict[str, Any]) -> str:
    """First 12 hex digits of sha256 over a spec; inputs count by key alone.

    `name` is only a label, `operation` (checkpoint interval, trackers) changes no result, and
    `code_files` is `code` again, file by file.
    """
    identity = {k: v for k, v in spec.items() if k not in NOT_IN_KEY}
    identity["inputs"] = {role: rel.rsplit("-", 1)[1] for role, rel in spec["inputs"].items()}
    return hashlib.sha256(canonical_json(canonical(identity)).encode()).hexdigest()[:12]


def library_versions(names: Iterable[str], missing: str | None = None) -> dict[str, str]:
    """Installed versions, without a local suffix: CPU and CUDA builds of torch share a key.

    missing: what stands for one that is not installed; without it, that raises NotInstalled.
    """
    return {name: _version(name, missing) for name in sorted(set(names))}


@cache
def _version(name: str, missing: str | None) -> str:
    try:
        return metadata.version(name).split("+")[0]
    except metadata.PackageNotFoundError:
        if missing is not None:
            return missing
        raise NotInstalled(
            f"{name} is not installed, and this config depends on it: {_how_to_install(name)}"
        ) from None


def _how_to_install(name: str) -> str:
    """The command that installs a distribution: set-up, if one of its locks has it."""
    for lock in sorted(PACKAGE_ROOT.parent.glob("requirements*.lock")):
        if re.search(rf"(?m)^{re.escape(name)}==", lock.read_text(encoding="utf-8")):
            scale = lock.stem.removeprefix("requirements").lstrip("-")
            setup = f"make setup CONFIG=config/{scale}.yaml" if scale else "make setup"
            return f"run `{setup}`, or `.venv/bin/pip install --no-deps --requirement {lock.name}`"
    return f"run `.venv/bin/pip install {name}`"


def files_digest(files: Mapping[str, str]) -> str:
    """First 12 hex digits of sha256 over files and their digests."""
    return hashlib.sha256(canonical_json(sorted(files.items())).encode()).hexdigest()[:12]


def code_files(
    script: Path, modules: Iterable[str] = (), root: Path = PACKAGE_ROOT
) -> dict[str, str]:
    """A script, `modules`, and what of `moa` they import, transitively: file -> digest.

    Names are relative to `root`, in order. `modules` are those chosen by the config and loaded by name
    (an oracle kind, a figure), which no import statement shows. Files are read, never imported.
    """
    todo = [script, *(path for name in modules for path in _module_files(name, root, True))]
    seen: dict[Path, str] = {}
    while todo:
        path = todo.pop()
        if path in seen:
            continue
        stat = path.stat()
        if not counts(path.relative_to(root)):
            continue
        seen[path], imported = _read_source(path, stat.st_mtime_ns, stat.st_size)
        for name in imported:
            todo.extend(_module_files(_absolute(name, path, root), root, False))
    return dict(sorted((p.relative_to(root).as_posix(), d) for p, d in seen.items()))


def counts(path: Path) -> bool:
    """Whether a file (relative to PACKAGE_ROOT) is part of the code digest.

    Not what cannot change a result: `moa/runtime/` (how jobs run and publish), `moa/workflow/` (what
    plans them; no job imports it), and each room's `settings.py` (types and limits of parameters whose
    resolved values stand in the spec).
    """
    return path.parts[:2] not in LEFT_OUT and not (
        path.parts[0] == "moa" and path.name == "settings.py"
    )


@cache
def _read_source(path: Path, mtime_ns: int, size: int) -> tuple[str, tuple[str, ...]]:
    """Digest of the syntax tree without docstrings, and the names that the file imports."""
    tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    imported: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            stem = "." * node.level + (node.module or "")
            imported.add(stem)
            glue = "" if stem.endswith(".") else "."
            imported.update(stem + glue + alias.name for alias in node.names)
        elif isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            node.body[:] = [n for n in node.body if not _is_text(n)]
            if not node.body and not isinstance(node, ast.Module):
                node.body.append(ast.Pass())
    digest = hashlib.sha256(_written_out(tree).encode()).hexdigest()
    return digest, tuple(sorted(imported))


def _written_out(node: Any) -> str:
    """A syntax tree as text, without what is empty: the same from any version of Python, whose `ast.dump`
    shows the fields that it has.
    """
    if isinstance(node, ast.AST):
        fields = (field for field in ast.iter_fields(node) if field[1] not in (None, []))
        there = (f"{name}={_written_out(value)}" for name, value in fields)
        return f"{type(node).__name__}({', '.join(there)})"
    if isinstance(node, list):
        return f"[{', '.join(map(_written_out, node))}]"
    return repr(node)


def _is_text(node: ast.stmt) -> bool:
    """A docstring, of whatever it stands below."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _absolute(name: str, path: Path, root: Path) -> str:
    """The absolute name of a possibly relative import that stands in `path`."""
    level = len(name) - len(name.lstrip("."))
    if level == 0:
        return name
    package = path.relative_to(root).parts[:-1]
    base = package[: len(package) - (level - 1)]
    return ".".join([*base, name[level:]]) if name[level:] else ".".join(base)


def _module_files(name: str, root: Path, must_exist: bool) -> list[Path]:
    """Files that importing `moa.x.y` runs: the packages on the way and the module itself."""
    parts = name.split(".")
    if parts[0] != "moa":
        return []
    files = []
    for depth in range(1, len(parts) + 1):
        stem = root.joinpath(*parts[:depth])
        found = next(
            (p for p in (stem / "__init__.py", stem.with_suffix(".py")) if p.exists()), None
        )
        if found:
            files.append(found)
        elif must_exist:
            raise FileNotFoundError(f"no module {name} below {root}")
    return files


def constant(module: str, name: str, default: Any, root: Path = PACKAGE_ROOT) -> Any:
    """A literal module-level constant, read from the source without importing the module."""
    path = _module_files(module, root, True)[-1]
    stat = path.stat()
    node = _constants(path, stat.st_mtime_ns, stat.st_size).get(name)
    return default if node is None else ast.literal_eval(node)


@cache
def _constants(path: Path, mtime_ns: int, size: int) -> dict[str, ast.expr]:
    """Every value that a module gives to a name of its own."""
    found: dict[str, ast.expr] = {}
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign):
            found |= {t.id: node.value for t in node.targets if isinstance(t, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
            found[node.target.id] = node.value
    return found
