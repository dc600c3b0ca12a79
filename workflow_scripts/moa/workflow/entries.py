"""One entry of the store: what it is made from, and so its key and its folder.

Fast, and imports nothing that is heavy: it runs whenever the workflow is parsed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from moa.runtime.publishing import MANIFEST
from moa.runtime.settings import OperationSettings
from moa.workflow.keys import (
    PACKAGE_ROOT,
    STORE_VERSION,
    code_files,
    constant,
    content_key,
    files_digest,
    library_versions,
)
from moa.workflow.sources import Pins
from moa.workflow.stages import STAGES


@dataclass(frozen=True)
class Entry:
    """One entry of the store. `spec` is what its key is made of; `inputs` are upstream entries."""

    stage: str
    name: str
    spec: dict[str, Any]
    inputs: Mapping[str, Entry]

    @cached_property
    def key(self) -> str:
        return content_key(self.spec)

    @cached_property
    def rel(self) -> str:
        """Its folder, relative to the store."""
        return f"{self.stage}/{self.name}-{self.key}"


Inputs = Mapping[str, Entry]  # role -> upstream entry


class Catalogue:
    """All entries of a config, by folder.

    A name is only a label, so whatever has the same key is one entry: the first name given, or the
    one under which the store already has it.
    operation, pins: of the task whose entries are added next; the first enters no key.
    missing: the version of a library that is not installed; without it, that raises NotInstalled.
    """

    def __init__(self, store: Path, missing: str | None = None) -> None:
        self.missing = missing
        self.entries: dict[str, Entry] = {}
        self.operation = OperationSettings()
        self.pins = Pins({}, {}, {}, {})
        self._by_key: dict[str, Entry] = {}
        self._names = {
            path.parent.name.rsplit("-", 1)[1]: path.parent.name.rsplit("-", 1)[0]
            for path in store.glob(f"*/*-*/{MANIFEST}")
        }
        self._codes: dict[tuple[str, tuple[str, ...]], tuple[dict[str, Any], list[str]]] = {}

    def add(
        self,
        stage: str,
        name: str,
        params: dict[str, Any],
        inputs: Inputs,
        *,
        seed: int | None = None,
        modules: Iterable[str] = (),
        packages: Iterable[str] = (),
    ) -> Entry:
        """The entry that these make. modules: loaded by name, so that no import shows them. packages: whose
        versions count beside those that stage and modules name.
        """
        code, required = self._code(STAGES[stage].script, tuple(sorted(set(modules))))
        spec = {
            "stage": stage,
            "name": name,
            "params": params,
            "seed": seed,
            "inputs": {role: entry.rel for role, entry in sorted(inputs.items())},
            **code,
            "versions": library_versions(
                [*STAGES[stage].libraries, *required, *packages], self.missing
            ),
            "store_version": STORE_VERSION,
            "operation": self.operation.model_dump(mode="json"),
        }
        key = content_key(spec)
        if key not in self._by_key:
            label = self._names.get(key, name)
            entry = Entry(stage, label, {**spec, "name": label}, inputs)
            self._by_key[key] = self.entries[entry.rel] = entry
        return self._by_key[key]

    def _code(self, script: str, modules: tuple[str, ...]) -> tuple[dict[str, Any], list[str]]:
        """What a spec says of the code of a script and its modules, and the libraries these name."""
        if (script, modules) not in self._codes:
            required = [name for module in modules for name in constant(module, "REQUIRES", ())]
            files = code_files(PACKAGE_ROOT / f"{script}.py", modules)
            # Only `code` is in the key; the files tell a person which of them differ.
            short = {name: digest[:12] for name, digest in files.items()}
            code = {"code": files_digest(files), "code_files": short}
            self._codes[script, modules] = code, required
        return self._codes[script, modules]


def only(roles: Inputs, prefix: str) -> dict[str, Entry]:
    """Those whose role starts so."""
    return {role: entry for role, entry in roles.items() if role.startswith(prefix)}
