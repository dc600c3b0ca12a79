"""YAML files in which no key stands twice: YAML's own loaders keep the last one without a word."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from moa.runtime.errors import ConfigError


class RepeatedKey(ConfigError, yaml.YAMLError):
    """A key stands twice in one mapping: a line per such key, with the lines of both."""


class _Loader(yaml.SafeLoader):
    """Notes repeated keys while nodes are made: `<<` adds inherited ones only later."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.repeated: list[tuple[str, int, int]] = []  # a key and two lines, from 1

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        lines: dict[tuple[str, str], int] = {}
        for key, _ in node.value:
            name, line = (key.tag, str(key.value)), key.start_mark.line + 1
            if name in lines:
                self.repeated.append((str(key.value), lines[name], line))
            lines.setdefault(name, line)
        return node


def read_yaml(path: Path) -> Any:
    """What a YAML file says. Raises: RepeatedKey, another YAMLError, UnicodeDecodeError, OSError."""
    loader = _Loader(path.read_text(encoding="utf-8"))
    try:
        found = loader.get_single_data()
    finally:
        loader.dispose()
    if loader.repeated:
        raise RepeatedKey(
            "\n".join(
                f"{path}: the key {key!r} stands in line {first} and again in line {line}, where only "
                "one can count: put both into one, or remove one"
                for key, first, line in loader.repeated
            )
        )
    return found
