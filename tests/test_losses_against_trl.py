"""One objective without exploration is online DPO: the same loss and gradient as TRL's trainer.

TRL generates, scores and takes its optimiser steps; every step is recorded with the parameters it
started from, and its loss and gradient are then computed once more by this library.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import pytest
import torch
from datasets import Dataset
from peft import LoraConfig
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast
from trl.experimental.online_dpo import OnlineDPOConfig, OnlineDPOTrainer

from moa.logprobs import sequence_logprobs, tree_logprobs
from moa.losses import mi_epo_loss, scalarised_dpo_loss
from support.tiny_models import randomise_lora_b, tiny_llama

BETA = 0.3
WORDS = ["<pad>", "<eos>", "<unk>"] + [f"w{i}" for i in range(37)]
PROMPTS = ["w1 w2 w3 w4", "w5 w6 w7 w8 w9 w10 w11", "w12 w3 w4 w5", "w30 w31 w32 w33 w34 w35"]


@dataclass
class Step:
    """What TRL's training step saw and made; rows hold y1 of every prompt, then y2."""

    parameters: dict[str, torch.Tensor]
    prompt_ids: torch.Tensor
    prompt_mask: torch.Tensor
    completion_ids: torch.Tensor
    completion_mask: torch.Tensor
    rewards: torch.Tensor
    loss: torch.Tensor
    gradient: dict[str, torch.Tensor]


class Recorder(OnlineDPOTrainer):
    """TRL's trainer, unchanged, with its inputs and outputs kept."""

    def _generate(self, *args, **kwargs):
        self.generated = super()._generate(*args, **kwargs)
        return self.generated

    def _calculate_rewards_from_functions(self, *args, **kwargs):
        self.rewards = super()._calculate_rewards_from_functions(*args, **kwargs)
        return self.rewards

    def training_step(self, model, inputs, num_items_in_batch=None):
        trainable = {n: p for n, p in model.named_parameters() if p.requires_grad}
        before = {name: p.detach().clone() for name, p in trainable.items()}
        loss = super().training_step(model, inputs, num_items_in_batch)
        gradient = {name: p.grad.clone() for name, p in trainable.items()}
        self.steps.append(Step(before, *self.generated[:4], self.rewards.clone(), loss, gradient))
        return loss


def reward(completion_ids, **_) -> list[float]:
    """Depends on every token, so that two different completions are hardly ever equal."""
    return [sum((i + 1) * (t % 17) for i, t in enumerate(ids)) / 100 for ids in completion_ids]


def constant_reward(completion_ids, **_) -> list[float]:
    return [1.0] * len(completion_ids)


def word_tokenizer() -> PreTrainedTokenizerFast:
    vocabulary = {word: i for i, word in enumerate(WORDS)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<eos>", unk_token="<unk>"
    )


def train_with_trl(folder, *, reward_func=reward, peft_config=None) -> Recorder:
    """Three steps of online DPO on a policy that already differs from its reference."""
    arguments = OnlineDPOConfig(
        output_dir=str(folder),
        use_cpu=True,
        bf16=False,
        gradient_checkpointing=False,
        per_device_train_batch_size=4,
        gradient_accumulation_steps=1,
        max_steps=3,
        learning_rate=1e-3,
        max_grad_norm=0.0,
        max_new_tokens=6,
        temperature=1.0,
        missing_eos_penalty=None,
        beta=BETA,
        seed=1,
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
    )
    trainer = Recorder(
        model=tiny_llama(seed=0, vocab_size=len(WORDS)),
        ref_model=None if peft_config else tiny_llama(seed=1, vocab_size=len(WORDS)),
        reward_funcs=reward_func,
        args=arguments,
        train_dataset=Dataset.from_dict({"prompt": PROMPTS}),
        processing_class=word_tokenizer(),
        peft_config=peft_config,
    )
    trainer.steps = []
    if peft_config:
        randomise_lora_b(trainer.model, seed=2)
    trainer.train()
    return trainer


@pytest.fixture(scope="module")
def full_run(tmp_path_factory):
    return train_with_trl(tmp_path_factory.mktemp("full"))


@pytest.fixture(scope="module")
def tied_run(tmp_path_factory):
    return train_with_trl(tmp_path_factory.mktemp("tied"), reward_func=constant_reward)


@pytest.fixture(scope="module")
def lora_run(tmp_path_factory):
    config = LoraConfig(r=4, lora_alpha=8, lora_dropout=0.0, target_modules=["q_proj", "v_proj"])
    return train_with_trl(tmp_path_factory.mktemp("lora"), peft_config=config)


def policy_at(trainer: Recorder, step: Step):
    """A copy of the policy as it was when the step began."""
    model = copy.deepcopy(trainer.model)
    model.zero_grad()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name in step.parameters:
                parameter.copy_(step.parameters[name])
    return model


def plain_logps(model, step: Step) -> torch.Tensor:
    """(B, 2), from TRL's own padded rows."""
    ids = torch.cat([step.prompt_ids, step.completion_ids], dim=1)
    attention = torch.cat([step.prompt_mask, step.completion_mask], dim=1)
    completion = torch.cat([torch.zeros_like(step.prompt_mask), step.completion_mask], dim=1)
    return sequence_logprobs(model, ids, attention, completion).view(2, -1).T


def tree_logps(model, step: Step) -> torch.Tensor:
    """(B, 2), from shared prefixes; the last two tokens of a prompt stand for its condition."""
    b = len(step.prompt_ids) // 2
    prompts = [step.prompt_ids[i][step.prompt_mask[i].bool()] for i in range(b)]
    rows = [
        ids[mask.bool()]
        for ids, mask in zip(step.completion_ids, step.completion_mask, strict=True)
    ]
    return tree_logprobs(
        model,
        [prompt[:-2] for prompt in prompts],
        [[prompt[-2:]] for prompt in prompts],
        [[rows[i], rows[b + i]] for i in range(b)],
    )[:, 0]


def assert_same_step(trainer: Recorder, step: Step, logps, loss_function, **settings) -> None:
    model = policy_at(trainer, step)
    with torch.no_grad():
        if trainer.ref_model is None:
            with model.disable_adapter():
                ref_logps = logps(model, step)
        else:
            ref_logps = logps(trainer.ref_model, step)
    policy_logps = logps(model, step)
    rewards = step.rewards.view(2, -1).T[:, :, None]
    weights = torch.ones(len(rewards), 1)
    if loss_function is mi_epo_loss:
        inputs = (policy_logps, ref_logps, None, None, rewards, weights)
        settings["beta_w"] = 0.0
    else:
        inputs = (policy_logps, ref_logps, rewards, weights)
    loss = loss_function(*inputs, beta_c=BETA, **settings).loss
    torch.testing.assert_close(loss.detach(), step.loss, rtol=2e-5, atol=1e-6)
    loss.backward()
    gradient = {n: p.grad for n, p in model.named_parameters() if p.requires_grad}
    assert gradient.keys() == step.gradient.keys()
    for name, expected in step.gradient.items():
        scale = float(expected.abs().max())
        assert scale > 0, name
        torch.testing.assert_close(gradient[name], expected, rtol=1e-4, atol=2e-5 * scale)


def test_the_recorded_steps_can_tell_a_wrong_loss_from_a_right_one(full_run, lora_run, tied_run):
    for trainer in (full_run, lora_run):
        assert len(trainer.steps) == 3
        for step in trainer.steps:
            first, second = step.rewards.view(2, -1)
            assert (first != second).all(), "ties would be another question"
            assert abs(float(step.loss) - 0.6931) > 0.01, "policy and reference must differ"
        winners = torch.cat([step.rewards.view(2, -1).argmax(0) for step in trainer.steps])
        assert 0 < winners.sum() < len(winners), "y1 must win some pairs and lose others"
        lengths = torch.cat([step.completion_mask.sum(1) for step in trainer.steps])
        assert lengths.min() < lengths.max(), "completions of several lengths"
        assert not all(step.prompt_mask.all() for step in trainer.steps), "left padding"
        first, last = (trainer.steps[i].parameters for i in (0, -1))
        assert all(not torch.equal(first[name], last[name]) for name in first)
    assert all((step.rewards == 1).all() for step in tied_run.steps)


@pytest.mark.parametrize("loss_function", [mi_epo_loss, scalarised_dpo_loss])
@pytest.mark.parametrize("logps", [plain_logps, tree_logps])
def test_full_fine_tuning(full_run, logps, loss_function):
    for step in full_run.steps:
        assert_same_step(full_run, step, logps, loss_function)


@pytest.mark.parametrize("logps", [plain_logps, tree_logps])
def test_lora_with_the_adapter_switched_off_as_reference(lora_run, logps):
    for step in lora_run.steps:
        assert_same_step(lora_run, step, logps, mi_epo_loss)


@pytest.mark.parametrize("loss_function", [mi_epo_loss, scalarised_dpo_loss])
def test_ties_first_is_what_trl_does(tied_run, loss_function):
    for step in tied_run.steps:
        assert_same_step(tied_run, step, plain_logps, loss_function, ties="first")
