"""What rehearsals run on: tiny, made-up models and data in the forms of those of config/paper.yaml and
one_gpu.yaml.

A run is then the real one (its graph, loaders, templates and oracles), in minutes and on any machine.
No job imports this, so no key depends on it.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from moa.tools.rehearsal import models, rows, tokenizers

SEED = 0


def make(out: Path) -> list[str]:
    """Write every data set and model as a folder of `out` that has its name on the hub.

    What is there already is made anew, to the same bytes. Returns: the names.
    """
    texts = rows.texts(SEED)
    llama, gpt2 = tokenizers.llama_tokenizer(texts), tokenizers.gpt2_tokenizer(texts)
    qwen = tokenizers.qwen_tokenizer(texts)
    qwen_instruct = tokenizers.qwen_tokenizer(texts, eos="<|im_end|>")
    distilbert = tokenizers.distilbert_tokenizer(texts)
    save: dict[str, Callable[[Path], object]] = {
        "PKU-SafeRLHF-10K": lambda to: rows.write_pku_saferlhf(to, SEED),
        "hh-rlhf": lambda to: rows.write_hh_rlhf(to, SEED),
        "alpaca-7b-reproduced": lambda to: models.save_llama_policy(to, llama, SEED),
        "Qwen3-8B-Base": lambda to: models.save_qwen3_policy(to, qwen, SEED),
        "Qwen2.5-1.5B-Instruct": lambda to: models.save_qwen2_policy(to, qwen_instruct, SEED),
        "beaver-7b-v1.0-reward": lambda to: models.save_beaver(to, llama, SEED),
        "beaver-7b-v1.0-cost": lambda to: models.save_beaver(to, llama, SEED + 1),
        "gpt2-large-helpful-reward_model": lambda to: models.save_gpt2_reward(to, gpt2, SEED),
        "gpt2-large-harmless-reward_model": lambda to: models.save_gpt2_reward(to, gpt2, SEED + 1),
        "humor-no-humor": lambda to: models.save_humor(to, distilbert, SEED),
    }
    for name in save:
        shutil.rmtree(out / name, ignore_errors=True)
        save[name](out / name)
    return list(save)
