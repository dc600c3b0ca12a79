"""Fetch models and datasets from the hub, where there is internet, and lock what they were.

No job imports this, so no key depends on it; what it writes, the lock, enters the keys.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import yaml
from huggingface_hub import HfApi, constants, snapshot_download, try_to_load_from_cache
from huggingface_hub.errors import (
    GatedRepoError,
    HFValidationError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from moa.runtime.errors import JobError
from moa.runtime.files import file_digest
from moa.runtime.hub_lock import Lock, Repository, read_lock

log = logging.getLogger(__name__)

WORKERS = 8  # files at a time
OTHER_FORMATS = (".msgpack", ".h5", ".ot", ".onnx", ".onnx_data", ".gguf", ".tflite", ".pt", ".pth")
OTHER_FOLDERS = ("onnx", "openvino", "coreml", "original")
HEADER = """\
# The commit behind each revision of a hub model or dataset, and the digests of its files.
# Written by `snakemake --profile slurm prefetch`. The commits enter the keys of the store, so keep
# this file in git. A locked revision stays as it is: to take what the hub has now, delete its entry
# and prefetch again.
"""


def prefetch(repositories: Iterable[Repository], cache: Path, lock_path: Path) -> None:
    """Lock every repository that is not locked yet, and have the files of all in the cache.

    What is there already is checked against the lock and fetched again if it differs, so a run that
    was stopped goes on where it was, and a finished one fetches nothing.

    Raises: JobError if something cannot be had; what was fetched stays.
    """
    repositories = sorted(repositories)
    if not repositories:
        log.info("This config takes nothing from the hub.")
        return
    lock = read_lock(lock_path)
    if lock_new(repositories, lock):
        write_lock(lock, lock_path)
    entries = {r: lock[r.type][r.id][r.revision] for r in repositories}
    files = [file for entry in entries.values() for file in entry["files"].values()]
    log.info(
        "%d repositories, %d files, %s, for %s",
        *(len(entries), len(files), _size(files), cache.resolve()),
    )
    for number, (repository, entry) in enumerate(entries.items(), start=1):
        commit, wanted = entry["commit"], entry["files"]
        log.info("%d/%d %s, commit %s", number, len(entries), repository, commit)
        missing = _differing(repository, commit, wanted, cache)
        if not missing:
            continue
        fetched = {path: wanted[path] for path in missing}
        log.info("  fetching %d files, %s", len(fetched), _size(fetched.values()))
        _download(repository, commit, missing, cache)
        for path in _differing(repository, commit, fetched, cache):
            raise JobError(
                f"{repository}: {path} did not come as {lock_path} has it. Run this again; if it "
                "stays so, delete the repository's entry there to lock what the hub has now"
            )


def lock_new(repositories: Iterable[Repository], lock: Lock) -> bool:
    """Add the repositories that are not locked yet to the lock, in place, as the hub has them now.

    Returns: whether there were any. Raises: JobError that names all those it could not find.
    """
    new = [r for r in repositories if r.revision not in lock[r.type].get(r.id, {})]
    failures = []
    for r in new:
        try:
            ask = HfApi().model_info if r.type == "model" else HfApi().dataset_info
            info = ask(r.id, revision=r.revision, files_metadata=True)
        except Exception as error:  # of the hub's client, which has no common class for them
            failures.append(_explain(r, r.revision, error))
            continue
        files = {}
        for file in info.siblings or ():
            if file.lfs is not None:
                files[file.rfilename] = {"size": file.lfs.size, "sha256": file.lfs.sha256}
            else:
                files[file.rfilename] = {"size": file.size, "git_blob": file.blob_id}
        needed = needed_files(files) if r.type == "model" else list(files)
        lock[r.type].setdefault(r.id, {})[r.revision] = {
            "commit": info.sha,
            "files": {path: files[path] for path in needed},
        }
    if failures:
        raise JobError("\n".join(failures))
    return bool(new)


def needed_files(names: Iterable[str]) -> list[str]:
    """A model's files without those that hold the same weights in another format.

    PyTorch's own (.bin) are left out of folders that have safetensors.
    """
    paths = [Path(name) for name in names]
    folders = {path.parent for path in paths if path.suffix == ".safetensors"}
    return [
        path.as_posix()
        for path in paths
        if path.suffix not in OTHER_FORMATS
        and path.parts[0] not in OTHER_FOLDERS
        and not (path.suffix == ".bin" and path.parent in folders)
    ]


def write_lock(lock: Lock, path: Path) -> None:
    """Write the lock atomically: sorted, a file per line, with a header that says what it is."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with open(temporary, "w", encoding="utf-8") as handle:
        handle.write(HEADER)
        # None: flow style for the innermost mappings, so that a file is one line.
        yaml.safe_dump(lock, handle, sort_keys=True, default_flow_style=None, width=10_000)
        handle.flush()
        os.fsync(handle.fileno())
    os.replace(temporary, path)


def _differing(
    repository: Repository, commit: str, files: dict[str, dict[str, Any]], cache: Path
) -> list[str]:
    """The files that are not in the cache as they are locked; those with another content go."""

    def cached(path: str) -> Path | None:
        found = try_to_load_from_cache(repository.id, path, cache, commit, repository.type)
        return Path(found) if isinstance(found, str) else None

    def differs(path: str) -> bool:
        file = cached(path)
        return file is None or not _matches(file, files[path])

    with ThreadPoolExecutor(WORKERS) as pool:
        bad = [path for path, is_bad in zip(files, pool.map(differs, files), strict=True) if is_bad]
    for file in filter(None, map(cached, bad)):
        file.resolve().unlink()  # the cache's file is a link to the content
        file.unlink(missing_ok=True)
    return bad


def _matches(file: Path, locked: dict[str, Any]) -> bool:
    if file.stat().st_size != locked["size"]:
        return False
    if "sha256" in locked:
        return file_digest(file) == locked["sha256"]
    content = file.read_bytes()
    blob = hashlib.sha1(b"blob %d\0" % len(content) + content)  # what `git hash-object` prints
    return blob.hexdigest() == locked["git_blob"]


def _download(repository: Repository, commit: str, paths: list[str], cache: Path) -> None:
    try:
        snapshot_download(
            repository.id,
            repo_type=repository.type,
            revision=commit,
            cache_dir=cache,
            allow_patterns=paths,
            max_workers=WORKERS,
        )
    except Exception as error:  # of the hub's client, which has no common class for them
        raise JobError(_explain(repository, commit, error)) from None


def _explain(repository: Repository, revision: str, error: Exception) -> str:
    """One line for a failure of the hub's client: the cause and the mend."""
    page = (
        f"{constants.ENDPOINT}/{'datasets/' if repository.type == 'dataset' else ''}{repository.id}"
    )
    if isinstance(error, GatedRepoError):
        why = f"accept its terms at {page}, and log in with `hf auth login` (or set HF_TOKEN)"
    elif isinstance(error, RepositoryNotFoundError):
        why = (
            f"there is no {page}, or it is private: check the name, or log in with `hf auth login`"
        )
    elif isinstance(error, RevisionNotFoundError):
        why = f"{page} has no revision {revision}: check `revision`, or its entry in the lock"
    elif isinstance(error, HFValidationError):
        why = "this is neither a folder nor the name of a repository (`owner/name`): check the path"
    else:
        said = str(error).split("\n")[0] or type(error).__name__
        why = (
            f"cannot be fetched ({said}). Run this again where {constants.ENDPOINT} can be reached"
        )
    return f"{repository}: {why}"


def _size(files: Iterable[dict[str, Any]]) -> str:
    size = sum(file["size"] for file in files)
    return f"{size / 1e9:.2f} GB" if size >= 1e8 else f"{size / 1e6:.2f} MB"
