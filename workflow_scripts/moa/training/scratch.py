"""A small Llama from random weights, for bases that are trained in the workflow."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from moa.runtime.settings import OperationSettings
from moa.training.bases.settings import ScratchBase
from moa.training.loop import TrainingRun
from moa.training.sft import tokenize_example, train_sft


def train_from_scratch(
    settings: ScratchBase, tokenizer: Any, texts: Sequence[str], positions: int, out: Path
) -> None:
    """Train a Llama on whole texts, each with EOS after it; save it and its tokenizer below `out`.

    positions: tokens that a row may have.
    """
    torch.manual_seed(settings.seed)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=settings.hidden_size,
            intermediate_size=settings.hidden_size * 3,
            num_hidden_layers=settings.layers,
            num_attention_heads=settings.heads,
            max_position_embeddings=positions,
            tie_word_embeddings=False,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    examples = [
        tokenize_example("", text, tokenizer, max_response_tokens=positions) for text in texts
    ]
    train_sft(
        model,
        tokenizer,
        examples,
        settings,
        "float32",
        TrainingRun(
            out.parent / "checkpoints",
            settings.seed,
            "base",
            OperationSettings(checkpoint_minutes=60),
        ),
    )
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)
