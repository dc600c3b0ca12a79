"""Point stable paths (results/<config>/<task>/...) at the files or folders of a store entry."""

import argparse
from pathlib import Path

from moa.workflow.views import link_view


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entry", type=Path, required=True, help="a published folder of the store")
    parser.add_argument("paths", type=Path, nargs="+", help="stable paths, named as its files")
    args = parser.parse_args()
    for path in args.paths:
        link_view(path, args.entry / path.name)


if __name__ == "__main__":
    main()
