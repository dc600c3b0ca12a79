"""The lock of hub revisions, config/revisions.lock.yaml: a commit for each, and the digests of its files.

`moa.tools.prefetch` alone writes it. Planning takes the commits from it, so they enter the keys; jobs take
from it which files must be there.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal, NamedTuple

import yaml

from moa.runtime.yaml_files import RepeatedKey, read_yaml

LOCK = Path(__file__).resolve().parents[3] / "config" / "revisions.lock.yaml"
PREFETCH = (
    "on a machine with internet run `make prefetch` (same CONFIG), or `snakemake --profile slurm prefetch` "
    "(same --configfile)"
)
ROW_FILES = (".jsonl", ".jsonl.gz", ".jsonl.xz")  # what a dataset can be in place of a repository
WHOLE_FILE = "train"  # the one split that a single file has, all of it; also the default
RepoType = Literal["model", "dataset"]
# repository type -> repository -> revision -> {commit, files: {path: {size, sha256 or git_blob}}}
Lock = dict[str, dict[str, dict[str, dict[str, Any]]]]


class Repository(NamedTuple):
    """What a config asks the hub for. revision: a branch, a tag or a commit."""

    type: RepoType
    id: str
    revision: str

    def __str__(self) -> str:
        return f"{self.type} {self.id}@{self.revision}"


class LockError(ValueError):
    """A lock that cannot be read: the message says why and how to mend it."""


def is_local(value: str, repo_type: RepoType) -> bool:
    """Whether a value names a folder (or, for a dataset, a file) and so no hub repository.

    What cannot be a repository's name, `owner/name`, is a path even if nothing is there yet, and so is a
    file of rows.
    """
    return (
        Path(value).is_dir()
        or not re.fullmatch(r"[\w.-]+(/[\w.-]+)?", value)
        or (repo_type == "dataset" and (value.endswith(ROW_FILES) or Path(value).is_file()))
    )


def read_lock(path: Path) -> Lock:
    """The lock; empty if there is none yet. Raises: LockError if it is not YAML, or has a key twice."""
    try:
        content = read_yaml(path) if path.exists() else {}
    except RepeatedKey as error:
        raise LockError(str(error)) from None
    except yaml.YAMLError as error:
        raise LockError(
            f"{path} is not YAML ({' '.join(str(error).split())}): repair it, or restore it from git"
        ) from None
    # A person who deletes entries may leave the key above without a value.
    return {
        repo_type: {
            repo: by_revision or {}
            for repo, by_revision in ((content or {}).get(repo_type) or {}).items()
        }
        for repo_type in ("dataset", "model")
    }


def commit_of(lock: Lock, repository: Repository) -> str | None:
    """The commit (40 hex digits) behind a revision: itself if it is one, else the lock's, or None."""
    if re.fullmatch(r"[0-9a-f]{40}", repository.revision):
        return repository.revision
    entry = lock[repository.type].get(repository.id, {}).get(repository.revision)
    return entry["commit"] if entry else None


def files_at(lock: Lock, repo_type: RepoType, repo: str, commit: str) -> dict[str, dict[str, Any]]:
    """The locked files of a repository at a commit, by path; none if the lock does not have it."""
    for entry in lock[repo_type].get(repo, {}).values():
        if entry["commit"] == commit:
            return entry["files"]
    return {}
