"""What the benchmarks share: random policies of a published shape, their prompts, one optimizer step at a
time, and how it is measured.

Weights are random, so nothing is downloaded and no text means anything; what a pass costs does not depend
on what the weights are.
"""

from __future__ import annotations

import math
import os
import platform
import resource
import statistics
import string
import time
import warnings
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    PreTrainedTokenizerFast,
    PrinterCallback,
    Trainer,
    TrainerCallback,
)
from transformers.utils import logging as transformers_logging

from moa.models.decoding import tokens_within
from moa.models.policies import add_adapter
from moa.models.sampling import Sampling
from moa.models.settings import LoraSettings
from moa.oracles.scale import RewardScale
from moa.preferences import build_prompt, uniform
from moa.runtime.settings import OperationSettings
from moa.training.loop import TrainingRun
from moa.training.online import OnlineTrainer
from moa.training.online_losses.mi_epo import loss
from moa.training.settings import OnlineStage

transformers_logging.set_verbosity_error()
warnings.filterwarnings("ignore", category=FutureWarning)

SMOLLM2 = {  # SmolLM2-135M, as transformers names it
    "model_type": "llama",
    "vocab_size": 49152,
    "hidden_size": 576,
    "intermediate_size": 1536,
    "num_hidden_layers": 30,
    "num_attention_heads": 9,
    "num_key_value_heads": 3,
    "max_position_embeddings": 8192,
    "tie_word_embeddings": True,
}
LORA = LoraSettings(rank=64, alpha=128, dropout=0)
EOS, PAD = 1, 2
OBJECTIVES = [f"objective{letter}" for letter in "abcdefgh"]
Figures = dict[str, float]


def base(
    shape: Mapping[str, Any], dtype: str = "float32", device: str = "cpu", seed: int = 0
) -> Any:
    """A frozen model of random weights, as `load_policy` leaves a stored one."""
    torch.manual_seed(seed)
    own = {k: v for k, v in shape.items() if k not in ("model_type", "head")}
    special = {"bos_token_id": None, "eos_token_id": EOS, "pad_token_id": PAD}
    config = AutoConfig.for_model(shape["model_type"], **own | special)
    with torch.device(device):
        model = AutoModelForCausalLM.from_config(config, dtype=getattr(torch, dtype))
    return model.requires_grad_(False).eval()


def with_endings(model: Any, tokens: int) -> Any:
    """The model with a bias on EOS, so that a response ends after so many tokens in the mean.

    Each token ends it with the same chance, so lengths differ widely, as real ones do; the weights of the
    head stay what they are.
    """
    head = model.get_output_embeddings()
    ids = torch.randint(head.out_features, (4, 16), device=head.weight.device)
    with torch.no_grad():
        total = float(model(input_ids=ids).logits.float().logsumexp(dim=-1).mean())
    bias = torch.zeros(head.out_features, dtype=head.weight.dtype, device=head.weight.device)
    bias[EOS] = total - math.log(tokens - 1)
    head.bias = torch.nn.Parameter(bias, requires_grad=False)
    return model


def words(size: int) -> PreTrainedTokenizerFast:
    """A tokenizer of `size` tokens: whole words, and digits one by one, as SmolLM2's splits them."""
    known = ["<unk>", "<eos>", "<pad>", "Human", "Assistant", ":", ".", *OBJECTIVES, *string.digits]
    made = ("".join(letters) for letters in product(string.ascii_lowercase, repeat=4))
    known += [next(made) for _ in range(size - len(known))]
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(known)}, "<unk>"))
    splits = [
        pre_tokenizers.Whitespace(),
        pre_tokenizers.Digits(individual_digits=True),
    ]
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(splits)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<eos>",
        pad_token="<pad>",
        unk_token="<unk>",
        padding_side="left",
    )


def prompt_rows(
    lengths: Sequence[int], objectives: Sequence[str], tokenizer: Any
) -> list[dict[str, Any]]:
    """Rows as `distinct_prompts` gives them, of which G(x, w) has so many tokens, the weights included.

    Raises: ValueError for a length that the weights alone exceed.
    """
    block = len(tokenizer(build_prompt("", objectives, uniform(len(objectives))))["input_ids"])
    if min(lengths) <= block:
        raise ValueError(f"prompts of {min(lengths)} tokens: the weight block alone has {block}")
    drawn = np.random.default_rng(0)
    made = sorted(word for word in tokenizer.get_vocab() if len(word) == 4 and word.islower())
    rows = []
    for i, length in enumerate(lengths):
        x = " ".join(drawn.choice(made, length - block))
        rows.append({"prompt_id": i, "prompt": x, "x": x})
    return rows


class LetterOracle:
    """A reward that costs nothing: how often a letter stands in the response."""

    def __init__(self, objective: str) -> None:
        self.objective = objective

    def score(self, prompts: Sequence[str], responses: Sequence[str]) -> np.ndarray:
        return np.array([float(text.count(self.objective[-1])) for text in responses])


def online_trainer(
    model: Any,
    objectives: int,
    batch: int,
    prompt: int,
    new: int,
    folder: Path,
    lora: LoraSettings = LORA,
    operation: OperationSettings | None = None,
    **more: Any,
) -> OnlineTrainer:
    """MI-EPO on a base model: all prompts of `prompt` tokens, `batch` to a step and to a micro-batch.

    more: other settings of the online section.
    """
    names = OBJECTIVES[:objectives]
    tokenizer = words(model.config.vocab_size)
    chosen = {"batch_size": batch, "micro_batch_size": batch, "beta_w": 0.01} | more
    settings = OnlineStage(
        max_prompt_tokens=prompt,
        max_new_tokens=new,
        scheduler="constant",
        warmup_ratio=0,
        logging_steps=1,
        dtype=str(model.dtype).removeprefix("torch."),
        **chosen,
    )
    trainer = OnlineTrainer(
        model=add_adapter(model, lora, seed=0),
        tokenizer=tokenizer,
        rows=prompt_rows([prompt] * batch, names, tokenizer),
        oracles=[LetterOracle(name) for name in names],
        scale=RewardScale(tuple(names), np.zeros(objectives), np.ones(objectives)),
        loss=loss,
        settings=settings,
        run=TrainingRun(folder, 0, "benchmark", operation or OperationSettings()),
    )
    folder.mkdir(parents=True, exist_ok=True)
    return trainer


def sampling(model: Any, new: int, top_p: float) -> Sampling:
    """At temperature 1, with as much memory for keys and values as operation.cache_gib has by default."""
    cache_tokens = tokens_within(model, OperationSettings().cache_gib)
    return Sampling(new, 1.0, top_p, EOS, cache_tokens)


Place = tuple[
    Any, str, Callable[[], str]
]  # an object, its function, and what part of a step that is


def step(trainer: Trainer, places: Sequence[Place] = ()) -> Figures:
    """Seconds of one optimizer step from its first batch to its last log line: `seconds`, those spent in
    each part that `places` name, and the `rest`.
    """
    trainer.args.max_steps = 1
    trainer.remove_callback(PrinterCallback)
    span = _EpochSpan()
    trainer.add_callback(span)
    with timed(places) as parts:
        trainer.train()
    trainer.remove_callback(span)
    figures = {**parts, "seconds": span.seconds}
    return figures | {"rest": span.seconds - sum(parts.values())} if places else figures


class _EpochSpan(TrainerCallback):
    """Seconds of an epoch, which is one step here: what `train` does before and after is no part of it."""

    def on_epoch_begin(self, *_: Any, **__: Any) -> None:
        self.seconds = -now()

    def on_epoch_end(self, *_: Any, **__: Any) -> None:
        self.seconds += now()


@contextmanager
def timed(places: Sequence[Place]) -> Iterator[Figures]:
    """Seconds spent in some functions while it is open, by the name that each call has at its time."""
    seconds: Figures = defaultdict(float)

    def clocked(function: Callable[..., Any], name: Callable[[], str]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            called, started = name(), now()
            result = function(*args, **kwargs)
            seconds[called] += now() - started
            return result

        return call

    with ExitStack() as stack:
        for owner, attribute, name in places:
            own = clocked(getattr(owner, attribute), name)
            stack.enter_context(patch.object(owner, attribute, own))
        yield seconds


def now() -> float:
    """Seconds, when all that was asked of a GPU is done."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def seconds_of(function: Callable[[], Any]) -> Callable[[], Figures]:
    """A run for `alternate` that takes the time of a call."""

    def call() -> Figures:
        started = now()
        function()
        return {"seconds": now() - started}

    return call


def alternate(
    runs: Mapping[str, Callable[[], Figures]], rounds: int, warm_up: bool = True
) -> dict[str, Figures]:
    """Medians of what each of some runs measures, by their names.

    They take turns, so that whatever else the machine does hits all alike. warm_up: a first turn that is
    not counted.
    """
    found: dict[str, list[Figures]] = {name: [] for name in runs}
    for turn in range(rounds + warm_up):
        for name, run in runs.items():
            figures = run()
            if turn >= warm_up:
                found[name].append(figures)
    return {
        name: {key: statistics.median(one[key] for one in every) for key in every[0]}
        for name, every in found.items()
    }


def apart(function: Callable[..., Any], *arguments: Any) -> tuple[Any, float]:
    """What a function returns in a process of its own, and the peak of that process's resident memory in
    bytes: libraries, weights and all.

    The process is forked off one that has imported the trainer and computed nothing.
    """
    context = get_context("forkserver")
    context.set_forkserver_preload([OnlineTrainer.__module__])  # the import takes seconds
    with ProcessPoolExecutor(1, mp_context=context, max_tasks_per_child=1) as pool:
        return pool.submit(_with_peak, function, arguments).result()


def _with_peak(function: Callable[..., Any], arguments: Sequence[Any]) -> tuple[Any, float]:
    result = function(*arguments)
    return result, 1024.0 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def command_line(description: str | None, rounds: int, of: str = "of each") -> ArgumentParser:
    """The command line of a benchmark."""
    parser = ArgumentParser(description=description, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=rounds, help=f"{of}, of which medians")
    return parser


def print_machine() -> None:
    """What the figures below it were measured on."""
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU only"
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads, {device}, "
        f"torch {torch.__version__}",
        flush=True,
    )


def print_figures(**figures: float) -> None:
    """`name = value`, a line each: what a benchmark prints last."""
    for name, value in figures.items():
        print(f"{name} = {value:.4g}", flush=True)
