"""Loading a model whole, be it an oracle or a policy's base: what transformers fills in or leaves out, it
only reports. Code that comes with a model is never run.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from transformers import AutoConfig, AutoTokenizer

from moa.runtime.errors import JobError

# Weights that files of older versions have and no output depends on: buffers that are computed, a pooler
# that RoBERTa's classifiers never read, and the heads of the language model that a classifier was made of.
UNUSED = re.compile(
    r"(^|\.)(position_ids|inv_freq|attn\.bias|attn\.masked_bias)$|^(xlm_)?roberta\.pooler\.|^(lm_head|cls)\."
)


def load_network(auto_class: Any, folder: Path, dtype: str, **more: Any) -> Any:
    """A model from a local folder; every weight must come from there, and be used.

    dtype: torch's name of it, or `auto`, as it is stored. more: as from_pretrained takes it.
    Raises: JobError if the folder lacks a weight, has it in another shape or has one more than the model
    (transformers would only warn, and go on with random ones or without some layers), or if a file cannot
    be read.
    """
    try:
        model, report = auto_class.from_pretrained(
            folder,
            dtype=dtype if dtype == "auto" else getattr(torch, dtype),
            trust_remote_code=False,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # so that they are named below
            **more,
        )
    except torch.OutOfMemoryError:
        raise
    except Exception as error:  # whatever the many readers raise, it is about these files
        raise JobError(
            f"{_unreadable(folder)}: cannot be loaded as a {auto_class.__name__} ({_short(error)}); if it "
            "is not all there, download or copy it again. Its class must be part of transformers"
        ) from error
    wrong = [*report["missing_keys"], *(str(key[0]) for key in report["mismatched_keys"])]
    if wrong:
        raise JobError(
            f"{folder} lacks weights of a {type(model).__name__}, or has them in another shape, and "
            f"they would be drawn at random: {', '.join(sorted(wrong)[:5])}; check the kind that the "
            "config gives this model, and whether its files are whole"
        )
    unused = [key for key in report["unexpected_keys"] if not UNUSED.search(key)]
    if unused:
        raise JobError(
            f"{folder} has weights that a {type(model).__name__} of its config.json has no place for: "
            f"{', '.join(sorted(unused)[:5])}; check that config.json belongs to these weights, and the "
            "kind that the config gives this model"
        )
    return model


def load_config(folder: Path) -> Any:
    """A model's configuration from its folder. Raises: JobError if there is none of a known class."""
    return _load(AutoConfig, folder, "configuration", "with config.json")


def load_tokenizer(folder: Path) -> Any:
    """A model's tokenizer from its folder. Raises: JobError if its files are missing or cannot be read."""
    return _load(
        AutoTokenizer, folder, "tokenizer", "with tokenizer.json and tokenizer_config.json"
    )


def _load(auto_class: Any, folder: Path, what: str, files: str) -> Any:
    try:
        return auto_class.from_pretrained(folder, trust_remote_code=False)
    except Exception as error:  # whatever the many readers raise, it is about these files
        raise JobError(
            f"{folder}: its {what} cannot be loaded ({_short(error)}); download or copy the model again, "
            f"{files}. Its class must be part of transformers"
        ) from error


def _short(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"


def _unreadable(folder: Path) -> Path:
    """The file of weights whose size is not what its header says, or else the folder."""
    for file in sorted(folder.glob("*.safetensors")):
        try:
            with safe_open(file, "pt"):
                pass
        except (SafetensorError, OSError):
            return file
    return folder
