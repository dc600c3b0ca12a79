"""A policy is a base model and an ordered list of LoRA adapters; only adapters are stored."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel
from safetensors.torch import load_file
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from moa.models.loading import load_base
from moa.models.lora import add_in_place
from moa.models.settings import LoraSettings
from moa.models.targets import adapted
from moa.models.tokenizers import check_tokenizer
from moa.runtime.errors import JobError

ADAPTER = "adapter"  # the subfolder of an entry that holds one


def load_tokenizer(base: Path) -> PreTrainedTokenizerBase:
    """The base model's tokenizer, to which all text is data: special tokens spelt out in it stay text.

    Raises: UnfitTokenizer.
    """
    tokenizer = AutoTokenizer.from_pretrained(base)
    tokenizer.split_special_tokens = True
    check_tokenizer(tokenizer, str(base))
    return tokenizer


def load_policy(base: Path, adapters: Sequence[Path] = (), dtype: str = "float32") -> Any:
    """The base model with all adapters (entry folders, in order) merged in memory, frozen.

    It is read straight onto this process's GPU, where there is one, and merged there, without a copy in
    host memory. dtype: torch's name of it, or `auto`, as it is stored.
    Raises: JobError if the base cannot be loaded whole, or an adapter is not finite.
    """
    rank = int(os.environ.get("LOCAL_RANK", "0"))
    model = load_base(base, dtype, f"cuda:{rank}" if torch.cuda.is_available() else "cpu")
    for folder in adapters:
        adapted_model = PeftModel.from_pretrained(model, folder / ADAPTER)
        _require_finite({n: p for n, p in adapted_model.named_parameters() if "lora_" in n}, folder)
        model = adapted_model.merge_and_unload()
    model.requires_grad_(False)
    # Sampling settings belong to the config; a base's own generation defaults must not leak in.
    model.generation_config = type(model.generation_config)()
    return model.eval()


def load_adapter(entry: Path, device: str = "cpu") -> dict[str, torch.Tensor]:
    """The weights of the adapter below an entry folder. Raises: JobError if they are not finite."""
    weights = load_file(entry / ADAPTER / "adapter_model.safetensors", device=device)
    _require_finite(weights, entry)
    return weights


def _require_finite(weights: Mapping[str, torch.Tensor], entry: Path) -> None:
    for name, values in weights.items():
        if not torch.isfinite(values).all():
            raise JobError(
                f"the adapter of {entry} holds NaN or infinity in {name}: remove that folder, so that it "
                "is trained again, with a lower learning rate if it comes out so again"
            )


def add_adapter(model: Any, lora: LoraSettings, seed: int) -> PeftModel:
    """A new trainable adapter on a frozen policy; with it off, the model is that policy.

    B starts at zero, so training starts at the policy below, which is therefore the reference of the
    losses (`model.disable_adapter()`).
    Raises: JobError as `adapted`.
    """
    torch.manual_seed(seed)
    targets = lora.target_modules
    config = LoraConfig(
        r=lora.rank,
        # Whole as PEFT has it, so that adapter_config.json says 128 for 128 and for 128.0.
        lora_alpha=int(lora.alpha) if float(lora.alpha).is_integer() else lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=targets if isinstance(targets, str) else list(targets),
        task_type="CAUSAL_LM",
    )
    policy = adapted(model, config)
    add_in_place(policy)
    return policy


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
