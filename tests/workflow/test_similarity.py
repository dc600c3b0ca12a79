"""Betas of another scale, from the rule as docs/scale_model.md writes it."""

import json
import math
import re

import pytest

from moa.datasets.world import N_WORDS
from moa.reporting import betas as reported
from moa.runtime.errors import ConfigError
from moa.workflow.config import CONFIG_FOLDER, resolve
from moa.workflow.inherit import read_config
from moa.workflow.similarity import nats_per_token, of_run
from support.paths import REPO

PAGE = (REPO / "docs" / "scale_model.md").read_text(encoding="utf-8")


def told(name, **policy):
    """Each run's settings as its stage gets them, of the first task of a config."""
    raw = read_config(CONFIG_FOLDER / name)
    raw["policy"] |= policy
    task = next(iter(resolve(raw).tasks.values()))
    return {run.name: run.told for run in task.runs}


def rule() -> str:
    """The formula of the page: the one line that says `scaled = ...`."""
    (line,) = re.findall(r"(?m)^\s*scaled = (.+)$", PAGE)
    return line


def test_the_page_suffices_for_a_world_of_20_tokens():
    """Its formula, worked out by hand, is what the workflow passes on; and so is its worked example."""
    found = told("synthetic.yaml", max_new_tokens=20)["mi_epo"]
    paper = re.findall(r"(?m)^\| `(beta_c|beta_w|kl)` \| ([\d.]+) \|", PAGE)
    assert {name for name, _ in paper} == {"beta_c", "beta_w", "kl"}
    names = {"reference_tokens": 128, "max_new_tokens": 20}
    for name, value in paper:
        worked = eval(rule(), {}, {"given": float(value), **names})
        run = found if name != "kl" else told("synthetic.yaml", max_new_tokens=20)["rlhf"]
        assert getattr(run, name) == pytest.approx(worked, rel=1e-9)
        (written,) = re.findall(rf"(?m)^\| `{name}` \|.*\| ([\d.]+) \|$", PAGE)
        assert float(written) == pytest.approx(worked, rel=1e-9)


def test_the_papers_scale_has_the_papers_values():
    found = told("paper.yaml")
    assert (found["mi_epo"].beta_c, found["mi_epo"].beta_w) == (0.1, 0.01)
    assert found["mo_odpo"].beta_w == 0


def test_nats_per_token_are_the_papers_at_every_scale():
    rates = {
        nats_per_token(told(name)["mo_odpo"].beta_c, told(name)["mo_odpo"].max_new_tokens)
        for name in ("paper.yaml", "synthetic.yaml", "smollm2.yaml", "rehearsal.yaml")
    }
    assert [pytest.approx(math.log(7 / 3) / 12.8)] == [next(iter(rates))] and max(rates) - min(
        rates
    ) < 1e-9


def test_only_labels_per_objective_have_an_optimum_by_weight():
    """Scalarised labels have one winner per pair, and no minimum at logit(w) / beta_c."""
    runs = told("synthetic.yaml")
    policy = resolve(read_config(CONFIG_FOLDER / "synthetic.yaml")).tasks["safety"].policy
    found = {name: of_run(run, policy) for name, run in runs.items()}
    rate = pytest.approx(math.log(7 / 3) / 12.8)
    assert found["mi_epo"] == {"betas": {"beta_c": 1.6, "beta_w": 0.16}, "nats_per_token": rate}
    assert found["mo_odpo_scalarised"]["nats_per_token"] is None
    assert found["rlhf"] == {"betas": {"kl": 0.8}, "nats_per_token": None}
    assert found["sft"] == found["ric"] == {"betas": {}, "nats_per_token": None}


def test_a_beta_that_is_infinite_when_scaled_is_a_mistake_of_the_config():
    raw = read_config(CONFIG_FOLDER / "synthetic.yaml")
    raw["online"] |= {"beta_c": 1e308}
    with pytest.raises(ConfigError, match="beta_c"):
        resolve(raw)


def test_raw_betas_are_those_of_the_config():
    found = told("synthetic.yaml", betas="raw")["mi_epo"]
    assert (found.beta_c, found.beta_w) == (0.1, 0.01)


def test_equal_values_are_one_entry_however_they_are_written():
    """1.6 for 8 tokens raw, and 0.1 for 128 scaled to them."""
    raw = read_config(CONFIG_FOLDER / "synthetic.yaml")
    similar = told("synthetic.yaml")["mi_epo"]
    raw["online"] |= {"beta_c": 1.6, "beta_w": 0.16}
    raw["policy"] |= {"betas": "raw"}
    runs = {run.name: run.told for run in resolve(raw).tasks["safety"].runs}
    assert runs["mi_epo"] == similar
    assert json.loads(similar.model_dump_json())["beta_c"] == 1.6


def test_the_default_world_has_responses_of_the_length_that_its_config_says():
    assert told("synthetic.yaml")["mi_epo"].max_new_tokens == N_WORDS + 1  # and EOS


def test_what_tables_say_of_betas():
    similar = {"betas": "similar", "factor": 16, "reference_tokens": 128, "max_new_tokens": 8}
    run = {"betas": {"beta_c": 1.6, "beta_w": 0.16}, "nats_per_token": 0.0662}
    other = {"betas": {"beta_c": 0.1, "beta_w": 0.01}, "nats_per_token": 1.06}
    none = {"betas": {}, "nats_per_token": None}
    text = reported.sentence({"runs": {"a": run, "b": none}, "similarity": similar})
    assert text == (
        "Betas x 16, from responses of 128 tokens to 8: beta_c 1.6, beta_w 0.16. At w = 0.7 the "
        "alignment loss is least at 0.0662 nats per token."
    )
    both = reported.sentence({"runs": {"a": run, "b": other}, "similarity": similar})
    assert "beta_c 0.1 to 1.6" in both and "0.0662 to 1.06 nats" in both
    assert reported.sentence({"runs": {"b": none}, "similarity": similar}) == ""
    raw = reported.sentence({"runs": {"a": run}, "similarity": {**similar, "betas": "raw"}})
    assert raw.startswith("Betas raw, for responses of 8 tokens")
