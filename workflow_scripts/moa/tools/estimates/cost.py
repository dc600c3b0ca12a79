"""GPU-hours of every job, from token counts and stated throughputs.

FLOPs per token: 2 per weight forward; backward 2 more per frozen weight (no gradient of its own) and 4 per
LoRA weight; gradient checkpointing makes the layers' forward pass twice. Attention's own products are left
out (about 5 % at a thousand tokens). Decoding reads all weights and the KV cache once per step.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from moa.tools.estimates.cards import PAPERS, Card, card_of
from moa.tools.estimates.jobs import ALL_TRAIN, BYTES, CONDITION_TOKENS, MERGED, GpuJob
from moa.tools.estimates.memory import ANSWERED, ROUND
from moa.tools.estimates.tensors import Policy, rows_decoded

HOUR = 3600
PROMPTS = 64  # of moa.evaluation.responses
Parts = dict[str, float]  # what -> seconds on one GPU


@dataclass(frozen=True)
class Assumptions:
    """What no config says. prompt_tokens: mean, with the weights; response_tokens: mean.

    card: passes over whole sequences reach `utilisation` of its peak in bfloat16, a decoding step
    `decoding` of its bandwidth, or `decoding_adapted` with adapters that are not merged. These three shares
    are what an H200 reached of its own peaks (docs/performance.md). copying: bytes per second from pinned
    host memory (PCIe 4.0 x16).
    """

    prompt_tokens: float = 150
    response_tokens: float = 100
    card: Card = field(default_factory=lambda: card_of(PAPERS))
    utilisation: float = 0.39
    decoding: float = 0.35
    decoding_adapted: float = 0.25
    copying: float = 20e9

    def lines(self) -> list[str]:
        return [
            f"{self.prompt_tokens:g} tokens in a mean prompt (weights included), "
            f"{self.response_tokens:g} in a mean response; one data row per prompt, "
            f"and {ALL_TRAIN} train prompts where n_train is null",
            f"training, scoring and reading prompts at {self.utilisation:.0%} of "
            f"{self.card.flops / 1e12:g} TFLOP/s ({self.card.name}, bfloat16)",
            f"decoding at {self.decoding:.0%} of {self.card.bandwidth / 1e9:g} GB/s, with adapters that "
            f"are not merged at {self.decoding_adapted:.0%}, in as many rows as mean prompts allow within "
            "cache_gib; what is asked for in one go takes max_new_tokens steps at least, since its longest "
            "response decides",
            "shares of peaks as an H200 reached them (docs/performance.md); no "
            f"{self.card.name} measured any",
            "RiC keeps 1 - quantile^objectives of samples and offline responses, as if objectives were "
            "independent",
            "a job holds its oracles' GPU (second_gpu) all the time; offloaded oracles come at "
            f"{self.copying / 1e9:g} GB/s whenever a step is scored; loading and checkpoints are not "
            "counted, nor are jobs without a GPU",
        ]


def seconds(job: GpuJob, given: Assumptions) -> Parts:
    """What a job takes, by part, if one GPU does all of it.

    Raises: ConfigError if the shape of a model is not written down.
    """
    found: Parts = {}
    for part in job.parts:
        found |= _COSTS[part.stage](_Counter(part, given))
    return found


def gpu_hours(job: GpuJob, given: Assumptions) -> float:
    """GPUs held times hours."""
    processes = job.operation["processes"] if "settings" in job.params else 1
    return sum(seconds(job, given).values()) * job.gpus / processes / HOUR


class _Counter:
    """Seconds of the passes that a job is made of."""

    def __init__(self, job: GpuJob, given: Assumptions) -> None:
        self.job, self.given = job, given
        self.p, self.r = given.prompt_tokens, given.response_tokens

    @property
    def policy(self) -> Policy:
        return Policy(self.job.shape, BYTES[self.job.settings["dtype"]], self.job.lora)

    def forward(self, tokens: float, columns: float, adapters: bool) -> float:
        """columns: tokens with logits."""
        shape = self.policy.shape
        adapter = shape.adapter_parameters(self.job.lora) if adapters else 0
        layers = (shape.matrix_parameters + adapter) * tokens
        return self._compute(2 * (layers + shape.output_parameters * columns))

    def training(self, tokens: float, columns: float) -> float:
        """Forward and backward, and the layers' forward again where they are checkpointed."""
        shape = self.policy.shape
        adapter = shape.adapter_parameters(self.job.lora) * tokens
        layers = shape.matrix_parameters * tokens
        backward = 2 * layers + 4 * adapter + 2 * shape.output_parameters * columns
        again = 2 * (layers + adapter) if self.job.settings["gradient_checkpointing"] else 0
        return self.forward(tokens, columns, adapters=True) + self._compute(backward + again)

    def sampling(self, responses: float, samples: int, together: int, adapters: bool) -> float:
        """So many responses, `samples` to a prompt, of which `together` are asked for in one go.

        Rows that are finished get the next prompt, so the steps are those of the mean response, but no
        fewer than the longest takes.
        """
        s, policy = self.job.settings, self.policy
        adapters = adapters and policy.autocast  # in float32 they are inside the weights meanwhile
        new, gib = s["max_new_tokens"], self.job.operation["cache_gib"]
        together = int(min(together, responses))
        rows = rows_decoded(policy, together, self.p, new, gib)
        weights = policy.weights + (policy.adapter if adapters else 0)
        read = weights + policy.kv_cache(rows * (self.p + self.r / 2))
        share = self.given.decoding_adapted if adapters else self.given.decoding
        step = read / (self.given.card.bandwidth * share)
        steps = responses / together * max(new, together / rows * self.r)
        prompts = responses / samples
        return self.forward(prompts * self.p, prompts, adapters) + steps * step

    def scoring(self, responses: float, visits: float = 0) -> float:
        """By all oracles of the job. visits: of offloaded oracles to the GPU."""
        oracles = self.job.oracles
        per_token = 2 * sum(shape.matrix_parameters for shape, _ in oracles)
        copied = sum(BYTES[entry["dtype"]] * shape.parameters for shape, entry in oracles)
        if self.job.operation["oracle_placement"] != "cpu_offload":
            copied = 0
        return (
            self._compute(per_token * responses * (self.p + self.r))
            + visits * copied / self.given.copying
        )

    def _compute(self, flops: float) -> float:
        return flops / (self.given.card.flops * self.given.utilisation)


def _sft(c: _Counter) -> Parts:
    examples = c.job.data["n_train"] * c.job.settings["epochs"]
    return {"training": c.training(examples * (c.p + c.r), examples * c.r)}


def _online(c: _Counter) -> Parts:
    """The tree pass reads a prompt once, and two responses under each of its conditions."""
    s = c.job.settings
    prompts = c.job.data["n_train"] * s["epochs"]
    conditions = 2 if s["beta_w"] > 0 else 1
    more = (conditions - 1) * CONDITION_TOKENS * len(c.job.params["objectives"])
    columns = prompts * conditions * 2 * c.r
    tokens = prompts * (c.p + more) + columns
    scoring = c.scoring(2 * prompts, visits=prompts / s["batch_size"])
    reference = c.forward(tokens, columns, adapters=False)
    if c.job.operation["oracle_placement"] == "second_gpu":  # meanwhile
        scoring = max(0, scoring - reference)
    return {
        "sampling": c.sampling(2 * prompts, 2, 2 * s["batch_size"], adapters=True),
        "scoring": scoring,
        "reference": reference,
        "training": c.training(tokens, columns),
    }


def _expert(c: _Counter) -> Parts:
    """RLOO: TRL reads every response with its whole prompt, and twice without gradients."""
    s = c.job.settings
    prompts = c.job.data["n_train"] * s["epochs"]
    rows = prompts * s["generations"]
    tokens, columns = rows * (c.p + c.r), rows * c.r
    return {
        "sampling": c.sampling(
            rows, s["generations"], s["generations"] * s["batch_size"], adapters=True
        ),
        "scoring": c.scoring(rows, visits=prompts / s["batch_size"]),
        "reference": 2 * c.forward(tokens, columns, adapters=True),
        "training": c.training(tokens, columns),
    }


def _ric(c: _Counter) -> Parts:
    s, n = c.job.settings, c.job.data["n_train"]
    kept = 1 - s["quantile"] ** len(c.job.params["objectives"])
    offline = 2 * n * s["epochs"]  # chosen and rejected
    rounds = s["rounds"] * kept * (n + 2 * n) * s["round_epochs"]
    return {
        "sampling": s["rounds"] * c.sampling(n, 1, ROUND, adapters=True),
        "scoring": c.scoring(s["rounds"] * n, visits=s["rounds"] * n / ROUND),
        "training": c.training((offline + rounds) * (c.p + c.r), (offline + rounds) * c.r),
    }


def _generate(c: _Counter) -> Parts:
    """Responses to a block of vectors, with the further ones to the first prompts."""
    m, merged = c.job.block, c.job.params["conditioning"] == MERGED
    n = _responses(c.job.params, c.job.data)
    if merged:  # a model for each vector
        return {"sampling": m * c.sampling(n, 1, n, adapters=True)}
    return {"sampling": c.sampling(m * n, 1, m * PROMPTS, adapters=False)}


def _likelihoods(c: _Counter) -> Parts:
    """Of some prompts' responses under the block's vectors, given every vector."""
    m, merged = len(c.job.params["vectors"]), c.job.params["conditioning"] == MERGED
    groups, conditions = (m, 1) if merged else (1, m)
    passes = groups * math.ceil(c.job.block / max(1, c.job.settings["batch_size"] // conditions))
    prompts, columns = c.job.params["decodability_prompts"], c.job.block * m * c.r
    tokens = prompts * (passes * c.p + columns)
    return {"likelihoods": c.forward(tokens, prompts * columns, adapters=merged)}


def _reference(c: _Counter) -> Parts:
    """Of some prompts' responses under the block's vectors, each under its own."""
    rows = c.job.params["decodability_prompts"] * c.job.block
    return {"reference": c.forward(rows * (c.p + c.r), rows * c.r, adapters=False)}


def _score(c: _Counter) -> Parts:
    asked = c.job.entry.inputs["generate"].spec["params"]
    return {"scoring": c.scoring(c.job.block * _responses(asked, c.job.data))}


def _responses(generated: Mapping[str, Any], data: Mapping[str, Any]) -> int:
    """Responses under one vector. generated: what the job that samples is told."""
    again = generated.get("repeats", {"samples": 0, "prompts": 0})  # a file has none
    return data["n_test"] + again["samples"] * min(again["prompts"], data["n_test"])


def _score_offline(c: _Counter) -> Parts:
    return {"scoring": c.scoring(2 * c.job.data["n_train"])}


def _answers(c: _Counter) -> Parts:
    n = 2 * c.job.data["n_train"]
    return {"sampling": c.sampling(n, 2, 2 * ANSWERED, adapters=False)}


_COSTS: dict[str, Callable[[_Counter], Parts]] = {
    "sft": _sft,
    "online": _online,
    "expert": _expert,
    "ric": _ric,
    "generate": _generate,
    "likelihoods": _likelihoods,
    "reference": _reference,
    "score": _score,
    "oracle_stats": _score_offline,
    "answers": _answers,
}
