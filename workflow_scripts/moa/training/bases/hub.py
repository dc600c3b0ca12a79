"""A base policy from the hub, or from any local folder in its form; weights are linked, not copied.

The folder has links to the snapshot's weight files, its configuration, and its tokenizer with a pad
token apart from EOS: where they are one, masking the pads hides EOS from the loss, and the policy
never learns to stop. PKU-Alignment/alpaca-7b-reproduced has `<pad>` beside `</s>` (`pad_token:
null`). Qwen/Qwen3-8B-Base pads with its EOS, `<|endoftext|>`, so it needs another: `<|fim_pad|>` is
in its vocabulary and embedding, and occurs in no text that was meant to be read.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from moa.oracles.loading import load_config, load_tokenizer
from moa.runtime.errors import JobError
from moa.runtime.hub_cache import snapshot
from moa.training.bases.settings import PinnedHubBase

REQUIRES = ("transformers",)
HUB = {"model": "model"}


def build(settings: PinnedHubBase, inputs: dict[str, Path], out: Path) -> None:
    """Link weights and write config.json and tokenizer into `out`; the model is not loaded.

    inputs: not used.
    Raises: JobError if the model is not on this machine, lacks a file, or has no usable pad token.
    """
    folder = snapshot(settings.model, settings.revision, settings.commit, "model")
    embeddings = load_config(folder).get_text_config().vocab_size
    config, tokenizer = json.loads((folder / "config.json").read_text()), load_tokenizer(folder)
    largest = max(tokenizer.get_vocab().values())
    if largest >= embeddings:
        raise JobError(
            f"{settings.model}: the tokenizer has ids up to {largest}, and the model {embeddings} "
            "embeddings: it is of another model, or has tokens added to it; take the model's own"
        )
    _set_pad(tokenizer, settings.pad_token, embeddings, settings.model)
    out.mkdir(parents=True, exist_ok=True)
    for name in weight_files(folder):
        # Relative, so that store and cache can be moved together; as deep in the store as here.
        os.symlink(os.path.relpath(folder.resolve() / name, out.resolve()), out / name)
    config["pad_token_id"] = tokenizer.pad_token_id
    (out / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    tokenizer.save_pretrained(out)


def weight_files(folder: Path) -> list[str]:
    """Names of the files that from_pretrained reads weights from: one, or an index and its shards.

    Raises: JobError if there are none, or a shard is missing.
    """
    for single in ("model.safetensors", "pytorch_model.bin"):
        index = folder / f"{single}.index.json"
        if (folder / single).exists():
            return [single]
        if index.exists():
            shards = sorted(set(json.loads(index.read_text())["weight_map"].values()))
            missing = [name for name in shards if not (folder / name).exists()]
            if missing:
                raise JobError(f"{folder} lacks {missing[0]}: download the model again")
            return [index.name, *shards]
    raise JobError(
        f"{folder} has neither model.safetensors nor pytorch_model.bin, whole or sharded"
    )


def _set_pad(tokenizer: Any, pad_token: str | None, embeddings: int, model: str) -> None:
    pad = tokenizer.pad_token if pad_token is None else pad_token
    if pad is None or pad == tokenizer.eos_token:
        raise JobError(
            f"{model}: the pad token would be {pad!r} and EOS is {tokenizer.eos_token!r}; under "
            "policy.base, set pad_token to a spare special token of its vocabulary"
        )
    if tokenizer.get_vocab().get(pad, embeddings) >= embeddings:
        raise JobError(
            f"{model}: pad_token {pad!r} has no embedding; under policy.base, set pad_token to a "
            "spare special token of its vocabulary"
        )
    tokenizer.pad_token = pad
    tokenizer.padding_side = "left"
