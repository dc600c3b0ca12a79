"""The command line that every script of the workflow shares: --spec spec.json --out DIR."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Callable
from pathlib import Path

from moa.store import Job, publishing

log = logging.getLogger("moa")


def run(main: Callable[[Job], None], description: str | None) -> None:
    """Parse the command line, run `main` inside `publishing`, and log to stderr and log.txt.

    An expected failure (bad data, an oracle's NaN, a loss that is not finite) ends with its one
    message; a programming error keeps its traceback. Both exit non-zero and publish nothing.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--spec", type=Path, required=True, help="the artefact's spec.json")
    parser.add_argument(
        "--out", type=Path, required=True, help="its folder in the store: <stage>/<name>-<key>"
    )
    args = parser.parse_args()
    spec = json.loads(args.spec.read_text())
    with publishing(spec, args.out) as job:
        _log_to(job.out.parent / "log.txt")
        log.info("%s %s: %s", spec["stage"], spec["name"], args.out)
        try:
            main(job)
        except JobError as error:
            log.error("%s %s failed: %s", spec["stage"], spec["name"], error)
            sys.exit(1)
        except Exception:
            log.exception("%s %s failed", spec["stage"], spec["name"])
            sys.exit(1)


class JobError(RuntimeError):
    """A failure that the message explains fully: the thing, the cause and the mend."""


def _log_to(path: Path) -> None:
    handlers: list[logging.Handler] = [
        logging.StreamHandler(sys.stderr),
        logging.FileHandler(path, encoding="utf-8"),
    ]
    logging.basicConfig(
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(message)s",
        datefmt="%H:%M:%S",
        handlers=handlers,
        force=True,
    )
    for noisy in ("httpx", "urllib3", "filelock", "fsspec", "torchao"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
