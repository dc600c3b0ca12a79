"""RLHF experts and Rewards-in-Context, trained for real on a tiny model of the synthetic world."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

from moa.datasets import world as generated
from moa.logprobs import tree_logprobs
from moa.models.conditioning import goals_in_prompt, weights_in_prompt
from moa.models.policies import add_adapter, load_policy, load_tokenizer, save_adapter
from moa.models.prompts import distinct_prompts
from moa.models.settings import GenerationStage
from moa.oracles.base import load_oracles
from moa.oracles.scale import RewardScale
from moa.oracles.synthetic_world import SyntheticOracle
from moa.preferences import build_prompt, uniform
from moa.runtime.errors import JobError
from moa.runtime.files import write_json
from moa.runtime.settings import OperationSettings
from moa.training.bases.scratch_llama import build
from moa.training.loop import TrainingRun
from moa.training.ric import RiC
from moa.training.rloo import ExpertTrainer, train_expert
from moa.workflow.config import resolve
from moa.workflow.sources import pin
from support.paths import TINY

OBJECTIVES = ["helpfulness", "harmlessness"]
OPERATION = OperationSettings(checkpoint_minutes=60)
PROMPTS = generated.prompts()[::40]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """(base folder, tokenizer, the tiny config's task); the base has learned to speak."""
    config = yaml.safe_load(TINY.read_text())
    config["policy"]["base"] |= {"hidden_size": 32, "documents": 2000, "epochs": 2}
    task = resolve(config).tasks["safety"]
    base = tmp_path_factory.mktemp("work") / "base"
    build(task.policy.base, {}, base)
    return base, load_tokenizer(base), task


def settings(world, method, **changes):
    told = next(run.told for run in world[2].runs if run.method.name == method)
    return told.model_copy(update={"logging_steps": 1, **changes})


def adapted(world, rank):
    """The base with a new adapter."""
    base, _, task = world
    lora = task.policy.lora.model_copy(update={"rank": rank})
    return add_adapter(load_policy(base), lora, seed=0)


def adapter_bytes(model, folder):
    save_adapter(model, folder)
    return (folder / "adapter" / "adapter_model.safetensors").read_bytes()


def expert(world, folder, **changes):
    _, tokenizer, task = world
    data = pd.DataFrame({"prompt_id": range(len(PROMPTS)), "prompt": PROMPTS})
    model = adapted(world, rank=8)
    path = train_expert(
        model,
        tokenizer,
        distinct_prompts(data, OBJECTIVES, tokenizer, 64),
        OBJECTIVES,
        load_oracles(OBJECTIVES, pin(task).oracles, {})[0],
        RewardScale(("helpfulness",), np.array([0.3]), np.array([0.3])),
        settings(world, "rlhf", **changes),
        TrainingRun(folder, seed=0, title="expert", operation=OPERATION),
    )
    return model, [json.loads(line) for line in path.read_text().splitlines()], path


def test_an_expert_raises_its_own_reward(world, tmp_path):
    freely = {"kl": 0.05, "epochs": 60, "learning_rate": 1e-2}
    _, lines, _ = expert(world, tmp_path, micro_batch_size=8, **freely)
    rewards = [line["raw_helpfulness"] for line in lines if "raw_helpfulness" in line]
    assert np.mean(rewards[-10:]) > np.mean(rewards[:10]) + 0.05
    assert lines[0]["kl"] == pytest.approx(0, abs=1e-4)  # it starts at its reference
    assert "step_time" not in lines[0]


def test_two_experts_of_one_spec_are_the_same_bytes(world, tmp_path):
    found = []
    for name in ("a", "b"):
        model, _, path = expert(world, tmp_path / name, epochs=0.5)
        found.append((adapter_bytes(model, tmp_path / name), path.read_bytes()))
    assert found[0] == found[1]


def test_an_expert_learns_the_tokens_that_were_scored(world, tmp_path, monkeypatch):
    """A policy that often starts another turn: what it says there is neither scored nor learned."""
    base, tokenizer, task = world
    talkative = tmp_path / "base"
    policy = load_policy(base)
    head, human = policy.lm_head.weight.data, tokenizer.convert_tokens_to_ids("Human:")
    head[human] = 1.2 * head[tokenizer.eos_token_id]  # it wants to end, and starts a turn instead
    policy.save_pretrained(talkative)
    tokenizer.save_pretrained(talkative)
    learned, scored = [], []
    loss, of_world = ExpertTrainer._compute_loss, SyntheticOracle.score

    def keep_learned(self, model, inputs):
        logps, _, _ = self._get_per_token_logps_and_entropies(
            model,
            torch.cat([inputs["prompt_ids"], inputs["completion_ids"]], dim=1),
            torch.cat([inputs["prompt_mask"], inputs["completion_mask"]], dim=1),
            inputs["completion_ids"].size(1),
        )
        for ids, mask, logp in zip(
            inputs["completion_ids"], inputs["completion_mask"].bool(), logps, strict=True
        ):
            counted = mask & (logp != 0)
            learned.append(ids[counted].tolist())
        return loss(self, model, inputs)

    def keep_scored(self, prompts, responses):
        scored.extend(responses)
        return of_world(self, prompts, responses)

    monkeypatch.setattr(ExpertTrainer, "_compute_loss", keep_learned)
    monkeypatch.setattr(SyntheticOracle, "score", keep_scored)
    _, lines, _ = expert((talkative, tokenizer, task), tmp_path / "expert", epochs=1)
    texts = [tokenizer.decode(ids, skip_special_tokens=True) for ids in learned]
    assert set(texts) == set(scored)  # equal ones are scored once
    words = [[i for i in ids if i not in tokenizer.all_special_ids] for ids in learned]
    assert [len(ids) for ids in words] == [len(text.split()) for text in texts]
    assert any(not text for text in scored) and len(set(map(len, words))) > 2
    assert lines[0]["finished"] > 0.5


def ric(world, folder, n=60, **changes):
    _, tokenizer, task = world
    rng = np.random.default_rng(0)
    prompts = [PROMPTS[i % len(PROMPTS)] for i in range(n)]
    responses = [generated.mixed_style_response(p, rng) for p in prompts]
    raw = np.array([generated.rewards(p, y)[:2] for p, y in zip(prompts, responses, strict=True)])
    scale = RewardScale(tuple(OBJECTIVES), raw.mean(axis=0), raw.std(axis=0))
    offline = pd.DataFrame({"prompt_id": [i % len(PROMPTS) for i in range(n)], "prompt": prompts})
    offline["response"] = responses
    offline[scale.norm_columns] = scale.normalise(raw)
    return RiC(
        model=adapted(world, rank=16),
        tokenizer=tokenizer,
        oracles=load_oracles(OBJECTIVES, pin(task).oracles, {}),
        offline=offline,
        scale=scale,
        settings=settings(world, "ric", **changes),
        run=TrainingRun(folder, seed=0, title="ric", operation=OPERATION),
    )


def test_ric_learns_what_a_goal_asks_for(world, tmp_path):
    trained = ric(world, tmp_path, n=600, epochs=10, learning_rate=1e-2, rounds=0)
    trained.train()
    tokenizer = world[1]
    policy = goals_in_prompt.GoalsInPrompt(trained.model.eval(), OBJECTIVES, trained.goals())
    difference = []  # of the log-probs under w = (1, 0) and under w = (0, 1)
    for x in PROMPTS:
        prompts = [tokenizer(policy.prompt(x, w))["input_ids"] for w in ([1.0, 0.0], [0.0, 1.0])]
        ids = [torch.tensor(row) for row in prompts]
        helpful = " ".join(generated.DETAILS[generated.topic_of(x)][:4])
        answers = [torch.tensor(tokenizer(y)["input_ids"]) for y in (helpful, "careful permit")]
        with torch.no_grad():
            logps = tree_logprobs(policy.at([1.0, 0.0]), [ids[0][:0]], [ids], [answers])[0]
        difference.append((logps[0] - logps[1]).numpy())
    helpful, harmless = np.mean(difference, axis=0)
    assert helpful > 0.3 and harmless < -0.3


def test_a_round_learns_what_passed_the_filter_under_the_rewards_it_got(world, tmp_path):
    trained = ric(world, tmp_path, rounds=1, quantile=0.6)
    trained.train()
    rows = pd.read_parquet(tmp_path / "round1" / "examples.parquet")
    norm = [f"norm_{o}" for o in OBJECTIVES]
    threshold = np.quantile(trained.offline[norm].to_numpy(), 0.6, axis=0)
    assert (rows[norm].to_numpy() >= threshold).any(axis=1).all()
    for row in rows.itertuples():  # sampled or offline: the goal in the prompt is what was reached
        reached = trained.scale.normalise(generated.rewards(row.prompt, row.response)[:2])
        assert [row.norm_helpfulness, row.norm_harmlessness] == pytest.approx(reached)
    known = set(trained.offline["response"])
    sampled = json.loads((tmp_path / "round1" / "sampled.json").read_text())
    assert sum(response not in known for response in rows["response"]) == sampled["kept"] > 0
    assert (tmp_path / "offline" / "examples.parquet").exists()
    parts = [json.loads(x)["part"] for x in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert list(dict.fromkeys(parts)) == ["offline", "round1"]


def test_a_ric_run_killed_between_stages_goes_on_to_the_same_bytes(world, tmp_path):
    whole = ric(world, tmp_path / "whole")
    whole.train()
    broken = ric(world, tmp_path / "broken")
    broken._round = _killed
    with pytest.raises(KeyboardInterrupt):
        broken.train()
    resumed = ric(world, tmp_path / "broken")
    resumed.train()
    for name in ("metrics.jsonl", "round2/examples.parquet"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "broken" / name).read_bytes()
    assert adapter_bytes(whole.model, tmp_path / "a") == adapter_bytes(
        resumed.model, tmp_path / "b"
    )


def _killed(n):
    raise KeyboardInterrupt


def test_a_round_that_keeps_nothing_says_so(world, tmp_path):
    trained = ric(world, tmp_path, rounds=1)
    trained.offline[[f"norm_{o}" for o in OBJECTIVES]] += 100
    with pytest.raises(JobError, match=r"none of \d+ samples reaches the 0.5 quantile"):
        trained.train()


def test_conditionings_say_what_their_method_was_trained_on(world, tmp_path):
    for name in ("sft", "policy"):
        save_adapter(adapted(world, rank=4), tmp_path / name)
    write_json(tmp_path / "policy" / "goals.json", {"rule": "linf", "low": [-1, 0], "high": [1, 2]})
    inputs = {"base": world[0], "sft": tmp_path / "sft", "policy": tmp_path / "policy"}
    asked = GenerationStage(temperature=1.0, top_p=1.0, batch_size=8)
    told = weights_in_prompt.load(inputs, OBJECTIVES, asked)
    assert told.prompt("x", [0.3, 0.7]) == build_prompt("x", OBJECTIVES, [0.3, 0.7])
    assert told.at([0.3, 0.7]) is told.at(uniform(2))
    asked = goals_in_prompt.load(inputs, OBJECTIVES, asked)
    assert asked.prompt("x", [0.5, 0.5]) == "Human: x helpfulness 1.0 harmlessness 2.0 Assistant:"
