"""Prompts alone: the base responds to them, and from there all goes as with a dataset of responses."""

import json

import pandas as pd
import pytest
import torch
import yaml
from transformers import LlamaConfig, LlamaForCausalLM

from moa.models.answers import ANSWERS, answers
from moa.models.policies import load_policy, load_tokenizer
from moa.models.sampling import Sampling
from moa.models.settings import AnswerStage
from moa.models.streams import Stream
from moa.oracles.scale import RewardScale
from moa.runtime.errors import JobError
from moa.runtime.publishing import MANIFEST
from moa.tools.estimates.cost import Assumptions, gpu_hours
from moa.tools.estimates.jobs import gpu_jobs
from moa.tools.estimates.memory import peaks
from moa.workflow.plan import read_plan
from support.paths import REPO, TINY
from support.tiny_jobs import make_here
from support.tiny_models import SHAPE
from support.tiny_tokenizers import llama_tokenizer

TOLD = AnswerStage(max_prompt_tokens=64, max_new_tokens=6)


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A base with random weights, as a local folder."""
    folder = tmp_path_factory.mktemp("base")
    tokenizer = llama_tokenizer()
    torch.manual_seed(0)
    config = LlamaConfig(
        **SHAPE
        | {
            "vocab_size": len(tokenizer),
            "max_position_embeddings": 512,
            "eos_token_id": tokenizer.eos_token_id,
            "pad_token_id": tokenizer.pad_token_id,
            "tie_word_embeddings": False,
        }
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def asked(base, rows, folder):
    tokenizer, model = load_tokenizer(base), load_policy(base)
    sampling = Sampling.of(TOLD, tokenizer, model, 1.0)
    return answers(model, tokenizer, rows, sampling, folder, lambda n: None)


def rows_of(ids):
    return [{"prompt_id": i, "x": f"Tell me a joke, number {i}."} for i in ids]


def test_an_answer_depends_on_its_prompt_alone_and_has_a_stream_of_its_own(base, tmp_path):
    together = asked(base, rows_of(range(6)), tmp_path / "all").set_index("prompt_id")
    alone = asked(base, rows_of([4]), tmp_path / "one").set_index("prompt_id")
    assert (together.loc[4] == alone.loc[4]).all()
    assert (together["chosen"] != together["rejected"]).any()
    assert ANSWERS not in list(Stream)


@pytest.fixture
def config(tmp_path, base):
    """The tiny config over a file of prompts, with a base that is there already."""
    raw = yaml.safe_load(TINY.read_text())
    raw["store"] = str(tmp_path / "results" / "store")
    raw["policy"] |= {"base": {"kind": "hub", "model": str(base)}}
    for section in ("sft", "online", "ric"):
        raw[section]["batch_size"] = 4
    raw["tasks"]["safety"] |= {
        "paper": None,
        "beta_w_sweep": [],
        "objectives": ["brevity", "vowels"],
        "data": {
            "kind": "jsonl",
            "path": "prompts.jsonl",
            "responses": "base",
            "n_train": 8,
            "n_test": 4,
        },
        "oracles": {
            name: {"kind": "python_callable", "callable": f"rewards.py:{name}"}
            for name in ("brevity", "vowels")
        },
    }
    raw["runs"] = [{"name": "ric", "method": "ric"}, {"name": "mi_epo", "method": "mi_epo"}]
    prompts = [f"Tell me a joke, please, number {n}." for n in range(12)]
    prompts += [prompts[0].upper()]  # counts as one with the first
    lines = [json.dumps({"prompt": prompt}) + "\n" for prompt in prompts]
    (tmp_path / "prompts.jsonl").write_text("".join(lines))
    (tmp_path / "rewards.py").write_text(
        "def brevity(prompts, responses): return [-len(y) for y in responses]\n"
        "def vowels(prompts, responses): return [sum(y.count(v) for v in 'aeiou') for y in responses]\n"
    )
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(raw))
    return path


def test_prompts_alone_come_to_a_summary(config):
    plan = read_plan(config, checkout=REPO)
    store = config.parent / "results" / "store"
    entry, file = plan.views["results/tiny/safety/tables/summary.csv"]
    make_here(store, entry)
    table = pd.read_csv(store / entry.rel / file)
    assert table["run"].tolist() == ["ric", "mi_epo"] and table["hv"].notna().all()
    (answered,) = (e for e in plan.entries.values() if e.stage == "answers")
    data = pd.read_parquet(store / answered.rel / "data.parquet")
    train, test = (data[data["split"] == split] for split in ("train", "test"))
    assert len(train) == 8 and train["prompt_id"].is_unique and train["chosen"].notna().all()
    assert len(test) == 4 and test["chosen"].isna().all()
    notes = json.loads((store / answered.rel / MANIFEST).read_text())["notes"]
    assert notes["rows"] == {"train": 8, "test": 4}
    (stats,) = (e for e in plan.entries.values() if e.stage == "oracle_stats")
    offline = pd.read_parquet(store / stats.rel / "offline_rewards.parquet")
    assert len(offline) == train["chosen"].count() + train["rejected"].count()
    scale = RewardScale.read(store / stats.rel, ["brevity", "vowels"])
    assert scale.mean[0] == pytest.approx(offline["raw_brevity"].mean())


def test_a_base_that_says_nothing_is_refused(config, base, monkeypatch):
    plan = read_plan(config, checkout=REPO)
    (answered,) = (e for e in plan.entries.values() if e.stage == "answers")
    monkeypatch.setattr(
        "moa.models.answers.clean_response",
        lambda ids, tokenizer: type("Empty", (), {"text": ""})(),
    )
    with pytest.raises(JobError, match="the base answers none of 8 prompts with more than nothing"):
        make_here(config.parent / "results" / "store", answered)


def test_what_the_base_is_asked_for_is_estimated(config):
    raw = yaml.safe_load(config.read_text())
    raw["policy"]["base"]["model"] = "Qwen/Qwen3-8B-Base"
    config.write_text(yaml.safe_dump(raw))
    plan = read_plan(config, checkout=REPO)
    (job,) = (job for job in gpu_jobs(plan) if job.stage == "answers")
    assert 0 < gpu_hours(job, Assumptions()) < 0.01
    (peak,) = peaks([job])
    assert peak.total > 16e9  # its weights
