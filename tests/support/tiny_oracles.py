"""The rehearsal's reward models with few positions, and the paper's config for them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
import yaml
from transformers import (
    DistilBertForSequenceClassification,
    GPT2ForSequenceClassification,
    LlamaModel,
    RobertaConfig,
    RobertaForSequenceClassification,
)

from moa.tools.rehearsal import models
from moa.workflow.config import resolve
from moa.workflow.sources import pin
from support.paths import CONFIG
from support.tiny_tokenizers import (
    distilbert_tokenizer,
    gpt2_tokenizer,
    llama_tokenizer,
    roberta_tokenizer,
)

torch.set_num_threads(1)
PAPER = CONFIG / "paper.yaml"


def paper_oracle(task: str, objective: str, folder: Path, **changes: Any) -> dict[str, Any]:
    """An oracle's entry of config/paper.yaml, with a local model in float32."""
    oracles = pin(resolve(yaml.safe_load(PAPER.read_text())).tasks[task]).oracles
    return {**oracles[objective], "model": str(folder), "dtype": "float32", **changes}


def save_beaver(folder: Path, padding_side: str = "right") -> tuple[LlamaModel, torch.Tensor]:
    """Returns: backbone, (1, W) head."""
    saved = models.save_beaver(folder, llama_tokenizer(), 0, positions=128)
    _pad_on(folder, padding_side)
    return saved


def save_gpt2_reward(folder: Path, padding_side: str = "right") -> GPT2ForSequenceClassification:
    model = models.save_gpt2_reward(folder, gpt2_tokenizer(), 0, positions=128)
    _pad_on(folder, padding_side)
    return model


def save_humor(folder: Path) -> DistilBertForSequenceClassification:
    """Reads 64 tokens."""
    return models.save_humor(folder, distilbert_tokenizer(), 0, positions=64)


def save_roberta(folder: Path) -> RobertaForSequenceClassification:
    """Reads 32 tokens: of 34 positions, the first two are for padding."""
    tokenizer = roberta_tokenizer()
    torch.manual_seed(0)
    config = RobertaConfig(
        vocab_size=len(tokenizer),
        hidden_size=models.WIDTH,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=34,
        num_labels=1,
        initializer_range=models.WIDE,
    )
    model = RobertaForSequenceClassification(config).eval()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return model


def _pad_on(folder: Path, side: str) -> None:
    path = folder / "tokenizer_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "padding_side": side}))
