"""The base model of a policy, loaded whole and without the noise it was pretrained with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import AutoModelForCausalLM

from moa.oracles.loading import load_config, load_network

NOISE = ("drop", "jitter")  # what is at random in training only, as configurations name it


def load_base(folder: Path, dtype: str, device: str = "cpu") -> Any:
    """A causal language model from a local folder, whose own dropout is off for good.

    What it was pretrained with is no part of any method here, and would make a policy another one than its
    reference. dtype: torch's name of it, or `auto`, as it is stored. device: where its
    weights are read to. Raises: JobError as `load_network`.
    """
    config = load_config(folder)
    for part in {id(c): c for c in (config, config.get_text_config())}.values():
        for key, value in part.to_dict().items():
            if any(word in key for word in NOISE) and isinstance(value, float):
                setattr(part, key, 0.0)
    # A device map needs accelerate, and brings nothing where weights are read to where they already are.
    where = {} if device == "cpu" else {"device_map": {"": device}}
    return load_network(AutoModelForCausalLM, folder, dtype, config=config, **where)
