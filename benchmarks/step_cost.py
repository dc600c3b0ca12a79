"""A whole MI-EPO optimizer step against one of TRL's OnlineDPOTrainer, and where its time goes.

    python benchmarks/step_cost.py [--rounds 1] [--defaults]

The same random Llama of SmolLM2-135M's shape, the same LoRA (r 64, alpha 128, all linear layers, no
dropout), float32; batches of 8 prompts of 200 tokens, two responses of up to 48 tokens to each, sampled at
temperature 1 without a nucleus; rewards from Python functions that cost nothing. EOS may come on both
sides: with random weights it is one of 49,152 about equally likely tokens, so that one response in a
thousand is shorter. A step is all between its first batch and its last log line. The two do not learn the
same: MI-EPO takes log-probabilities under two preference vectors (w+ and w-), online DPO under none, so
MI-EPO scores four pairs of prompt and response where TRL scores two.

TRL's best is what makes its step fastest with the same result: no gradient checkpointing, which also lets
it use its cache for sampling, and all 8 prompts in one micro-batch, which fits; all prompts have one
length, so it pads nothing. TRL's defaults (but float32) have gradient checkpointing, and therefore no
cache; `--defaults` measures one such step, which takes minutes, so it is not part of `make bench`.

Prints the parts of a step, and last: `ratio_step_vs_trl`, seconds of ours / TRL's best;
`ratio_logprobs_vs_rows`, tree_logprobs / sequence_logprobs of the same rows, forward and backward;
`memory_ratio`, the same of peak resident memory, of processes that make one step and nothing else: medians
of three each, since the holes that the C library's allocator leaves differ from process to process;
`ratio_k5_vs_k2`, our step with five objectives / with two.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch

import tree_logprobs
from moa.models.policies import add_adapter
from moa.preferences import build_prompt, uniform
from moa.training import online
from shared import (
    LORA,
    OBJECTIVES,
    SMOLLM2,
    Figures,
    Place,
    alternate,
    apart,
    base,
    command_line,
    online_trainer,
    print_figures,
    print_machine,
    prompt_rows,
    step,
    words,
)

BATCH, PROMPT, NEW = 8, 200, 48
PROCESSES = 3
BEST: dict[str, Any] = {"gradient_checkpointing": False}
DEFAULTS: dict[str, Any] = {}
PARTS = ("sampling", "reference pass", "policy forward", "backward", "rest", "seconds")


def trl_trainer(
    model: Any, batch: int, prompt: int, new: int, folder: Path, chosen: Mapping[str, Any]
) -> Any:
    """TRL's OnlineDPOTrainer on the same prompts, with two rewards. chosen: settings of its own."""
    from datasets import Dataset
    from peft import LoraConfig

    os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")  # that it may change is known
    from trl.experimental.online_dpo import OnlineDPOConfig, OnlineDPOTrainer

    def counted(letter: str) -> Callable[..., list[float]]:
        def reward(completions: list[str], **_: Any) -> list[float]:
            return [float(text.count(letter)) for text in completions]

        return reward

    names = OBJECTIVES[:2]
    tokenizer = words(model.config.vocab_size)
    texts = [
        build_prompt(row["x"], names, uniform(2))
        for row in prompt_rows([prompt] * batch, names, tokenizer)
    ]
    config = OnlineDPOConfig(
        output_dir=str(folder),
        per_device_train_batch_size=batch,
        max_new_tokens=new,
        max_length=prompt + new,
        temperature=1.0,
        bf16=False,
        use_cpu=not torch.cuda.is_available(),
        logging_steps=1,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        **chosen,
    )
    lora = LoraConfig(
        r=LORA.rank,
        lora_alpha=int(LORA.alpha),
        lora_dropout=LORA.dropout,
        target_modules=LORA.target_modules,
        task_type="CAUSAL_LM",
    )
    return OnlineDPOTrainer(
        model=model,
        reward_funcs=[counted(name[-1]) for name in names],
        args=config,
        train_dataset=Dataset.from_list([{"prompt": text} for text in texts]),
        processing_class=tokenizer,
        peft_config=lora,
    )


def _pass() -> str:
    return "policy forward" if torch.is_grad_enabled() else "reference pass"


def places_of_ours(trainer: Any) -> list[Place]:
    return [
        (trainer, "sample", lambda: "sampling"),
        (online, "tree_logprobs", _pass),
        (trainer.accelerator, "backward", lambda: "backward"),
    ]


def places_of_trl(trainer: Any) -> list[Place]:
    return [
        (trainer, "_generate", lambda: "sampling"),
        (trainer, "_forward", _pass),
        (trainer.accelerator, "backward", lambda: "backward"),
    ]


def compare_steps(
    shape: Mapping[str, Any], batch: int, prompt: int, new: int, rounds: int
) -> dict[str, Figures]:
    """Seconds of a step and its parts: `ours`, `TRL's best`, `ours, K = 5`."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ours = online_trainer(base(shape), 2, batch, prompt, new, folder / "2")
        five = online_trainer(base(shape), 5, batch, prompt, new, folder / "5")
        theirs = trl_trainer(base(shape), batch, prompt, new, folder / "trl", BEST)
        return alternate(
            {
                "ours": lambda: step(ours, places_of_ours(ours)),
                "TRL's best": lambda: step(theirs, places_of_trl(theirs)),
                "ours, K = 5": lambda: step(five, places_of_ours(five)),
            },
            rounds,
        )


def defaults_step(shape: Mapping[str, Any], batch: int, prompt: int, new: int) -> Figures:
    """Seconds of one step with TRL's default settings, and its parts."""
    with tempfile.TemporaryDirectory() as name:
        trainer = trl_trainer(base(shape), batch, prompt, new, Path(name), DEFAULTS)
        return step(trainer, places_of_trl(trainer))


def one_step(whose: str, shape: Mapping[str, Any], batch: int, prompt: int, new: int) -> None:
    """One step, of `ours` or `trl`, for a process whose memory is measured."""
    with tempfile.TemporaryDirectory() as name:
        model = base(shape)
        if whose == "ours":
            step(online_trainer(model, 2, batch, prompt, new, Path(name)))
        else:
            step(trl_trainer(model, batch, prompt, new, Path(name), BEST))


def peak_of_step(*arguments: Any) -> Figures:
    """Its process's, and said: a median hides how far they are apart."""
    _, peak = apart(one_step, *arguments)
    print(f"{arguments[0]}: {peak / 1e9:.2f} GB", flush=True)
    return {"bytes": peak}


def print_parts(found: Mapping[str, Figures]) -> None:
    print(f"{'seconds':<22}" + "".join(f"{part:>16}" for part in (*PARTS[:-1], "whole step")))
    for name, figures in found.items():
        print(f"{name:<22}" + "".join(f"{figures[part]:16.2f}" for part in PARTS))


def main() -> None:
    parser = command_line(__doc__, 1, "steps of each")
    parser.add_argument("--defaults", action="store_true", help="also a step of TRL's defaults")
    args = parser.parse_args()
    print_machine()
    sizes = (SMOLLM2, BATCH, PROMPT, NEW)
    peaks = alternate(
        {whose: partial(peak_of_step, whose, *sizes) for whose in ("ours", "trl")},
        PROCESSES,
        warm_up=False,
    )
    found = compare_steps(*sizes, args.rounds)
    print_parts(found)
    if args.defaults:
        print_parts({"TRL's defaults": defaults_step(*sizes)})
    for whose, figures in peaks.items():
        print(f"peak resident memory, {whose}: {figures['bytes'] / 1e9:.2f} GB")
    passes = tree_logprobs.compare(add_adapter(base(SMOLLM2), LORA, 0), 4, PROMPT, 16, NEW, 1)
    ours = found["ours"]["seconds"]
    print_figures(
        ratio_step_vs_trl=ours / found["TRL's best"]["seconds"],
        ratio_logprobs_vs_rows=passes["policy_pass"],
        memory_ratio=peaks["ours"]["bytes"] / peaks["trl"]["bytes"],
        ratio_k5_vs_k2=found["ours, K = 5"]["seconds"] / ours,
    )


if __name__ == "__main__":
    main()
