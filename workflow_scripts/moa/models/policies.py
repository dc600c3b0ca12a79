"""A policy is a base model and an ordered list of LoRA adapters; only adapters are stored."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerBase

from moa.models.settings import LoraSettings

ADAPTER = "adapter"  # the subfolder of an entry that holds one


def load_tokenizer(base: Path) -> PreTrainedTokenizerBase:
    """The base model's tokenizer. Raises ValueError if it has no pad token distinct from EOS."""
    tokenizer = AutoTokenizer.from_pretrained(base)
    if tokenizer.eos_token_id is None or tokenizer.pad_token_id in (None, tokenizer.eos_token_id):
        raise ValueError(
            f"{base}: the tokenizer needs an EOS token and a different pad token; with pad == EOS "
            "the loss never sees EOS and the policy never learns to stop"
        )
    return tokenizer


def load_policy(base: Path, adapters: Sequence[Path] = (), dtype: str = "float32") -> Any:
    """The base model with all adapters (entry folders, in order) merged in memory, frozen."""
    model = AutoModelForCausalLM.from_pretrained(base, dtype=getattr(torch, dtype))
    for folder in adapters:
        model = PeftModel.from_pretrained(model, folder / ADAPTER).merge_and_unload()
    model.requires_grad_(False)
    # Sampling settings belong to the config; a base's own generation defaults must not leak in.
    model.generation_config = type(model.generation_config)()
    if torch.cuda.is_available():
        model = model.to(torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0"))))
    return model.eval()


def add_adapter(model: Any, lora: LoraSettings, seed: int) -> PeftModel:
    """A new trainable adapter on a frozen policy; with it off, the model is that policy.

    B starts at zero, so training starts at the policy below, which is therefore the reference of the
    losses (`model.disable_adapter()`).
    """
    torch.manual_seed(seed)
    targets = lora.target_modules
    config = LoraConfig(
        r=lora.rank,
        # Whole as PEFT has it, so that adapter_config.json says 128 for 128 and for 128.0.
        lora_alpha=int(lora.alpha) if lora.alpha.is_integer() else lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=targets if isinstance(targets, str) else list(targets),
        task_type="CAUSAL_LM",
    )
    return get_peft_model(model, config)


def save_adapter(model: PeftModel, entry: Path) -> None:
    """Write the adapter below an entry folder; equal adapters give equal bytes.

    Left out: the path of the base it was loaded from, and the adapter that TRL keeps as a reference.
    Sorted: a set's order differs by process.
    """
    config = model.peft_config["default"]
    config.base_model_name_or_path = ""  # PEFT would fill in None
    if isinstance(config.target_modules, set):
        config.target_modules = sorted(config.target_modules)
    model.save_pretrained(entry / ADAPTER, selected_adapters=["default"])
    (entry / ADAPTER / "README.md").unlink()  # a template, with the path in it
