"""Loading a base model whole: what transformers fills in or leaves out, it only reports."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModelForCausalLM

from moa.runtime.errors import JobError

NOISE = ("drop", "jitter")  # what is at random in training only, as configurations name it


def load_base(folder: Path, dtype: str) -> Any:
    """A causal language model from a local folder, all of whose weights come from there.

    dtype: torch's name of it, or `auto`, as it is stored. Its own dropout is off for good: what it was
    pretrained with is no part of any method here, and would make a policy another one than its reference.
    Raises: JobError if the folder cannot be read as one, lacks weights, or has some that are not used.
    """
    try:
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
        for part in {id(c): c for c in (config, config.get_text_config())}.values():
            for key, value in part.to_dict().items():
                if any(word in key for word in NOISE) and isinstance(value, float):
                    setattr(part, key, 0.0)
        model, report = AutoModelForCausalLM.from_pretrained(
            folder,
            config=config,
            dtype=dtype if dtype == "auto" else getattr(torch, dtype),
            trust_remote_code=False,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # so that they are named below
        )
    except torch.OutOfMemoryError:
        raise
    except (OSError, KeyError, RuntimeError, SafetensorError, TypeError, ValueError) as error:
        raise unreadable(folder, "a causal language model", error) from error
    absent = [*report["missing_keys"], *(str(key[0]) for key in report["mismatched_keys"])]
    if absent:
        raise JobError(
            f"{folder} lacks weights of a {type(model).__name__}, or has them in another shape, and they "
            f"would be drawn at random: {_listed(absent)}. Is it saved from another class, or cut short?"
        )
    if report["unexpected_keys"]:
        raise JobError(
            f"{folder} has weights that a {type(model).__name__} of its config.json does not use: "
            f"{_listed(report['unexpected_keys'])}. Correct config.json, or save the model without them"
        )
    return model


def unreadable(folder: Path, what: str, error: Exception) -> JobError:
    """The error of a library as one that names the folder and what was looked for in it."""
    reason = (str(error).splitlines() or [""])[0][:300]
    return JobError(
        f"{folder} cannot be read as {what}: {type(error).__name__}: {reason}. Give a folder that "
        "transformers' save_pretrained wrote, whole, of a class that is part of transformers"
    )


def _listed(names: Any) -> str:
    shown = sorted(names)
    return ", ".join(shown[:5]) + (f" and {len(shown) - 5} more" if len(shown) > 5 else "")
