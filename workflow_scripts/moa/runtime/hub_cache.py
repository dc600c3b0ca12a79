"""The hub as jobs see it: a folder that `prefetch` filled, and no network."""

from __future__ import annotations

from pathlib import Path

from huggingface_hub import constants, snapshot_download
from huggingface_hub.errors import IncompleteSnapshotError, LocalEntryNotFoundError

from moa.runtime.errors import JobError
from moa.runtime.hub_lock import LOCK, PREFETCH, RepoType, files_at, is_local, read_lock


def snapshot(repo: str, revision: str, commit: str | None, repo_type: RepoType) -> Path:
    """The local folder of a repository at a commit; a local path is returned as it is.

    The folder is the cache's (HF_HUB_CACHE), whose files must be there with the locked sizes; their
    digests were checked when they were fetched.

    Raises: JobError if there is no such path or commit, or if a file is missing or has another size;
    it says what to run.
    """
    if is_local(repo, repo_type):
        if not Path(repo).exists():
            raise JobError(
                f"{repo} is a path, and nothing is there: make or copy it, or correct it"
            )
        return Path(repo)
    if commit is None:
        raise JobError(
            f"{repo} has no pinned commit for revision {revision!r} in {LOCK.name}: {PREFETCH}"
        )
    files = files_at(read_lock(LOCK), repo_type, repo, commit)
    if not files:
        raise JobError(f"{repo} at commit {commit} is not in {LOCK.name}: {PREFETCH}")
    try:
        folder = snapshot_download(
            repo,
            repo_type=repo_type,
            revision=commit,
            allow_patterns=list(files),
            local_files_only=True,
        )
    except IncompleteSnapshotError as error:  # the missing file is named below
        folder = error.snapshot_path
    except LocalEntryNotFoundError:
        raise JobError(
            f"{repo} at commit {commit} is not in the cache {constants.HF_HUB_CACHE}: {PREFETCH}"
        ) from None
    for path, locked in files.items():
        file = Path(folder, path)
        if not file.is_file():
            raise JobError(f"{repo}: {file} is missing: {PREFETCH}")
        if file.stat().st_size != locked["size"]:
            raise JobError(
                f"{repo}: {file} has {file.stat().st_size} bytes, but {locked['size']} are locked: "
                f"{PREFETCH}"
            )
    return Path(folder)
