"""Check that what a config brings works together: base, tokenizer, oracles and data of every task.

Reads the entries that all runs of a task start from, which `make check` makes first. Prints what was found
and writes it to results/<config>/<task>/check.md and check.json. Status 1 if something has to be mended.
"""

import argparse
import json
import logging
import sys
from dataclasses import asdict
from pathlib import Path

from moa.runtime.checks import Check
from moa.runtime.errors import ConfigError
from moa.runtime.files import write_json
from moa.runtime.publishing import is_published
from moa.tools.check.task import check_task
from moa.tools.terminal import table
from moa.workflow.plan import read_plan

COLUMNS = ("what", "", "found")
VERDICTS = {"ok": "ok", "note": "note", "fails": "FAILS"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--configfile", type=Path, required=True, help="the config to check")
    parser.add_argument("--given", type=json.loads, default={}, help="keys set otherwise, as JSON")
    args = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    try:
        plan = read_plan(args.configfile, args.given)
    except ConfigError as error:
        sys.exit(str(error))
    store = Path(plan.config.store)
    needed = {entry.rel for entries in plan.starts() for entry in entries.values()}
    if missing := sorted(rel for rel in needed if not is_published(store / rel)):
        sys.exit(
            f"{args.configfile}: the store {store} has no {', '.join(missing)} yet; "
            "run `make check`, which makes what is missing first"
        )
    failed = False
    for name, task in plan.config.tasks.items():
        inputs = {role: store / entry.rel for role, entry in plan.shared[name].items()}
        judges = {role: store / entry.rel for role, entry in plan.judges[name].items()}
        shown, checks = check_task(task, inputs, judges)
        report(name, shown, checks)
        write(Path("results") / plan.config.name / name, shown, checks, plan.checked(name))
        failed |= any(check.verdict == "fails" for check in checks)
    sys.exit(int(failed))


def report(task: str, shown: str, checks: list[Check]) -> None:
    print(
        f"\n{task}\nA prompt and its response, token by token; what is learned stands after the bar:"
    )
    print(f"  {shown}\n")
    print(table(COLUMNS, [(c.what, VERDICTS[c.verdict], c.found) for c in checks]))
    for check in checks:
        if check.verdict == "fails":
            print(f"\n{check.what} FAILS: {check.found}\n  {check.mend}")


def write(folder: Path, shown: str, checks: list[Check], entries: list[str]) -> None:
    """entries: those that were looked at, so that a reader can tell whether they are today's."""
    folder.mkdir(parents=True, exist_ok=True)
    found = {"entries": entries, "prompt": shown, "checks": [asdict(c) for c in checks]}
    write_json(folder / "check.json", found)
    rows = [
        "| " + " | ".join(cell.replace("|", r"\|").replace("\n", " ") for cell in cells) + " |"
        for cells in ((c.what, VERDICTS[c.verdict], c.found, c.mend) for c in checks)
    ]
    head = ["| what | verdict | found | mend |", "|---|---|---|---|"]
    text = f"# {folder.name}: self-check\n\n`{shown}`\n\n" + "\n".join([*head, *rows]) + "\n"
    (folder / "check.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
