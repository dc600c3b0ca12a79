"""What a config's settings must be to each other.

Each check adds to `mistakes` what is wrong and how to mend it. where: the place in the config.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from moa.datasets.lines import ENDINGS
from moa.datasets.settings import JsonlData
from moa.oracles.settings import PythonCallableOracle
from moa.preferences import evaluation_vectors
from moa.runtime.own_files import own_file
from moa.runtime.settings import KindSettings, Settings
from moa.training.bases.settings import ScratchBase, ScratchTextBase
from moa.training.settings import OnlineSettings, OptimizerSettings
from moa.workflow.methods import METHODS
from moa.workflow.schema import RunSettings, TaskSettings

SAME = 1e-9  # between a weight and what its decimals say, from the rounding of floats alone


def check_oracles(task: TaskSettings, where: str, mistakes: list[str]) -> None:
    """One oracle per objective, which knows it and can read the data's texts; and one judge, if there are
    any, that is not the oracle again.
    """
    _check_scorers(task, "oracle", task.oracles, where, mistakes)
    if task.judges:
        _check_scorers(task, "judge", task.judges, where, mistakes)
        for name, judge in task.judges.items():
            if judge == task.oracles.get(name):
                mistakes.append(
                    f"{where}.judges.{name} is the oracle again, so it would find what was trained for; "
                    "give it another kind or other data, or remove the judges"
                )


def _check_scorers(
    task: TaskSettings,
    role: str,
    scorers: Mapping[str, KindSettings],
    where: str,
    mistakes: list[str],
) -> None:
    for name in task.objectives:
        if name not in scorers:
            mistakes.append(f"{where}.{role}s: no {role} for the objective {name!r}; add one")
    for name, scorer in scorers.items():
        here, known = f"{where}.{role}s.{name}", getattr(scorer, "OBJECTIVES", None)
        if name not in task.objectives:
            mistakes.append(
                f"{here}: no such objective; the task has {', '.join(task.objectives)}. Remove it, or "
                "write null if it is inherited"
            )
        elif known is not None and name not in known:
            mistakes.append(
                f"{here}: the kind {scorer.kind} knows {', '.join(known)} alone; choose another kind"
            )
        if (read := getattr(scorer, "DATA", None)) not in (None, task.data.kind):
            mistakes.append(
                f"{here}: the kind {scorer.kind} reads the texts of data of kind {read}, and the task's "
                f"is {task.data.kind}; choose another kind"
            )


def check_own_files(task: TaskSettings, where: str, mistakes: list[str]) -> None:
    """What is looked for beside the config is there; a function of a package has a version, as its content
    is not known.
    """
    if isinstance(task.data, JsonlData):
        _check_there(task.data.path, f"{where}.data.path", mistakes)
    for role, scorers in (("oracles", task.oracles), ("judges", task.judges)):
        for name, scorer in scorers.items():
            if not isinstance(scorer, PythonCallableOracle):
                continue
            here = f"{where}.{role}.{name}"
            if file := own_file(scorer.callable):
                _check_there(file, f"{here}.callable", mistakes)
            elif scorer.version is None:
                mistakes.append(
                    f"{here}: the key 'version' is missing (changes when the function does, which cannot "
                    "be seen of one in a package); add it"
                )


def _check_there(file: str, where: str, mistakes: list[str]) -> None:
    path = Path(file).absolute()
    if not path.is_file():
        mistakes.append(
            f"{where}: there is no file {path}; it is looked for beside the config that names it, so put "
            "it there, or write where it is, seen from there"
        )


def check_answers(task: TaskSettings, base: Settings, where: str, mistakes: list[str]) -> None:
    """A base that learns from the data's responses cannot be the one that gives them."""
    if getattr(task.data, "responses", None) == "base" and isinstance(base, ScratchTextBase):
        mistakes.append(
            f"{where}.data.responses is base, but a base of kind {base.kind} learns from the data's own "
            "responses; add chosen and rejected to the file and leave responses out, or take a base that "
            "can respond, such as kind hub"
        )


def check_pairs(task: TaskSettings, where: str, mistakes: list[str]) -> None:
    """Pairs of known order are of the task's objectives, and of two responses."""
    for name, pairs in task.pairs.items():
        here = f"{where}.pairs.{name}"
        if name not in task.objectives:
            mistakes.append(f"{here}: no such objective; the task has {', '.join(task.objectives)}")
        for i, pair in enumerate(pairs):
            if pair.better == pair.worse:
                mistakes.append(
                    f"{here}[{i}]: better and worse are the same text, so no oracle can prefer one; "
                    "change one of them, or remove the pair"
                )


def check_test_prompts(task: TaskSettings, where: str, mistakes: list[str]) -> None:
    """Enough prompts to scatter in every direction: with fewer, CRD is 0, its best, for any policy."""
    if task.data.n_test <= (k := len(task.objectives)):
        mistakes.append(
            f"{where}.data.n_test is {task.data.n_test}: the CRD of {k} objectives needs {k + 1} test "
            "prompts or more"
        )


def check_paper(
    task: TaskSettings, papers: dict[str, Any], where: str, mistakes: list[str]
) -> None:
    """The paper's task, whose numbers stand beside ours, is one, and of as many objectives."""
    if task.paper is None:
        return
    if task.paper not in papers:
        mistakes.append(
            f"{where}.paper is {task.paper!r}: choose one of {', '.join(papers)}, or null"
        )
    elif (theirs := papers[task.paper]["objectives"]) != (k := len(task.objectives)):
        mistakes.append(
            f"{where}.paper is {task.paper!r}, which has {theirs} objectives, and this task has {k}: no "
            "number of the one says anything of the other; write null"
        )


def check_base(base: Settings, where: str, mistakes: list[str]) -> None:
    """What a base that is trained here must be for its model to exist."""
    if not isinstance(base, ScratchBase):
        return
    if base.hidden_size % (2 * base.heads):
        mistakes.append(
            f"{where}: hidden_size {base.hidden_size} is no multiple of twice heads {base.heads}, as "
            "rotary positions need; change one of them"
        )
    check_batches(base, where, mistakes)


def check_batches(section: OptimizerSettings, where: str, mistakes: list[str]) -> None:
    micro = min(section.micro_batch_size, section.batch_size)
    if section.batch_size % micro:
        mistakes.append(
            f"{where}: batch_size {section.batch_size} is not a multiple of micro_batch_size "
            f"{micro}; change one of them"
        )


def check_processes(
    settings: OptimizerSettings,
    processes: int,
    n_train: int | None,
    where: str,
    mistakes: list[str],
) -> None:
    """Several processes share every step alike, the last one of an epoch included."""
    if processes == 1:
        return
    batch = settings.batch_size
    share, rest = divmod(batch, processes)
    micro = min(settings.micro_batch_size, share)
    if rest:
        mistakes.append(
            f"{where}: batch_size {batch} cannot be shared by {processes} processes; change "
            "operation.processes to a divisor"
        )
    elif share % micro:
        mistakes.append(
            f"{where}: each of {processes} processes has {share} prompts of a batch, which is no multiple "
            f"of micro_batch_size {micro}; change it, or operation.processes"
        )
    # Online steps take each train prompt once per epoch; other stages have rows that only data show.
    elif isinstance(settings, OnlineSettings) and n_train and 0 < n_train % batch < processes:
        mistakes.append(
            f"{where}: the last step of an epoch has {n_train % batch} of {n_train} prompts for "
            f"{processes} processes; use fewer processes, or make n_train a multiple of batch_size"
        )


def responses_of(
    run: RunSettings, task: str, folder: Path, where: str, mistakes: list[str]
) -> str | None:
    """The file of a run whose responses are given, as seen from where the workflow runs; None of any other.

    folder: the config's.
    """
    here, needed = f"runs.{run.name}", not METHODS[run.method].has_policy
    if run.responses is None:
        if needed:
            mistakes.append(
                f"{here}: method {run.method} needs `responses`, the file that has them; add it "
                "(docs/your_responses.md)"
            )
        return None
    here = f"{here}.responses in {where}"
    if not needed:
        mistakes.append(f"{here}: method {run.method} makes its own; remove it")
        return None
    name = run.responses.replace("{task}", task)
    if not name.endswith(ENDINGS):
        mistakes.append(f"{here} is {name}: it must end with one of {', '.join(ENDINGS)}")
        return None
    # Whole, so that it is the same path from wherever the config was given.
    places = list(dict.fromkeys((base / name).resolve() for base in (folder, Path())))
    found = next((path for path in places if path.is_file()), None)
    if found is None:
        mistakes.append(
            f"{here} is {name}: there is no {' and no '.join(map(str, places))}; put the file beside the "
            "config, or mend the path"
        )
        return None
    inside = found.is_relative_to(Path.cwd())
    return str(found.relative_to(Path.cwd()) if inside else found)


def vectors_of(
    task: TaskSettings, decimals: int, where: str, mistakes: list[str]
) -> list[list[float]]:
    """Where runs are evaluated: the task's own vectors, or the paper's.

    What a prompt says of a vector is what the metrics weigh with, and no two prompts say the same.
    """
    k, where = len(task.objectives), f"{where}.evaluation_vectors"
    if task.evaluation_vectors is None:
        try:
            vectors = evaluation_vectors(k).tolist()
        except ValueError as error:
            mistakes.append(f"{where}: {error}")
            return []
    else:
        vectors = [list(vector) for vector in task.evaluation_vectors]
    said: dict[tuple[float, ...], int] = {}
    for i, vector in enumerate(vectors):
        here = f"{where}[{i}] is {vector}"
        rounded = tuple(round(weight, decimals) for weight in vector)
        if len(vector) != k:
            mistakes.append(f"{here}: it needs {k} weights, one per objective")
        # The paper's own (.33, .33, .33) sums to 0.99 and is left so.
        elif abs(sum(vector) - 1) > 0.0101:
            mistakes.append(f"{here} and sums to {sum(vector):g}: weights must sum to 1")
        elif any(abs(a - b) > SAME for a, b in zip(vector, rounded, strict=True)):
            mistakes.append(
                f"{here}, but prompts say weights to {decimals} decimals (policy.decimals): "
                f"{' '.join(f'{weight:.{decimals}f}' for weight in vector)}; round it, or raise decimals"
            )
        elif (first := said.setdefault(rounded, i)) != i:
            mistakes.append(f"{here}, as [{first}] is: remove one of them")
    return vectors
