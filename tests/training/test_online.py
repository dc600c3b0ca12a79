"""Training for real on a tiny model of the synthetic world."""

import json
import threading

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from transformers import TrainerCallback

from moa.datasets import world as generated
from moa.datasets.synthetic_world import load
from moa.models.policies import add_adapter, load_policy, load_tokenizer, save_adapter
from moa.models.prompts import distinct_prompts, truncate_prompt
from moa.oracles.base import OracleError, load_oracles
from moa.oracles.scale import RewardScale
from moa.preferences import build_prompt
from moa.runtime.errors import JobError
from moa.runtime.settings import OperationSettings
from moa.training import online as online_module
from moa.training.bases.scratch_llama import build
from moa.training.checkpoints import last_checkpoint
from moa.training.loop import TrainingRun, train
from moa.training.online import OnlineTrainer
from moa.training.online_losses.mi_epo import loss
from moa.training.sft import conditioned_examples, tokenize_example
from moa.workflow.config import resolve
from moa.workflow.sources import pin
from support.paths import TINY

OBJECTIVES = ["helpfulness", "harmlessness"]
OPERATION = OperationSettings(checkpoint_minutes=60)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """(base folder, tokenizer, the tiny config's task)."""
    task = resolve(yaml.safe_load(TINY.read_text())).tasks["safety"]
    base = tmp_path_factory.mktemp("work") / "base"
    build(task.policy.base, {}, base)
    return base, load_tokenizer(base), task


def make_trainer(world, checkpoints, method="mi_epo", oracles=None, operation=OPERATION, **changes):
    base, tokenizer, task = world
    told = next(run.told for run in task.runs if run.method.name == method)
    prompts = generated.prompts()[::40]
    data = pd.DataFrame({"prompt_id": range(len(prompts)), "prompt": prompts})
    return OnlineTrainer(
        model=add_adapter(load_policy(base), task.policy.lora, seed=0),
        tokenizer=tokenizer,
        rows=distinct_prompts(data, OBJECTIVES, tokenizer, 64),
        oracles=oracles or load_oracles(OBJECTIVES, pin(task).oracles, {}),
        scale=RewardScale(tuple(OBJECTIVES), np.zeros(2), np.ones(2)),
        loss=loss,
        settings=told.model_copy(update={"logging_steps": 1, **changes}),
        run=TrainingRun(checkpoints, seed=0, title="test", operation=operation),
    )


def run(trainer):
    return train(trainer, trainer.run, trainer.settings.logging_steps, trainer.batches.save)


def test_beta_w_zero_makes_no_pass_under_w_minus(world, tmp_path, monkeypatch):
    passes = []
    real = online_module.tree_logprobs

    def spy(model, prefixes, conditions, responses):
        passes.append(len(conditions[0]))
        return real(model, prefixes, conditions, responses)

    monkeypatch.setattr(online_module, "tree_logprobs", spy)
    run(make_trainer(world, tmp_path / "a", "mo_odpo", epochs=0.2, warmup_ratio=0.0))
    assert set(passes) == {1}
    passes.clear()
    run(make_trainer(world, tmp_path / "b", "mi_epo", epochs=0.2, warmup_ratio=0.0))
    assert set(passes) == {2}


def test_the_reference_is_the_policy_below_so_the_first_loss_is_known(world, tmp_path):
    trainer = make_trainer(world, tmp_path, epochs=0.2, warmup_ratio=0.0)
    steps = [json.loads(line) for line in run(trainer).read_text().splitlines()]
    # With the adapter at zero every d is 0: each untied objective gives w_k log 2, and L_YW log 2.
    assert steps[0]["loss_exploration"] == pytest.approx(np.log(2), rel=1e-4)
    assert 0 < steps[0]["loss_alignment"] <= np.log(2) + 1e-4


class Interrupt(TrainerCallback):
    """Saves a checkpoint after `save` steps and dies after `die`, as a killed process would."""

    def __init__(self, save, die):
        self.save, self.die = save, die

    def on_step_end(self, args, state, control, **kwargs):
        control.should_save = state.global_step == self.save

    def on_step_begin(self, args, state, control, **kwargs):
        if state.global_step == self.die:
            raise KeyboardInterrupt


def test_a_killed_run_resumes_to_the_same_bytes(world, tmp_path):
    def finish(trainer, folder):
        metrics = run(trainer).read_bytes() + (folder / "explored.jsonl").read_bytes()
        save_adapter(trainer.model, folder)
        return metrics, (folder / "adapter" / "adapter_model.safetensors").read_bytes()

    whole = finish(make_trainer(world, tmp_path / "whole", epochs=2), tmp_path / "whole")
    broken = make_trainer(world, tmp_path / "broken", epochs=2)
    broken.add_callback(Interrupt(save=3, die=5))
    with pytest.raises(KeyboardInterrupt):
        run(broken)
    assert last_checkpoint(tmp_path / "broken").name == "checkpoint-3"
    (tmp_path / "broken" / "unfinished" / "checkpoint-4").mkdir()  # cut off while it was written
    resumed = finish(make_trainer(world, tmp_path / "broken", epochs=2), tmp_path / "broken")
    assert resumed == whole


def test_a_loss_that_is_not_finite_stops_with_the_batch_saved(world, tmp_path):
    trainer = make_trainer(world, tmp_path, beta_c=1e39)
    with pytest.raises(JobError, match=r"step \d+: .* not finite.*saved in") as caught:
        run(trainer)
    (saved,) = tmp_path.glob("not_finite_step_*.json")
    assert str(saved) in str(caught.value)
    batch = json.loads(saved.read_text())[0]
    assert len(batch["prompts"]) == len(batch["responses"]) > 0


def test_a_run_that_diverges_stops_where_it_would_sample(world, tmp_path):
    trainer = make_trainer(world, tmp_path, learning_rate=1e30, max_grad_norm=1e30, epochs=2)
    with pytest.raises(JobError, match=r"logits after 'Human: .*lower learning rate"):
        run(trainer)


def test_an_oracles_nan_stops_the_run_and_names_it(world, tmp_path):
    class Broken:
        objective = "harmlessness"

        def score(self, prompts, responses):
            return np.full(len(prompts), np.nan)

    oracles = [load_oracles(OBJECTIVES, pin(world[2]).oracles, {})[0], Broken()]
    with pytest.raises(OracleError, match="oracle harmlessness returned nan for the prompt"):
        run(make_trainer(world, tmp_path, oracles=oracles))


def test_oracles_on_their_own_gpu_score_while_the_reference_is_asked(world, tmp_path, monkeypatch):
    asked = threading.Event()
    real = online_module.tree_logprobs

    def reference(*arguments):
        asked.set()
        return real(*arguments)

    class Waiting:
        """Scores when the reference has been asked: for ever, were they to take turns."""

        def __init__(self, oracle):
            self.objective, self.oracle = oracle.objective, oracle

        def score(self, prompts, responses):
            assert asked.wait(60)
            asked.clear()
            return self.oracle.score(prompts, responses)

    oracles = load_oracles(OBJECTIVES, pin(world[2]).oracles, {})
    in_turn = run(make_trainer(world, tmp_path / "in_turn", epochs=0.5)).read_bytes()
    monkeypatch.setattr(online_module, "tree_logprobs", reference)
    apart = OperationSettings(checkpoint_minutes=60, oracle_placement="second_gpu")
    waiting = [Waiting(oracles[0]), oracles[1]]
    trainer = make_trainer(world, tmp_path / "apart", epochs=0.5, oracles=waiting, operation=apart)
    assert run(trainer).read_bytes() == in_turn


def test_the_content_of_a_batch_does_not_depend_on_how_it_is_split(world, tmp_path):
    """Sampling and weights are keyed by prompt, so micro-batches give the same responses."""
    weights, texts = [], []
    for micro in (8, 2):
        trainer = make_trainer(world, tmp_path / str(micro), micro_batch_size=micro)
        rows = trainer.train_dataset[:8]
        w, _ = trainer.draw_weights([r["prompt_id"] for r in rows], 5)
        sampled = []
        for start in range(0, 8, micro):
            part = slice(start, start + micro)
            ids = trainer.prompt_ids(rows[part], w[part])
            sampled += trainer.sample(trainer.model, rows[part], ids, 5)
        weights.append(w)
        texts.append([[r.text for r in pair] for pair in sampled])
    assert (weights[0] == weights[1]).all() and texts[0] == texts[1]


def test_w_minus_keeps_its_distance(world, tmp_path):
    far = make_trainer(world, tmp_path / "far", w_neg_distance=0.9)
    pos, neg = far.draw_weights(list(range(200)), 0)
    assert np.abs(pos - neg).sum(axis=1).min() >= 0.9
    free = make_trainer(world, tmp_path / "free")
    same, anywhere = free.draw_weights(list(range(200)), 0)
    assert (same == pos).all()  # w+ is the same draw
    assert np.abs(same - anywhere).sum(axis=1).min() < 0.2
    assert np.allclose(neg.sum(axis=1), 1)


def test_what_was_explored_is_kept_with_its_w(world, tmp_path):
    trainer = make_trainer(world, tmp_path, epochs=0.5)
    run(trainer)
    frame = trainer.explored.frame(OBJECTIVES)
    steps = trainer.state.global_step
    assert len(frame) == steps * 8 * 2 and frame["progress"].iloc[-1] == 1
    w, _ = trainer.draw_weights([row["prompt_id"] for row in trainer.train_dataset], 0)
    first = frame[frame["step"] == 0][["w_helpfulness", "w_harmlessness"]].to_numpy()
    assert {tuple(row) for row in first} <= {tuple(row) for row in w}
    logged = [json.loads(x) for x in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    mean = frame[frame["step"] == 1]["raw_helpfulness"].mean()
    assert mean == pytest.approx(logged[1]["raw_helpfulness"])


def test_sft_loss_falls_on_the_response_and_eos_only(world):
    tokenizer = world[1]
    prompt = build_prompt("explain bread today", OBJECTIVES, [0.3, 0.7])
    example = tokenize_example(prompt, "flour yeast", tokenizer, max_response_tokens=8)
    learned = [t for t in example["labels"] if t != -100]
    assert tokenizer.convert_ids_to_tokens(learned) == ["flour", "yeast", "</s>"]
    assert tokenizer(prompt)["input_ids"] == example["input_ids"][: -len(learned)]
    cut = tokenize_example(prompt, "flour yeast salt", tokenizer, max_response_tokens=2)
    assert tokenizer.eos_token_id not in cut["input_ids"]


def test_routed_sft_takes_the_response_that_the_drawn_objective_prefers(world):
    _, tokenizer, task = world
    data = load({"corpus_seed": 0}, {}).to_pandas().iloc[:400]
    data["prompt_id"] = range(len(data))
    data["rewards"] = [[[1.0, 0.0], [0.0, 1.0]]] * len(data)  # chosen helps, rejected is harmless
    settings = task.sft.model_copy(update={"response": "routed"})
    examples = conditioned_examples(data, OBJECTIVES, settings, tokenizer, 0)
    chosen, weight = [], []
    for row, example in zip(data.itertuples(), examples, strict=True):
        text = tokenizer.decode([t for t in example["labels"] if t != -100][:-1])
        chosen.append(text == row.chosen)
        digits = tokenizer.decode(example["input_ids"]).split("helpfulness ")[1].split(" harm")[0]
        weight.append(float(digits.replace(" ", "")))
    assert pd.Series(chosen).corr(pd.Series(weight)) > 0.4


def test_more_draws_are_more_preference_vectors_for_the_same_response(world):
    _, tokenizer, task = world
    data = load({"corpus_seed": 0}, {}).to_pandas().iloc[:20]
    data["prompt_id"] = range(len(data))
    settings = task.sft.model_copy(update={"response": "chosen", "draws": 4})
    one = conditioned_examples(
        data, OBJECTIVES, settings.model_copy(update={"draws": 1}), tokenizer, 0
    )
    four = conditioned_examples(data, OBJECTIVES, settings, tokenizer, 0)
    assert four[::4] == one and len(four) == 80
    for i in range(0, 80, 4):
        responses = {tuple(t for t in e["labels"] if t != -100) for e in four[i : i + 4]}
        assert len(responses) == 1
    assert len({tuple(e["input_ids"]) for e in four}) > 70


def test_long_prompts_lose_their_front_and_never_the_weights(world):
    tokenizer = world[1]
    x = " ".join(["today"] * 100 + ["bread"])
    cut = truncate_prompt(x, OBJECTIVES, tokenizer, 40)
    ids = tokenizer(build_prompt(cut, OBJECTIVES, [0.3, 0.7]))["input_ids"]
    assert len(ids) == 40 and x.endswith(cut) and cut.endswith("bread")
    assert truncate_prompt("explain bread", OBJECTIVES, tokenizer, 40) == "explain bread"
    with pytest.raises(ValueError, match="max_prompt_tokens"):
        truncate_prompt(x, OBJECTIVES, tokenizer, 12)


def test_dropout_is_on_in_the_policy_pass_and_off_in_sampling_and_reference(world, tmp_path):
    trainer = make_trainer(world, tmp_path)
    seen = []

    def note(module, args):
        seen.append((module.training, torch.is_grad_enabled()))

    layer = next(m for n, m in trainer.model.named_modules() if n.endswith("lora_dropout.default"))
    layer.register_forward_pre_hook(note)
    trainer.model.get_base_model().register_forward_pre_hook(note)
    trainer.model.train()
    rows = trainer.train_dataset[:2]
    found = {online_module.EXPLORED: trainer.explore(rows, [slice(2)])}
    trainer.compute_loss(trainer.model.train(), found)
    assert {grad for training, grad in seen if training} == {True}
    assert {grad for training, grad in seen if not training} == {False}


def test_gradient_checkpointing_changes_no_figure_and_sampling_still_uses_the_cache(
    world, tmp_path
):
    figures, widths = [], []
    for checkpointing in (False, True):
        folder = tmp_path / str(checkpointing)
        trainer = make_trainer(world, folder, epochs=0.5, gradient_checkpointing=checkpointing)

        def note(module, args, kwargs, on=checkpointing, trainer=trainer):
            ids = kwargs["input_ids"]
            if not torch.is_grad_enabled() and kwargs.get("past_key_values") is not None:
                widths.append((on, ids.shape[1] == 1, trainer.model.is_gradient_checkpointing))

        inner = trainer.model.get_base_model()
        inner.register_forward_pre_hook(note, with_kwargs=True)
        figures.append(run(trainer).read_text())
    steps = [[json.loads(line) for line in text.splitlines()] for text in figures]
    for plain, checkpointed in zip(*steps, strict=True):
        assert checkpointed == pytest.approx(plain, rel=1e-5, abs=1e-7)
    decoding = [w for w in widths if w[0] and w[1]]
    assert decoding and all(enabled for _, _, enabled in decoding)
    # One reading of the prompts per step, and one token at a time after it.
    assert len(decoding) == sum(1 for on, single, _ in widths if not on and single)
