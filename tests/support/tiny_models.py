"""Randomly initialised models of a few thousand parameters, for tests that need a real network.

The initial weights are drawn wider than usual: with the default 0.02 every next-token
distribution is almost uniform, and a test could not tell a right position or mask from a wrong one.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import (
    AutoModelForCausalLM,
    GPT2Config,
    GPTNeoConfig,
    LlamaConfig,
    MistralConfig,
    PretrainedConfig,
    PreTrainedModel,
    Qwen3Config,
)

# Networks this small gain nothing from threads, which on a busy machine only wait for each other.
torch.set_num_threads(1)

VOCAB = 101
WIDTH = 32
SPECIAL = {"bos_token_id": None, "eos_token_id": 1, "pad_token_id": 0}
SHAPE = {  # as most decoders name it
    "vocab_size": VOCAB,
    "hidden_size": WIDTH,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "initializer_range": 0.3,
    **SPECIAL,
}


def tiny_llama(seed: int = 0, *, vocab_size: int = VOCAB) -> PreTrainedModel:
    """A 2-layer Llama with grouped-query attention and separate input and output embeddings."""
    return made_from(
        LlamaConfig(**SHAPE | {"vocab_size": vocab_size, "tie_word_embeddings": False}),
        seed,
    )


def tiny_qwen3(seed: int = 0, *, vocab_size: int = VOCAB) -> PreTrainedModel:
    """A 2-layer Qwen3: normalised queries and keys, and a head size that is not width / heads."""
    return made_from(
        Qwen3Config(
            **SHAPE | {"vocab_size": vocab_size, "head_dim": 16, "tie_word_embeddings": True}
        ),
        seed,
    )


def tiny_gpt2(seed: int = 0, *, vocab_size: int = VOCAB, dropout: float = 0.0) -> PreTrainedModel:
    """A 2-layer GPT-2: learned absolute positions, so wrong position ids show at once."""
    return made_from(
        GPT2Config(
            vocab_size=vocab_size,
            n_embd=WIDTH,
            n_layer=2,
            n_head=4,
            n_positions=256,
            resid_pdrop=dropout,
            embd_pdrop=dropout,
            attn_pdrop=dropout,
            initializer_range=0.3,
            **SPECIAL,
        ),
        seed,
    )


def tiny_mistral(seed: int = 0, *, vocab_size: int = VOCAB) -> PreTrainedModel:
    """A Llama whose tokens see the nearest 8 alone."""
    return made_from(MistralConfig(**SHAPE | {"vocab_size": vocab_size}, sliding_window=8), seed)


def tiny_gpt_neo(seed: int = 0, *, vocab_size: int = VOCAB) -> PreTrainedModel:
    """A window of 8 of its own, which no mask of transformers shows."""
    return made_from(
        GPTNeoConfig(
            vocab_size=vocab_size,
            hidden_size=WIDTH,
            num_layers=2,
            num_heads=4,
            attention_types=[[["global", "local"], 1]],
            window_size=8,
            max_position_embeddings=256,
            initializer_range=0.3,
            **SPECIAL,
        ),
        seed,
    )


BUILDERS = {"llama": tiny_llama, "qwen3": tiny_qwen3, "gpt2": tiny_gpt2}
WINDOWED = {"mistral": tiny_mistral, "gpt_neo": tiny_gpt_neo}


def with_lora(model: PreTrainedModel, seed: int = 0) -> PeftModel:
    """Wrap in a LoRA adapter whose B is random too, so that the adapter changes the outputs."""
    gpt2 = model.config.model_type == "gpt2"
    targets = ["c_attn"] if gpt2 else ["q_proj", "v_proj", "down_proj"]
    torch.manual_seed(seed)
    wrapped = get_peft_model(
        model,
        LoraConfig(
            r=4, lora_alpha=8, target_modules=targets, fan_in_fan_out=gpt2, task_type="CAUSAL_LM"
        ),
    )
    randomise_lora_b(wrapped, seed)
    return wrapped


def randomise_lora_b(model: PeftModel, seed: int = 0) -> None:
    """Replace LoRA's initial B = 0, under which policy and reference are the same."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.copy_(0.3 * torch.randn(parameter.shape, generator=generator))


def random_ids(
    lengths: Sequence[int], generator: torch.Generator, *, vocab_size: int = VOCAB
) -> list[torch.Tensor]:
    """One 1-D id tensor per length; ids 0 and 1 (padding, end) are not drawn."""
    return [torch.randint(2, vocab_size, (length,), generator=generator) for length in lengths]


def made_from(config: PretrainedConfig, seed: int = 0) -> PreTrainedModel:
    """A model of any architecture, with random weights."""
    torch.manual_seed(seed)
    return AutoModelForCausalLM.from_config(config).float().eval()
