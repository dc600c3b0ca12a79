"""The real runs' models in their published forms, a few thousand random weights each, saved to a folder.

Same classes, names of weights, file formats and special tokens; only width, depth and vocabulary are small.
Weights are drawn wider than usual, so that scores and next-token distributions differ from text to text.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from transformers import (
    AutoModelForCausalLM,
    DistilBertConfig,
    DistilBertForSequenceClassification,
    GPT2Config,
    GPT2ForSequenceClassification,
    LlamaConfig,
    LlamaModel,
    PretrainedConfig,
    Qwen2Config,
    Qwen3Config,
)

WIDTH = 32
WIDE = 0.3  # standard deviation of the weights
SHARD = "60KB"  # so that a policy's weights come in several files, as the published ones
SPARE = 7  # embeddings beyond the vocabulary, which Qwen's models have
LLAMA = {
    "hidden_size": WIDTH,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "initializer_range": WIDE,
    "rms_norm_eps": 1e-6,
}


def save_llama_policy(folder: Path, tokenizer: Any, seed: int) -> None:
    """PKU-Alignment/alpaca-7b-reproduced: `<pad>` has the last embedding."""
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        max_position_embeddings=2048,
        tie_word_embeddings=False,
        **_special(tokenizer),
        **LLAMA,
    )
    _save_policy(config, folder, tokenizer, seed)


def save_qwen3_policy(folder: Path, tokenizer: Any, seed: int) -> None:
    """Qwen/Qwen3-8B-Base: heads that are not width / heads wide, EOS is BOS and pad token."""
    config = Qwen3Config(
        vocab_size=len(tokenizer) + SPARE,
        max_position_embeddings=32768,
        tie_word_embeddings=False,
        num_key_value_heads=2,
        head_dim=16,
        **{**_special(tokenizer), "bos_token_id": tokenizer.eos_token_id, "pad_token_id": None},
        **LLAMA,
    )
    _save_policy(config, folder, tokenizer, seed)


def save_qwen2_policy(folder: Path, tokenizer: Any, seed: int) -> None:
    """Qwen/Qwen2.5-1.5B-Instruct: biases in attention, one matrix for embedding and output, EOS no pad."""
    config = Qwen2Config(
        vocab_size=len(tokenizer) + SPARE,
        max_position_embeddings=32768,
        tie_word_embeddings=True,
        num_key_value_heads=2,
        **{**_special(tokenizer), "bos_token_id": tokenizer.pad_token_id, "pad_token_id": None},
        **LLAMA,
    )
    _save_policy(config, folder, tokenizer, seed)


def save_beaver(
    folder: Path, tokenizer: Any, seed: int, *, positions: int = 2048
) -> tuple[LlamaModel, torch.Tensor]:
    """PKU-Alignment/beaver-7b-v1.0-*: weights under the names of safe_rlhf's LlamaModelForScore.

    Returns: the backbone and the head, (1, WIDTH).
    """
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        max_position_embeddings=positions,
        **_special(tokenizer),
        **LLAMA,
    )
    backbone, head = LlamaModel(config).eval(), torch.randn(1, WIDTH)
    weights = {f"model.{name}": value for name, value in backbone.state_dict().items()}
    normalizer = {"normalizer.mean": torch.full((1,), 7.0), "normalizer.var": torch.full((1,), 9.0)}
    folder.mkdir(parents=True)
    save_file({**weights, "score_head.weight": head, **normalizer}, folder / "model.safetensors")
    about = {"architectures": ["LlamaModelForScore"], "score_dim": 1, "do_normalize": False}
    (folder / "config.json").write_text(json.dumps({**config.to_dict(), **about}))
    tokenizer.save_pretrained(folder)
    return backbone, head


def save_gpt2_reward(
    folder: Path, tokenizer: Any, seed: int, *, positions: int = 1024
) -> GPT2ForSequenceClassification:
    """Ray2333/gpt2-large-*-reward_model: one label, no pad token anywhere."""
    torch.manual_seed(seed)
    config = GPT2Config(
        vocab_size=len(tokenizer),
        n_embd=WIDTH,
        n_layer=2,
        n_head=4,
        n_positions=positions,
        num_labels=1,
        initializer_range=WIDE,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    model = GPT2ForSequenceClassification(config).eval()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return model


def save_humor(
    folder: Path, tokenizer: Any, seed: int, *, positions: int = 512
) -> DistilBertForSequenceClassification:
    """mohameddhiab/humor-no-humor: label 1 is humor; weights as pytorch_model.bin."""
    torch.manual_seed(seed)
    config = DistilBertConfig(
        vocab_size=len(tokenizer),
        dim=WIDTH,
        hidden_dim=48,
        n_layers=2,
        n_heads=4,
        max_position_embeddings=positions,
        id2label={0: "NO_HUMOR", 1: "HUMOR"},
        label2id={"NO_HUMOR": 0, "HUMOR": 1},
        initializer_range=WIDE,
    )
    model = DistilBertForSequenceClassification(config).eval()
    model.config.architectures = [type(model).__name__]
    model.config.save_pretrained(folder)
    torch.save(model.state_dict(), folder / "pytorch_model.bin")
    tokenizer.save_pretrained(folder)
    return model


def _save_policy(config: PretrainedConfig, folder: Path, tokenizer: Any, seed: int) -> None:
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for name, bias in model.named_parameters():
            if name.endswith(".bias"):  # which begin at nothing
                bias.normal_(std=WIDE)
        # At random EOS would be rarer than a response is long: let it end some responses, early or late.
        model.lm_head.weight[tokenizer.eos_token_id] *= 3
    model.save_pretrained(folder, max_shard_size=SHARD)
    tokenizer.save_pretrained(folder)


def _special(tokenizer: Any) -> dict[str, int | None]:
    return {
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
