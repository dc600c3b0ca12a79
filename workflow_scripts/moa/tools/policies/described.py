"""Which policy a path means, and all that is known of it. Light: nothing of a model is loaded."""

from __future__ import annotations

import argparse
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moa.runtime.errors import JobError
from moa.runtime.publishing import is_published

TOLD = "policy.json"
SEEDED = re.compile(r"(?P<run>.+)-s(?P<seed>\d+)")


@dataclass(frozen=True)
class Policy:
    """told: what its policy.json says. entry: the store's folder that this lies in. inputs: role -> the
    folder of an entry that it is made of.
    """

    told: dict[str, Any]
    entry: Path
    inputs: dict[str, Path]

    @property
    def store(self) -> Path:
        return self.entry.parents[1]

    @property
    def objectives(self) -> list[str]:
        return self.told["objectives"]

    @property
    def seed(self) -> int:
        return self.told["seed"]

    @property
    def title(self) -> str:
        """What people call it."""
        told = self.told
        own = f"{told['run']}, seed {told['seed']}"
        label = "" if told["label"] == told["run"] else f" ({told['label']})"
        return f"{own}{label}: {told['config']} / {told['task']}"

    @property
    def trained(self) -> dict[str, Path]:
        """What its run trained after SFT, by role; empty if it did not."""
        return {r: f for r, f in self.inputs.items() if r == "policy" or r.startswith("expert/")}


def policy_parser(description: str | None) -> argparse.ArgumentParser:
    """The command line of a program that asks for a policy: `--policy`, to which it adds its own."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--policy",
        type=Path,
        required=True,
        help="results/<config>/<task>/policies/<run>[-s<seed>]",
    )
    return parser


def find_policy(path: Path, seed: int | None = None) -> Policy:
    """The policy of a stable path results/<config>/<task>/policies/<run>-s<seed>, or of the same without
    its seed.

    seed: which one is meant, where the path names none and there are several.
    Raises: JobError that names those that are there, or what is missing behind it.
    """
    folder = path if (path / TOLD).is_file() else _by_run(path, seed)
    folder = folder.resolve()
    told = json.loads((folder / TOLD).read_text())
    entry = folder.parent
    inputs = {role: entry.parents[1] / rel for role, rel in told["entries"].items()}
    if gone := [rel for role, rel in told["entries"].items() if not is_published(inputs[role])]:
        raise JobError(
            f"{path}: the store {entry.parents[1]} no longer has {', '.join(gone)}, which the policy is "
            "made of: run the pipeline again, which makes what is missing"
        )
    return Policy(told, entry, inputs)


def _by_run(path: Path, seed: int | None) -> Path:
    there = {p.name: p for p in sorted(path.parent.glob("*")) if (p / TOLD).is_file()}
    found = {
        int(match["seed"]): folder
        for name, folder in there.items()
        if (match := SEEDED.fullmatch(name)) and match["run"] == path.name
    }
    if seed in found:
        return found[seed]
    if len(found) == 1:
        return next(iter(found.values()))
    if found:
        seeds = ", ".join(map(str, sorted(found)))
        asked = "" if seed is None else f" none of seed {seed}, but"
        raise JobError(
            f"{path}: there are{asked} policies of seeds {seeds}: choose one with --seed"
        )
    form = "results/<config>/<task>/policies/<run>-s<seed>"
    parts = path.absolute().parts[-5:]
    if parts[0] != "results" or parts[3:4] != ("policies",):
        raise JobError(f"{path}: no such policy. The path of one has the form {form}")
    target = "/".join(parts) + ("" if SEEDED.fullmatch(path.name) else f"-s{seed or 0}")
    listed = f"There: {', '.join(there)}" if there else "None is there yet"
    raise JobError(
        f"{path}: no such policy. {listed}. A path {form} is a target, so "
        f"`make run CONFIG=... TARGET={target}` makes it, if the config has such a run"
    )
