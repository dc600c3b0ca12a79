"""The evaluation vectors of a run, cut into jobs of a few: other entries, the same numbers."""

import json
import weakref

import numpy as np
import pandas as pd
import pytest

import evaluate_block
import score_responses
from moa.models import policies
from moa.runtime.publishing import publishing, read_manifest
from moa.workflow.config import resolve
from moa.workflow.plan import Plan
from moa.workflow.stages import STAGES
from support.tiny_jobs import make_here
from support.tiny_store import tiny_config

RUNS = [{"name": name, "method": name} for name in ("rlhf", "rewarded_soups", "mi_epo")]


def beside_others(prompts, responses):
    """Rewards that depend on what else is in the batch, as a network's do in their last bits."""
    lengths = [len(y) for y in responses]
    return [n / (1 + sum(lengths)) for n in lengths]


def plan_of(store, vectors_per_job):
    """The tiny config with fewer runs and an oracle that tells how responses are batched."""
    config = tiny_config(store)
    config["tasks"]["safety"]["oracles"]["harmlessness"] = {
        "kind": "python_callable",
        "callable": f"{__name__}:beside_others",
        "version": "1",
    }
    config["generation"]["vectors_per_job"] = vectors_per_job
    return Plan(resolve({**config, "runs": RUNS}))


def ends_of(plan, run):
    """The scores of a run's blocks, and their likelihoods if it has any."""
    parts = [part for receipt in plan.ends["safety", run, 0] for part in receipt.inputs.values()]
    return [a for a in parts if a.stage == "score"], [a for a in parts if a.stage == "likelihoods"]


def metrics_of(plan):
    return next(a for a in plan.entries.values() if a.stage == "metrics" and "sweep" not in a.name)


# What is planned.


def test_blocks_are_the_vectors_in_order_with_their_numbers(tmp_path):
    whole, cut = plan_of(tmp_path, None), plan_of(tmp_path, 1)
    ((score,), _) = ends_of(whole, "mi_epo")
    vectors = score.inputs["generate"].spec["params"]["vectors"]
    assert len(vectors) == 11
    roles = [rel for role, rel in metrics_of(cut).spec["inputs"].items() if "score/mi_epo/" in role]
    blocks = [cut.entries[rel].inputs["generate"].spec["params"] for rel in roles]
    assert [b["first_vector"] for b in blocks] == list(range(11))
    assert [w for b in blocks for w in b["vectors"]] == vectors
    likelihoods = ends_of(cut, "mi_epo")[1]
    assert [a.inputs["generate"].spec["params"]["first_vector"] for a in likelihoods] == list(
        range(11)
    )
    assert all(a.spec["params"]["vectors"] == vectors for a in likelihoods)


def test_the_number_of_vectors_per_job_enters_no_key_but_through_the_blocks(tmp_path):
    whole = plan_of(tmp_path, None)
    assert plan_of(tmp_path, 11).entries.keys() == whole.entries.keys()
    cut = plan_of(tmp_path, 4)
    evaluated = {*STAGES["evaluate"].parts, "evaluate", "metrics", "figure", "table", "explorer"}
    kept = {rel for rel, a in whole.entries.items() if a.stage not in evaluated}
    assert {"sft", "online", "expert"} <= {rel.split("/")[0] for rel in kept}
    assert kept <= cut.entries.keys()
    names = {a.name for a in cut.entries.values() if a.stage == "generate"}
    of_run = ("mi_epo-safety-s0-v0-3", "mi_epo-safety-s0-v4-7", "mi_epo-safety-s0-v8-10")
    assert set(of_run) <= names and "rlhf-safety-s0" in names


def test_experts_are_evaluated_without_likelihoods(tmp_path):
    scores, likelihoods = ends_of(plan_of(tmp_path, 1), "rlhf")
    assert len(scores) == 2 and not likelihoods


# What comes out.


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The store, and the plans of the same evaluation in one job and in jobs of three vectors."""
    store = tmp_path_factory.mktemp("results") / "store"
    plans = plan_of(store, None), plan_of(store, 3)
    for plan in plans:
        make_here(store, metrics_of(plan))
    return store, *plans


def test_metrics_are_the_same_for_any_number_of_vectors_per_job(made):
    """To the last bit, but for what is made of likelihoods: other responses share their passes."""
    store, *plans = made
    one, cut = (store / metrics_of(plan).rel / "metrics.json" for plan in plans)
    assert one != cut
    (one, exact), (cut, same) = (without_likelihoods(path) for path in (one, cut))
    assert exact == same and len(one) == 2 * 2 * 3
    np.testing.assert_allclose(one, cut, atol=1e-5)


def without_likelihoods(path):
    """What is made of likelihoods, per seed and in the mean; and all the rest."""
    metrics = json.loads(path.read_text())
    found = []
    for run in metrics["runs"].values():
        for key in ("decodability", "kl", "kl_per_token"):
            seeds = [seed.pop(key) for seed in run["seeds"].values()]
            if (over_seeds := run.pop(key)) is not None:
                found += [*seeds, over_seeds["mean"]]
    return found, metrics


@pytest.mark.parametrize("run", ["rewarded_soups", "mi_epo"])
def test_so_are_responses_scores_and_likelihoods(made, run, tmp_path):
    store, *plans = made
    found, tables_of_likelihoods = [], []
    for blocks, plan in zip((1, 4), plans, strict=True):
        scores, likelihoods = ends_of(plan, run)
        assert len(scores) == len(likelihoods) == blocks
        tables = {
            "scores": [store / a.rel / "scores.parquet" for a in scores],
            "responses": [store / a.inputs["generate"].rel / "generations.parquet" for a in scores],
        }
        parts = [np.load(store / a.rel / "likelihoods.npy") for a in likelihoods]
        tables_of_likelihoods.append(np.concatenate(parts, axis=1))
        found.append({})
        for name, paths in tables.items():
            table = pd.concat([pd.read_parquet(path) for path in paths], ignore_index=True)
            table.to_parquet(tmp_path / name)
            found[-1][name] = (tmp_path / name).read_bytes()
    assert found[0] == found[1]
    texts = table.pivot(index="prompt_id", columns="vector", values="response")
    assert (texts.nunique(axis=1) > 1).all(), "the same response everywhere would prove nothing"
    whole, cut = tables_of_likelihoods
    assert whole.shape == cut.shape == (2, 11, 11) and np.isfinite(whole).all()
    np.testing.assert_allclose(whole, cut, atol=1e-4)


@pytest.mark.parametrize("run", ["rewarded_soups", "mi_epo"])
def test_one_job_loads_each_policy_once_frees_it_before_the_next_and_changes_no_byte(
    made, run, monkeypatch
):
    store, _, cut = made
    receipt = cut.ends["safety", run, 0][0]
    before = {stage: digests(store / a.rel) for stage, a in receipt.inputs.items()}
    loaded, load_base, load_oracles = [], policies.load_base, score_responses.load_oracles

    def loading(*args):
        assert [policy() for policy in loaded] in ([], [None])  # one at a time
        model = load_base(*args)
        loaded.append(weakref.ref(model))
        return model

    def after_the_policies(*args):
        assert [policy() for policy in loaded] == [None, None]  # the run's, and SFT's
        return load_oracles(*args)

    monkeypatch.setattr(policies, "load_base", loading)
    monkeypatch.setattr(score_responses, "load_oracles", after_the_policies)
    for stage, main in evaluate_block.parts().items():
        part = receipt.inputs[stage]
        with publishing(part.spec, store / part.rel) as job:
            main(job)
    assert len(loaded) == 2
    assert {stage: digests(store / a.rel) for stage, a in receipt.inputs.items()} == before


def digests(folder):
    return read_manifest(folder)["files"]
