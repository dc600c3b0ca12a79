"""What an entry goes back to: the entries behind it, read from their spec.json and manifest.json."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from moa.runtime.publishing import is_published, read_manifest


def adopted(folders: Iterable[Path]) -> list[str]:
    """<stage>/<name>-<key> of all adopted entries among published ones and what they were made from.

    folders: of entries, <store>/<stage>/<name>-<key>. An input that was deleted since is passed over.
    """
    todo, seen, found = list(folders), set(), []
    while todo:
        folder = todo.pop()
        rel = f"{folder.parent.name}/{folder.name}"
        if rel in seen or not is_published(folder):
            continue
        seen.add(rel)
        if "adopted" in read_manifest(folder):
            found.append(rel)
        inputs = json.loads((folder / "spec.json").read_text())["inputs"]
        todo += [folder.parents[1] / i for i in inputs.values()]
    return sorted(found)
