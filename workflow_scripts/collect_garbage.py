"""List what the store holds that no config refers to; with --delete, delete it.

Beside the configs that are given, every plan counts that was run on the store, as it was asked for then.
"""

import argparse
import os
import sys
import time
from collections import Counter
from pathlib import Path

from moa.runtime.errors import ConfigError, NotInstalled
from moa.tools.garbage import NOT_INSTALLED, Folder, delete, survey, whole_configs
from moa.tools.terminal import duration, size, table
from moa.workflow.config import CONFIG_FOLDER
from moa.workflow.entries import Entry
from moa.workflow.origins import Origin, Record, records
from moa.workflow.plan import CHECKOUT, Plan, read_plan
from moa.workflow.views import remove_views


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--configfile",
        type=Path,
        action="append",
        help="a config that counts (repeat it for more); all whole configs of config/ if left out",
    )
    parser.add_argument("--delete", action="store_true", help="delete what is listed")
    args = parser.parse_args()
    configs = args.configfile or whole_configs(CONFIG_FOLDER)
    stores: dict[Path, list[Entry]] = {}
    try:
        for path in configs:
            plan = planned(path)
            store = Path(plan.config.store).resolve()
            stores.setdefault(store, []).extend(plan.entries.values())
        remembered = {store: further(store, configs) for store in stores}
        for store, found in remembered.items():
            for record in found:
                stores[store].extend(remembered_entries(record))
    except ConfigError as error:
        sys.exit(
            f"{error}\nNothing was deleted: what only this config refers to cannot be told from garbage. "
            "Mend it, or give each config that counts with --configfile"
        )
    surveyed = survey(stores, time.time())
    for store, folders in surveyed.items():
        show(store, folders)
    print(f"\nThese configs count: {', '.join(map(os.path.relpath, configs))}.")
    for record in [r for found in remembered.values() for r in found]:
        what = (
            "So does what was run here before"
            if record.there
            else "Its config is gone, so this does not count"
        )
        print(f"{what}: {record.origin.label} ({record.path}; delete that file to forget it).")
    print("A key covers the code, so entries of older code are garbage by design.")
    garbage = [f for folders in surveyed.values() for f in folders if f.garbage]
    if args.delete:
        sys.exit(remove(garbage))
    if garbage:
        print("Nothing was deleted: `make gc DELETE=1` deletes what is listed.")


def planned(path: Path, origin: Origin | None = None) -> Plan:
    """The plan of a config, as it is or as it was asked for.

    Where the keys of what it refers to cannot be known here, a word of it.
    """

    def plan(missing: str | None = None) -> Plan:
        return origin.plan(missing) if origin else read_plan(path, missing=missing)

    try:
        return plan()
    except NotInstalled as error:
        print(f"{error}. Until then, all that this config may refer to is kept.")
        return plan(NOT_INSTALLED)


def further(store: Path, configs: list[Path]) -> list[Record]:
    """The plans that a store remembers beside these configs as they are."""
    files = [path.resolve() for path in configs]
    return [r for r in records(store) if r.origin.given or r.origin.config not in files]


def remembered_entries(record: Record) -> list[Entry]:
    """What a remembered plan has today. Raises: ConfigError that names the file that remembers it."""
    if not record.there:
        return []
    try:
        return list(planned(record.origin.config, record.origin).entries.values())
    except ConfigError as error:
        raise ConfigError(
            f"{error}\nIt was run on this store; delete {record.path} if it no longer counts"
        ) from None


def show(store: Path, folders: list[Folder]) -> None:
    """A store's garbage, largest first, and what is kept and why."""
    garbage = sorted((f for f in folders if f.garbage), key=lambda f: -f.size)
    print(f"\n{store}")
    if not store.is_relative_to(CHECKOUT):
        print(
            "WARNING: this store is outside the checkout. If others share it, what only their configs "
            "refer to is listed, too"
        )
    if garbage:
        rows = [
            (size(f.size), duration(time.time() - f.changed), f.label, f.garbage) for f in garbage
        ]
        print(table(("size", "age", "entry or work folder", "why"), rows))
    kept = [f for f in folders if f.kept]
    reasons = ", ".join(f"{n} {reason}" for reason, n in Counter(f.kept for f in kept).items())
    print(f"garbage: {total(garbage)}")
    print(f"kept: {total(kept)}{f' ({reasons})' if kept else ''}")


def total(folders: list[Folder]) -> str:
    return f"{len(folders)} folders, {size(sum(f.size for f in folders))}"


def remove(garbage: list[Folder]) -> int:
    """Delete all that can be deleted. Returns: the exit status, 1 if something could not."""
    deleted = []
    for folder in garbage:
        try:
            delete(folder)
            deleted.append(folder)
        except OSError as error:
            busy = isinstance(error, BlockingIOError)
            print(
                f"{folder.label} is left: {'its job has begun' if busy else error}", file=sys.stderr
            )
    print(f"deleted: {total(deleted)}")
    if views := remove_views(CHECKOUT, {folder.label for folder in deleted}):
        print(
            f"{views} figures, tables, explorers and policies of results/ showed what was deleted, "
            "and are gone"
        )
    return int(len(deleted) < len(garbage))


if __name__ == "__main__":
    main()
