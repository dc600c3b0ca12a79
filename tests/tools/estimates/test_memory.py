"""The memory plan: against models of the published shapes, and against what an allocator measures."""

from __future__ import annotations

import gc
import sys

import numpy as np
import pytest
import torch
import yaml
from peft import LoraConfig, get_peft_model
from tokenizers import Tokenizer, models, pre_tokenizers
from torch.profiler import ProfilerActivity, profile
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    PreTrainedTokenizerFast,
)

import plan_memory
from moa.evaluation import responses
from moa.logprobs import head
from moa.models import answers, decoding
from moa.models.policies import add_adapter
from moa.models.settings import LoraSettings
from moa.oracles.beaver import ScoreModel
from moa.oracles.scale import RewardScale
from moa.runtime.errors import ConfigError
from moa.runtime.settings import OperationSettings
from moa.tools.estimates import cost, tensors
from moa.tools.estimates.jobs import gpu_jobs
from moa.tools.estimates.memory import ANSWERED, GB, ROUND, peaks
from moa.tools.estimates.shapes import published, read_shape, shape_of
from moa.tools.estimates.tensors import (
    Policy,
    Tree,
    rows_decoded,
    sampling_moments,
    training_state,
    tree_reference,
    tree_training,
)
from moa.training.loop import TrainingRun
from moa.training.online import OnlineTrainer
from moa.training.online_losses.mi_epo import loss
from moa.training.ric import SHARD
from moa.training.settings import OnlineStage
from moa.workflow.config import CONFIG_FOLDER, resolve
from moa.workflow.plan import Plan
from moa.workflow.stages import PARTS, STAGES

PAPER = CONFIG_FOLDER / "paper.yaml"
POLICIES = [
    "PKU-Alignment/alpaca-7b-reproduced",
    "Qwen/Qwen3-8B-Base",
    "Qwen/Qwen2.5-1.5B-Instruct",
]
OBJECTIVES = ["helpfulness", "harmlessness"]
LORA = {"rank": 16, "alpha": 32, "target_modules": "all-linear"}
SMALL = {
    "hidden_size": 256,
    "intermediate_size": 688,
    "num_hidden_layers": 8,
    "num_attention_heads": 4,
    "max_position_embeddings": 1024,
    "tie_word_embeddings": False,
}
BF16 = pytest.mark.skipif(
    not torch.ops.mkldnn._is_mkldnn_bf16_supported(),
    reason="without bfloat16 instructions every product takes float32 copies of its own",
)


def transformers_config(name: str):
    entry = {k: v for k, v in published()[name].items() if k not in ("model_type", "head")}
    labels = 1 if published()[name]["head"] == "score" else 2
    return AutoConfig.for_model(published()[name]["model_type"], num_labels=labels, **entry)


def on_meta(name: str):
    """The model of that shape in its own class, without memory for its weights."""
    config = transformers_config(name)
    with torch.device("meta"):
        if published()[name]["head"] == "language_model":
            return AutoModelForCausalLM.from_config(config)
        if config.model_type == "llama":
            return ScoreModel(config)
        return AutoModelForSequenceClassification.from_config(config)


@pytest.mark.parametrize("name", published())
def test_the_parameters_of_a_shape_are_those_of_the_model(name):
    assert shape_of(name).parameters == on_meta(name).num_parameters()


@pytest.mark.parametrize("targets", ["all-linear", ["q_proj", "v_proj"]])
@pytest.mark.parametrize("name", POLICIES)
def test_the_parameters_of_an_adapter_are_those_of_peft(name, targets):
    with torch.device("meta"):
        config = LoraConfig(r=64, target_modules=targets, task_type="CAUSAL_LM")
        model = get_peft_model(on_meta(name), config)
    counted = shape_of(name).adapter_parameters({"rank": 64, "target_modules": targets})
    assert counted == sum(p.numel() for p in model.parameters() if p.requires_grad)


def test_every_model_of_the_papers_config_has_a_shape():
    for job in gpu_jobs(paper_plan()):
        for part in job.parts:
            if part.stage not in ("score", "oracle_stats"):
                assert part.shape.parameters > 6e9


def words(size: int) -> PreTrainedTokenizerFast:
    """A tokenizer of whole words, so that lengths are what they seem."""
    known = ["<unk>", "<eos>", "<pad>", "Human:", "Assistant:", *OBJECTIVES]
    known += [f"{i / 100:.2f}" for i in range(101)]
    known += [f"t{i}" for i in range(size - len(known))]
    vocabulary = {word: i for i, word in enumerate(known)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<eos>", pad_token="<pad>", unk_token="<unk>"
    )


class Lengths:
    """An oracle that holds nothing."""

    def __init__(self, objective):
        self.objective = objective

    def score(self, prompts, responses):
        return np.array([float(len(y)) for y in responses])


def measured_step(config, dtype, dropout, checkpointing, prompts, prompt, new, folder) -> float:
    """Bytes that the CPU allocator holds at most in one MI-EPO step, beyond the model's own."""
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config, dtype=getattr(torch, dtype))
    model.requires_grad_(False)
    x = " ".join(f"t{i}" for i in range(prompt - 6))  # and "Human:", two weights, "Assistant:"
    settings = OnlineStage(
        batch_size=prompts,
        micro_batch_size=prompts,
        gradient_checkpointing=checkpointing,
        dtype=dtype,
        max_new_tokens=new,
    )
    trainer = OnlineTrainer(
        model=add_adapter(model, LoraSettings(**LORA, dropout=dropout), seed=0),
        tokenizer=words(config.vocab_size),
        rows=[{"prompt_id": i, "prompt": x, "x": x} for i in range(prompts)],
        oracles=[Lengths(name) for name in OBJECTIVES],
        scale=RewardScale(tuple(OBJECTIVES), np.zeros(2), np.ones(2)),
        loss=loss,
        settings=settings,
        run=TrainingRun(folder, seed=0, title="one step", operation=OperationSettings()),
    )
    trainer.args.max_steps = 1
    gc.collect()  # or what earlier tests left is freed inside, and counted as negative
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        trainer.train()
    events = profiler.profiler.kineto_results.events()
    changes = sorted((e.start_ns(), e.nbytes()) for e in events if e.name() == "[memory]")
    return float(np.cumsum([size for _, size in changes]).max())


@pytest.mark.parametrize(
    ("family", "changes", "dtype", "dropout", "checkpointing", "prompts", "prompt", "new"),
    [
        # The peak is at the loss, with the activations of all layers.
        ("llama", {"vocab_size": 16000}, "float32", 0.0, False, 4, 64, 32),
        # The peak is inside a layer that is made again, in mixed precision with grouped queries.
        pytest.param(
            "qwen3",
            {"vocab_size": 1000, "num_key_value_heads": 2, "head_dim": 64},
            *("bfloat16", 0.05, True, 8, 300, 8),
            marks=BF16,
        ),
    ],
    ids=["llama", "qwen3"],
)
def test_the_estimate_of_an_online_step_is_within_10_percent_of_its_measured_peak(
    family, changes, dtype, dropout, checkpointing, prompts, prompt, new, tmp_path
):
    entry = {"model_type": family, "head": "language_model", **SMALL, **changes}
    shape = read_shape(entry)
    config = AutoConfig.for_model(
        **{k: v for k, v in entry.items() if k != "head"}, eos_token_id=1, pad_token_id=2
    )
    measured = measured_step(config, dtype, dropout, checkpointing, prompts, prompt, new, tmp_path)

    width = 4 if dtype == "float32" else 2
    policy = Policy(shape, width, {**LORA, "dropout": dropout}, dropout_mask=4)
    # "0.30 harmlessness 0.70 Assistant:" is what differs between w+ and w-.
    tree = Tree(prompts, prompt - 4, 2, 4, 2, new)
    moments = {
        "reference": tree_reference(policy, tree),
        **tree_training(policy, tree, checkpointing),
        **sampling_moments(policy, 2 * prompts, 2, prompt, new, 4, adapters=True),
    }
    estimated = max(sum(items.values()) for items in moments.values())
    assert measured > 1e8
    assert estimated == pytest.approx(measured, rel=0.1)
    # The adapter's state is small here, and counted apart: Adam's two moments and the gradient.
    state = training_state(policy, processes=1)
    assert state["Adam's moments"] == 2 * state["gradients"] == 8 * shape.adapter_parameters(LORA)


def paper_plan(**operation) -> Plan:
    raw = yaml.safe_load(PAPER.read_text())
    for task in raw["tasks"].values():
        task["operation"] = {**task.get("operation", {}), **operation}
    return Plan(resolve(raw))


def by_job(plan: Plan) -> dict[tuple[str, str, str], float]:
    return {(p.task, p.job, p.gpu): p.total / GB for p in peaks(gpu_jobs(plan))}


def test_placing_the_oracles_moves_their_weights():
    apart, same, offloaded = (
        by_job(paper_plan(oracle_placement=where, cache_gib=4))
        for where in ("second_gpu", "same_gpu", "cpu_offload")
    )
    online = ("safety", "online", "policy")
    assert ("safety", "online", "oracles") in apart
    assert ("safety", "online", "oracles") not in same
    assert apart[online] < 30 < 40 < same[online]  # two Beavers beside the policy are 41 GB
    assert apart[online] < offloaded[online] < same[online]  # one at a time, while they score


def test_what_is_told_of_the_code_is_what_the_code_has():
    """Estimates import no torch, so they repeat these."""
    assert (tensors.PREFILL, tensors.LOGITS) == (decoding.PREFILL, head.BUDGET)
    assert (cost.PROMPTS, ROUND) == (responses.PROMPTS, SHARD)
    assert answers.PROMPTS == ANSWERED
    policy = Policy(shape_of("Qwen/Qwen3-8B-Base"), 2, LORA)
    gib = 100 * policy.kv_cache(decoding.columns_of(50, 9)) / 2**30
    assert rows_decoded(policy, 1000, 50, 9, gib) == 100


def test_no_block_of_logits_is_larger_than_a_third_of_a_gb():
    """All responses under all vectors at once, which would be 13 GB of logits, and fit."""
    policy = Policy(shape_of("Qwen/Qwen3-8B-Base"), 2, {**LORA, "dropout": 0.0})
    whole = Tree(1, 482, 13, 30, 13, 128)
    assert policy.logits(whole.columns) > 12 * GB
    moment = tree_reference(policy, whole)
    assert moment["a block of logits, twice"] < 2 * 0.3 * GB
    assert policy.weights + sum(moment.values()) < 40 * GB
    parts = [part for job in gpu_jobs(paper_plan()) for part in job.parts]
    likelihoods = [p for p in peaks(parts) if (p.task, p.job) == ("assistant3", "likelihoods")]
    assert likelihoods and max(p.total for p in likelihoods) < 30 * GB


def test_a_block_is_one_job_that_never_holds_policy_and_oracles_at_once():
    jobs = [job for job in gpu_jobs(paper_plan()) if job.stage == "evaluate"]
    assert not PARTS & {job.stage for job in gpu_jobs(paper_plan())}
    soups = next(job for job in jobs if job.runs == ["rewarded_soups"] and job.task == "safety")
    assert [part.stage for part in soups.parts] == [*STAGES["evaluate"].parts]
    (whole,) = peaks([soups])
    assert whole.job == "evaluate" and whole.users == ("rewarded_soups",)
    assert whole.total == max(peak.total for peak in peaks(soups.parts))
    policy, oracles = soups.parts[0].shape, [shape for shape, _ in soups.parts[-1].oracles]
    assert whole.total < 2 * (policy.parameters + sum(o.parameters for o in oracles))


@pytest.mark.parametrize(
    ("limit", "status", "verdict"), [("40", 0, "| yes |"), ("30", 1, "**no**")]
)
def test_the_exit_status_says_whether_the_papers_jobs_fit(
    limit, status, verdict, monkeypatch, capsys
):
    monkeypatch.setattr(sys, "argv", ["plan", "--configfile", str(PAPER), "--gpu-gb", limit])
    with pytest.raises(SystemExit) as ended:
        plan_memory.main()
    assert ended.value.code == status
    assert verdict in capsys.readouterr().out


def test_a_model_without_a_shape_is_named():
    path = CONFIG_FOLDER / "synthetic.yaml"
    with pytest.raises(ConfigError, match=r"published_shapes.yaml has no shape of 'scratch_llama'"):
        peaks(gpu_jobs(Plan(resolve(yaml.safe_load(path.read_text())))))
