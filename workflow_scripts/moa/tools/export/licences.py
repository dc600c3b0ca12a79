"""The licences of what a policy was made from, as docs/licences.md has them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moa.tools.export.exported import spec_of
from moa.tools.policies.described import Policy
from moa.workflow.plan import CHECKOUT

TABLES = CHECKOUT / "docs" / "licences.md"
OWN = "Apache-2.0"
NAMES = ("model", "source", "package", "callable")  # keys of a kind that name what is taken


@dataclass(frozen=True)
class Licence:
    """what: a package, or an id of the hub. terms: as its owner says. used: for what."""

    what: str
    terms: str
    used: str


def licences(policy: Policy) -> list[Licence]:
    """Of all that was taken from outside; empty if the workflow made everything itself.

    What the tables do not know is listed, too, with the place to look.
    """
    roles = [r for r in policy.inputs if r in ("data", "base") or r.startswith("oracle/")]
    specs = [spec_of(policy.inputs[role]) for role in roles]
    named = {name for spec in specs for name in spec["versions"]}
    text = json.dumps([[spec["params"] for spec in specs], policy.told["oracles"]])
    found = [row for row in known() if row.what.split()[0] in named or row.what.split()[0] in text]
    sources = [specs[roles.index("data")]["params"]["data"]]
    sources += [specs[roles.index("base")]["params"]["base"], *policy.told["oracles"].values()]
    listed = " ".join(licence.what for licence in found)
    return found + [row for source in sources for row in _unknown(source, listed)]


def known() -> list[Licence]:
    """The rows of the tables."""
    rows = re.findall(
        r"^\| (?!-)([^|]+) \| ([^|]+) \| ([^|]+) \|$", TABLES.read_text(), re.MULTILINE
    )
    return [Licence(*row) for row in rows if row[1] != "licence"]


def _unknown(source: Mapping[str, Any], listed: str) -> list[Licence]:
    name = next((source[key] for key in NAMES if source.get(key)), None)
    if name is None or name in listed:
        return []
    if source.get("commit"):
        terms = "not known here: read its page on the hub before you share this folder"
    else:
        terms, name = "yours to say, as the file or function is", Path(str(name)).name
    return [Licence(str(name), terms, str(source["kind"]))]
