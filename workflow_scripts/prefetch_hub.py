"""Fetch models and datasets from the hub into a cache, and lock the commits they were taken from.

In:  repositories, each as <model|dataset>:<id>@<revision>.
Out: their files in the cache; their commits and digests in the lock, unless they are there already.
"""

import argparse
import logging
import sys
from pathlib import Path
from typing import cast

from moa.runtime.errors import JobError
from moa.runtime.hub_lock import Repository, RepoType
from moa.tools.prefetch import prefetch


def repository(text: str) -> Repository:
    kind, _, rest = text.partition(":")
    name, _, revision = rest.partition("@")
    if kind not in ("model", "dataset") or not name or not revision:
        raise argparse.ArgumentTypeError(f"{text!r} is not <model|dataset>:<id>@<revision>")
    return Repository(cast(RepoType, kind), name, revision)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--cache", type=Path, required=True, help="a cache folder of the hub's client"
    )
    parser.add_argument("--lock", type=Path, required=True, help="config/revisions.lock.yaml")
    parser.add_argument("repositories", type=repository, nargs="*")
    args = parser.parse_args()
    logging.basicConfig(format="%(message)s")
    logging.getLogger("moa").setLevel(logging.INFO)
    try:
        prefetch(args.repositories, args.cache, args.lock)
    except JobError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
