"""List the missing entries that differ from a published one only in code or library versions; with
--why, publish them under their new keys. For changes that can alter no result: a log line, a patch release.
"""

import argparse
import sys
from collections import Counter
from pathlib import Path

from moa.runtime.errors import ConfigError, JobError
from moa.tools.adopt import Adoption, Survey, adopt, key_of, survey
from moa.tools.terminal import table
from moa.workflow.plan import read_plan


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--configfile",
        type=Path,
        action="append",
        required=True,
        help="a config whose missing entries are looked for (repeat it for more)",
    )
    parser.add_argument("--why", help="adopt what would be listed; why the changes are harmless")
    args = parser.parse_args()
    if args.why is not None and not args.why.strip():
        sys.exit(
            "WHY is empty, so nothing was adopted: whoever reads the results must know why the change "
            'is harmless. Say it: make adopt WHY="only a log line changed"'
        )
    try:
        for path in args.configfile:  # each planned after the one before was adopted
            look_at(path, args.why)
    except (ConfigError, JobError) as error:
        sys.exit(str(error))


def look_at(config: Path, why: str | None) -> None:
    """List or adopt what one config can take over."""
    plan = read_plan(config)
    store = Path(plan.config.store).resolve()
    found = survey(plan.entries.values(), store)
    print(f"{config}: {len(found.adoptions)} entries in {store} can be adopted")
    if found.adoptions:
        show(found.adoptions)
    show_rest(found)
    if why is not None:
        for adoption in found.adoptions:
            adopt(adoption, store, why.strip())
        print(
            f"Adopted: {len(found.adoptions)} entries. Metrics, tables and figures are made anew."
        )
    elif found.adoptions:
        print(
            "Nothing was adopted. If none of these changes can alter a result: "
            'make adopt WHY="why they cannot"'
        )


def show(adoptions: list[Adoption]) -> None:
    """What changed, in all, and the entries."""
    changes = Counter(change for a in adoptions for change in described(a))
    print("\nWhat changed since they were made:")
    for change, number in sorted(changes.items()):
        print(f"  {change} ({number} {'entry' if number == 1 else 'entries'})")
    commits = {a.source.manifest.get("git_commit") for a in adoptions} - {None}
    for commit in sorted(map(str, commits)):
        print(f"  see: git diff {commit.removesuffix('-dirty')} -- workflow_scripts")
    rows = [(a.entry.rel, key_of(a.source.rel), brief(a)) for a in adoptions]
    print("\n" + table(("entry", "from", "differs in"), rows) + "\n")


def described(adoption: Adoption) -> list[str]:
    """The changes of code and versions behind an adoption, as a line each."""
    versions = adoption.difference.get("versions", {})
    return [
        *adoption.difference.get("code", []),
        *(
            f"{name} {old or 'not used'} -> {new or 'not used'}"
            for name, (old, new) in versions.items()
        ),
    ]


def brief(adoption: Adoption) -> str:
    """The same in a few words: the first changes, how many more there are, and adopted inputs."""
    changes = described(adoption)
    more = [f"{len(changes) - 3} more"] if len(changes) > 3 else []
    inputs = ["adopted inputs"] if "inputs" in adoption.difference else []
    return ", ".join([*changes[:3], *more, *inputs])


def show_rest(found: Survey) -> None:
    """What has to be made, and what is wrong with entries that could have been adopted."""
    for reason, entries in found.left.items():
        stages = Counter(entry.stage for entry in entries)
        listed = ", ".join(f"{number} {stage}" for stage, number in stages.items())
        print(f"Missing, to be made: {listed} ({reason})")
    for fault in found.faults:
        print(f"Not whole, so never adopted: {fault}")


if __name__ == "__main__":
    main()
