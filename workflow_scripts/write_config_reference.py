"""Write docs/config.md and config/schema.json from the models of the settings."""

import argparse
import json
import sys
from pathlib import Path

from moa.tools.reference import markdown, schema

REPO = Path(__file__).resolve().parents[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; status 1 if stale")
    check = parser.parse_args().check
    wanted = {
        REPO / "docs" / "config.md": markdown(),
        REPO / "config" / "schema.json": json.dumps(schema(), indent=1) + "\n",
    }
    stale = [p for p, text in wanted.items() if not p.exists() or p.read_text() != text]
    if check and stale:
        names = ", ".join(path.relative_to(REPO).as_posix() for path in stale)
        sys.exit(f"{names}: no longer what the settings say; run `make config-docs`")
    for path in stale:
        path.write_text(wanted[path])


if __name__ == "__main__":
    main()
