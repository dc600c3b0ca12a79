"""The weights of an exported policy: one merged model, or its adapters and, if need be, its base."""

from __future__ import annotations

import shutil
from pathlib import Path

from transformers import GenerationConfig

from moa.models.conditioning import load_conditioned
from moa.models.policies import load_tokenizer
from moa.tools.export.exported import ADAPTERS, BASE, Exported

OF_THE_STORE = ("spec.json", "manifest.json", ".manifest.json", "log.txt", "metrics.jsonl")


def write_weights(plan: Exported, out: Path) -> None:
    """What `usage.py` loads, with the tokenizer, into a folder."""
    load_tokenizer(plan.policy.inputs["base"]).save_pretrained(out)
    if plan.merged:
        _write_merged(plan, out)
        return
    for name, adapter in plan.adapters.items():
        shutil.copytree(adapter, out / ADAPTERS / name)
    if plan.hub_base is None:  # its weights may be links: they are copied
        ignore = shutil.ignore_patterns(*OF_THE_STORE)
        shutil.copytree(plan.policy.inputs["base"], out / BASE, ignore=ignore)


def _write_merged(plan: Exported, out: Path) -> None:
    asked, told = load_conditioned(plan.policy.inputs, plan.told), plan.told["generation"]
    model = asked.at(plan.w or plan.told["vectors"][0])
    if hasattr(model, "merge_and_unload"):  # an adapter on top, as mixed experts are
        for module in model.modules():
            getattr(module, "lora_variant", {}).clear()  # the workflow's own forward pass
        model = model.merge_and_unload()
    # For those who call `generate` themselves; usage.py brings its own.
    tokenizer = load_tokenizer(plan.policy.inputs["base"])
    model.generation_config = GenerationConfig(
        do_sample=True,
        temperature=float(told["temperature"]),
        top_p=float(told["top_p"]),
        max_new_tokens=told["max_new_tokens"],
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model.save_pretrained(out)
