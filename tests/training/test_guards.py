"""Runs that would learn nothing, or next to nothing, without a word."""

from __future__ import annotations

import pytest

from moa.runtime.errors import JobError
from moa.runtime.settings import OperationSettings
from moa.training.bases.scratch_llama import build_tokenizer
from moa.training.loop import TrainingRun
from moa.training.settings import OptimizerSettings
from moa.training.sft import tokenize_example, train_sft
from support.tiny_models import tiny_llama

SETTINGS = OptimizerSettings(epochs=1, learning_rate=1e-2, batch_size=64, micro_batch_size=8)


def train(folder, n_rows, **changes):
    tokenizer = build_tokenizer()
    model = tiny_llama(vocab_size=len(tokenizer))
    before = model.lm_head.weight.clone()
    examples = [tokenize_example("Human: 1 Assistant:", "2 3", tokenizer, 9) for _ in range(n_rows)]
    settings = SETTINGS.model_copy(update=changes)
    run = TrainingRun(folder, 0, "sft", OperationSettings(checkpoint_minutes=60))
    train_sft(model, tokenizer, examples, settings, "float32", run)
    return bool((model.lm_head.weight != before).any())


def test_one_step_that_is_all_warm_up_is_refused(tmp_path):
    with pytest.raises(
        JobError, match=r"nothing would be learned: its 1 step\(s\).*warmup_ratio to 0"
    ):
        train(tmp_path, n_rows=10)


def test_few_steps_are_said(tmp_path, caplog):
    assert train(tmp_path / "one", n_rows=10, warmup_ratio=0.0)
    assert "only 1 step(s)" in caplog.text
    caplog.clear()
    assert train(tmp_path / "five", n_rows=40, batch_size=8)
    assert "step(s)" not in caplog.text
