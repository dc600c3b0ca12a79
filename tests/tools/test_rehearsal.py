"""A rehearsal is the real run in all but its sizes, and its made-up parts are what they stand for."""

import re
from collections import Counter
from dataclasses import is_dataclass

import pytest
from pydantic import BaseModel

from moa.datasets import load_hh_rlhf, load_pku_saferlhf
from moa.tools.rehearsal import make, rows
from moa.workflow.config import CONFIG_FOLDER, resolve
from moa.workflow.inherit import read_config
from moa.workflow.plan import Plan
from moa.workflow.resources import gpus_of
from moa.workflow.similarity import SUMMED
from moa.workflow.stages import PARTS, STAGES
from support.checkouts import copy_repo, snakemake

REHEARSALS = {"paper": "rehearsal", "one_gpu": "one_gpu_rehearsal"}
TASKS = [
    *(("paper", task) for task in ("safety", "assistant2", "assistant3")),
    ("one_gpu", "assistant3"),
]
# What the two configs may differ in, wherever it stands; everything else has to be the same.
SIZES = {
    "n_train",
    "n_test",
    "batch_size",
    "micro_batch_size",
    "max_prompt_tokens",
    "max_new_tokens",
    "decodability_prompts",
    "bootstrap_resamples",
}
TAKEN = {"model", "source"}  # a folder of that name in place of a hub id
FOLDER = "data/rehearsal/"


def config(name):
    """For a store of its own: what is there keeps its name, and two rehearsals share their data."""
    given = {"seeds": [0], "store": "results/made_up"}
    return resolve(read_config(CONFIG_FOLDER / f"{name}.yaml", given))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The made-up models and data sets."""
    out = tmp_path_factory.mktemp("rehearsal")
    make(out)
    return out


def leaves(value, path=()):
    """(path, value) of everything in nested settings, mappings and lists."""
    if isinstance(value, BaseModel):
        value = value.model_dump()
    elif is_dataclass(value):
        value = vars(value)
    if isinstance(value, dict | list | tuple):
        for key, sub in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(sub, (*path, key))
    else:
        yield path, value


def graph(plan):
    """Every entry by stage and name, with what it is made from and the GPUs it asks for."""

    def label(entry):
        return f"{entry.stage}/{entry.name}".replace(f"{plan.config.name}-", "")

    return Counter(
        (
            label(entry),
            tuple(sorted((role, label(up)) for role, up in entry.inputs.items())),
            gpus_of(entry),
        )
        for entry in plan.entries.values()
    )


@pytest.mark.parametrize(("name", "task"), TASKS)
def test_a_rehearsal_differs_from_the_real_run_in_sizes_only(name, task):
    real, rehearsal = (
        dict(leaves(config(which).tasks[task])) for which in (name, REHEARSALS[name])
    )
    assert real.keys() == rehearsal.keys()
    differing = {path for path in real if real[path] != rehearsal[path]}
    assert {path[-1] for path in differing} <= SIZES | TAKEN | {*SUMMED}
    for path in differing:
        if path[-1] in SUMMED:  # as stages get them: the same per token
            tokens = (*path[:-1], "max_new_tokens")
            assert rehearsal[path] * rehearsal[tokens] == pytest.approx(real[path] * real[tokens])
            continue
        if path[-1] in TAKEN:
            assert rehearsal[path] == FOLDER + real[path].split("/")[1]
        else:
            assert 0 < rehearsal[path] < real[path]


@pytest.mark.parametrize(("name", "rehearsal"), REHEARSALS.items())
def test_a_rehearsal_has_the_real_runs_graph(name, rehearsal):
    real, rehearsed = Plan(config(name)), Plan(config(rehearsal))
    assert graph(rehearsed) == graph(real)
    views = [path.replace(f"results/{rehearsal}/", f"results/{name}/") for path in rehearsed.views]
    assert views == list(real.views)
    assert rehearsed.repositories == set() != real.repositories


def test_every_path_of_the_configs_is_made_and_no_other(folder):
    used = {
        value
        for name in REHEARSALS.values()
        for task in config(name).tasks.values()
        for path, value in leaves(task)
        if path[-1] in TAKEN
    }
    assert {FOLDER + path.name for path in folder.iterdir()} == used


def test_the_parts_are_the_same_every_time(folder, tmp_path):
    make(tmp_path)
    make(tmp_path)  # over what is there
    first, second = (
        {p.relative_to(top): p.read_bytes() for p in top.rglob("*") if p.is_file()}
        for top in (folder, tmp_path)
    )
    assert first == second


def test_the_loaders_drop_the_irregular_rows_and_nothing_else(folder):
    dropped = Counter()
    found = load_pku_saferlhf(folder / "PKU-SafeRLHF-10K", dropped=dropped)
    assert len(set(found["prompt"])) == rows.PROMPTS < len(found)
    assert dropped == {
        "no prompt": 1,
        "empty response": 2,
        "no better_response_id": 1,
        "safer_response_id is neither 0 nor 1, false nor true": 1,
    }
    dropped.clear()
    found = load_hh_rlhf(folder / "hh-rlhf", dropped=dropped)
    assert len(found) == len(rows.SUBSETS) * rows.DIALOGUES["train"]
    turns = Counter(prompt.count("\n\nHuman:") for prompt in found["prompt"])
    assert set(turns) == {0, 1, 2, 3}
    assert dropped == {
        "transcripts do not share their prompt": 4,
        "no final assistant turn": 8,
        "text before the first speaker mark": 4,
        "speakers do not alternate": 4,
        "empty response": 4,
    }


@pytest.mark.workflow
@pytest.mark.parametrize("name", REHEARSALS.values())
def test_a_rehearsal_is_planned_whole(name, tmp_path):
    copy_repo(tmp_path)
    make(tmp_path / "data" / "rehearsal")
    _, output = snakemake(tmp_path, "--dry-run", "--", "all", config=f"config/{name}.yaml")
    jobs = dict(re.findall(r"^(\w+) +(\d+)$", output, re.MULTILINE))
    stages = Counter(a.stage for a in Plan(config(name)).entries.values())
    # No oracle is fitted, no response comes out of a file, and the data have responses.
    assert STAGES.keys() - stages.keys() == {"oracle", "responses", "answers"}
    planned = {STAGES[s].script: n for s, n in stages.items() if s not in PARTS}
    total = sum(planned.values()) + 1
    assert {rule: int(n) for rule, n in jobs.items()} == {**planned, "all": 1, "total": total}
