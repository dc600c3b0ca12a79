"""Tokens per second of `moa.models.sampling.generate` against transformers' `generate`.

    python benchmarks/sampling.py [--rounds 1]

A random Llama of SmolLM2-135M's shape, 64 prompts of 40 to 200 tokens, one response each, 64 rows at once,
temperature 1, top_p 0.9, float32 on the CPU, bfloat16 on CUDA. A bias on EOS ends a response with a chance
of 1 in 32 at every token, at 64 tokens at the latest, so that rows end at different steps, as real ones
do. Only tokens up to and including EOS count, on both sides. Each side draws from random numbers of its
own, so the lengths differ; tokens per second do not mind.

transformers pads on the left and decodes until its last row has ended, with its growing cache and with its
static one, and on CUDA by continuous batching (`generate_batch`) too; there ours is shown without CUDA
graphs as well. Prints all, and last
`ratio_tokens_per_s`: ours / the fastest of theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from transformers import GenerationConfig

import moa.models.sampling
from moa.models.sampling import generate, sample_streams
from shared import (
    EOS,
    PAD,
    SMOLLM2,
    Figures,
    alternate,
    base,
    command_line,
    now,
    print_figures,
    print_machine,
    sampling,
    with_endings,
)

LAUNCHED = "ours, launched"
ROWS, SHORTEST, LONGEST, NEW, MEAN, TOP_P = 64, 40, 200, 64, 32, 0.9


def compare(
    shape: Mapping[str, Any],
    lengths: Sequence[int],
    new: int,
    mean: int,
    rounds: int,
    dtype: str = "float32",
    device: str = "cpu",
) -> dict[str, Figures]:
    """tokens_per_s of each way. lengths: of the prompts, all of which are decoded at once."""
    model = with_endings(base(shape, dtype, device), mean)
    drawn = torch.Generator().manual_seed(0)
    prompts = [torch.randint(3, model.config.vocab_size, (n,), generator=drawn) for n in lengths]
    ways: dict[str, Callable[[], list[torch.Tensor]]] = {
        "ours": lambda: ours(model, prompts, new),
        "growing cache": lambda: theirs(model, prompts, new),
        "static cache": lambda: theirs(model, prompts, new, cache_implementation="static"),
    }
    if device == "cuda":
        ways["continuous batching"] = lambda: continuous(model, prompts, new)
        ways[LAUNCHED] = lambda: launched(model, prompts, new)
    runs = {name: _rate(way) for name, way in ways.items()}
    return alternate(runs, rounds, warm_up=device == "cuda")


def ours(model: Any, prompts: Sequence[torch.Tensor], new: int) -> list[torch.Tensor]:
    streams = sample_streams([(0, i) for i in range(len(prompts))], 1, new)
    how = sampling(model, new, TOP_P)
    return [one for (one,) in generate(model, prompts, streams, how)]


def launched(model: Any, prompts: Sequence[torch.Tensor], new: int) -> list[torch.Tensor]:
    """Ours, with every decoding step launched kernel by kernel and not as a CUDA graph."""
    with patch.object(moa.models.sampling, "_by_mask", lambda *_: False):
        return ours(model, prompts, new)


def ratio(rates: Mapping[str, float]) -> float:
    """Ours over the fastest of theirs."""
    return rates["ours"] / max(rate for way, rate in rates.items() if way not in ("ours", LAUNCHED))


def settings(new: int, **more: Any) -> GenerationConfig:
    """As `shared.sampling`, in transformers' words."""
    return GenerationConfig(
        do_sample=True,
        temperature=1.0,
        top_p=TOP_P,
        top_k=0,
        max_new_tokens=new,
        eos_token_id=EOS,
        pad_token_id=PAD,
        **more,
    )


def theirs(
    model: Any, prompts: Sequence[torch.Tensor], new: int, **more: Any
) -> list[torch.Tensor]:
    """One batch of transformers' `generate`: the responses, each up to its EOS."""
    width = max(map(len, prompts))
    ids = torch.full((len(prompts), width), PAD)
    mask = torch.zeros_like(ids)
    for row, prompt in enumerate(prompts):
        ids[row, width - len(prompt) :] = prompt
        mask[row, width - len(prompt) :] = 1
    out = model.generate(
        input_ids=ids.to(model.device),
        attention_mask=mask.to(model.device),
        generation_config=settings(new, **more),
    )
    return [until_eos(row) for row in out[:, width:].cpu()]


def continuous(model: Any, prompts: Sequence[torch.Tensor], new: int) -> list[torch.Tensor]:
    """transformers' continuous batching, which needs CUDA."""
    inputs = [prompt.tolist() for prompt in prompts]
    found = model.generate_batch(inputs, generation_config=settings(new), progress_bar=False)
    return [until_eos(torch.tensor(one.generated_tokens)) for one in found.values()]


def until_eos(ids: torch.Tensor) -> torch.Tensor:
    ends = (ids == EOS).nonzero()[:, 0]
    return ids[: int(ends[0]) + 1] if len(ends) else ids


def _rate(way: Callable[[], list[torch.Tensor]]) -> Callable[[], Figures]:
    def call() -> Figures:
        started = now()
        with torch.no_grad():
            tokens = sum(map(len, way()))
        seconds = now() - started
        return {"tokens_per_s": tokens / seconds, "tokens": tokens, "seconds": seconds}

    return call


def main() -> None:
    args = command_line(__doc__, 1).parse_args()
    print_machine()
    cuda = torch.cuda.is_available()
    lengths = np.linspace(SHORTEST, LONGEST, ROWS).astype(int).tolist()
    where = ("bfloat16", "cuda") if cuda else ("float32", "cpu")
    found = compare(SMOLLM2, lengths, NEW, MEAN, args.rounds, *where)
    for name, figures in found.items():
        print(
            f"{name}: {figures['tokens_per_s']:.1f} tokens/s "
            f"({figures['tokens']:.0f} tokens in {figures['seconds']:.1f} s)"
        )
    rates = {name: figures["tokens_per_s"] for name, figures in found.items()}
    print_figures(ratio_tokens_per_s=ratio(rates))


if __name__ == "__main__":
    main()
