"""The peak memory of every kind of job, per GPU, from a config alone.

Worst cases: every prompt has max_prompt_tokens, every response max_new_tokens. An oracle halves its
micro-batch until it fits, so only what one longest row needs is counted; the rest of the GPU is its to use.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from moa.tools.estimates.jobs import BYTES, CONDITION_TOKENS, MERGED, GpuJob
from moa.tools.estimates.shapes import Shape
from moa.tools.estimates.tensors import (
    FLOAT32,
    Items,
    Policy,
    Tree,
    backward_moments,
    fused_head,
    sampling_moments,
    training_state,
    tree_reference,
    tree_training,
)
from moa.workflow.stages import STAGES

GB = 1e9
ROUND = 512  # prompts that RiC samples in one go: SHARD of moa.training.ric
ANSWERED = 256  # prompts that the base answers in one go: PROMPTS of moa.models.answers
# Assumed: about 1 GB for CUDA's context, kernels and cuBLAS's workspaces, and as much for what the caching
# allocator loses to fragmentation as batches differ in width.
OVERHEAD = 2 * GB


@dataclass(frozen=True)
class Peak:
    """The fullest moment of a job on one GPU. items: what is held then, in bytes.

    users: what tells the jobs that have it from others of their kind.
    """

    task: str
    job: str
    gpu: str
    moment: str
    items: tuple[tuple[str, float], ...]
    users: tuple[str, ...] = ()

    @property
    def total(self) -> float:
        return sum(size for _, size in self.items)


def peaks(jobs: list[GpuJob]) -> list[Peak]:
    """One per task, kind of job and GPU; jobs that need the same (other seeds, say) are one line.

    Raises: ConfigError if the shape of a model is not written down.
    """
    users: dict[Peak, list[str]] = {}
    for job in jobs:
        for peak in _peaks(job):
            known = users.setdefault(peak, [])
            known += [name for name in job.users if name not in known]
    return [replace(peak, users=tuple(names)) for peak, names in users.items()]


def _peaks(job: GpuJob) -> list[Peak]:
    """A job's peaks: on its policies' GPU and, with second_gpu, on its oracles'.

    What is done in turn has the largest peak of its parts: a policy is gone before oracles are loaded.
    """
    if STAGES[job.stage].parts:
        largest = max((p for part in job.parts for p in _peaks(part)), key=lambda p: p.total)
        return [replace(largest, job=job.name)]
    resident, scoring, apart = _oracles(job)
    if job.stage in ("score", "oracle_stats"):
        return [_peak(job, resident, {"scoring": scoring})]
    policy = Policy(job.shape, BYTES[job.settings["dtype"]], job.lora)
    if job.stage == "answers":
        moments = _sampling(job, policy, 2 * ANSWERED, 2, adapters=False)
        return [_peak(job, {"weights": policy.weights}, moments)]
    if STAGES[job.stage].told == "generation":
        held = {"weights": policy.weights, **_experts(job, policy)}
        adapters = job.params.get("conditioning") == MERGED
        if job.stage == "reference":
            moments = {"reference pass": tree_reference(policy, reference_rows(job), False)}
        elif job.stage == "likelihoods":
            moments = {"tree pass": tree_reference(policy, likelihood_tree(job), adapters)}
        else:
            one = 1 if adapters else job.block  # merged experts: vector by vector
            moments = _sampling(job, policy, one * job.data["n_test"], 1, adapters)
        return [_peak(job, held, moments)]
    held = training_state(policy, job.operation["processes"])
    moments = _training(job, policy)
    if not STAGES[job.stage].with_oracles:
        return [_peak(job, held, moments)]
    if apart:
        oracles = _peak(job, resident, {"scoring": scoring}, gpu="oracles")
        return [_peak(job, held, moments), oracles]
    return [_peak(job, held | resident, moments | {"scoring": scoring})]


def _peak(job: GpuJob, held: Items, moments: Mapping[str, Items], *, gpu: str = "policy") -> Peak:
    if job.stage in ("score", "oracle_stats"):
        gpu = "oracles"
    moment = max(moments, key=lambda name: sum(moments[name].values()))
    items = {**held, **moments[moment], "context and fragmentation": OVERHEAD}
    return Peak(job.task, job.name, gpu, moment, tuple(items.items()))


def _training(job: GpuJob, policy: Policy) -> dict[str, Items]:
    """The moments of a training job on the policy's GPU, scoring left out."""
    s = job.settings
    step = s["batch_size"] // job.operation["processes"]
    prompts = min(s["micro_batch_size"], step)
    checkpointing = s["gradient_checkpointing"]
    if job.stage == "online":
        tree = online_tree(job, prompts)
        return {
            **_sampling(job, policy, 2 * step, 2, adapters=True),
            "reference pass": tree_reference(policy, tree),
            **tree_training(policy, tree, checkpointing),
        }
    rows = prompts * (s["generations"] if job.stage == "expert" else 1)
    tokens = rows * (s["max_prompt_tokens"] + s["max_new_tokens"])
    logits = fused_head(policy, rows * s["max_new_tokens"])
    moments = backward_moments(policy, tokens, logits, checkpointing)
    if job.stage == "expert":
        # TRL keeps a frozen copy of the adapter as its reference.
        moments |= _sampling(job, policy, step * s["generations"], s["generations"], adapters=True)
        return {name: m | {"reference adapter": policy.adapter} for name, m in moments.items()}
    if job.stage == "ric":
        moments |= _sampling(job, policy, ROUND, 1, adapters=True)
    return moments


def _sampling(
    job: GpuJob, policy: Policy, responses: int, samples: int, adapters: bool
) -> dict[str, Items]:
    s, gib = job.settings, job.operation["cache_gib"]
    prompt, new = s["max_prompt_tokens"], s["max_new_tokens"]
    return sampling_moments(policy, responses, samples, prompt, new, gib, adapters)


def online_tree(job: GpuJob, prompts: int) -> Tree:
    """The tree of a micro-batch of online preference optimisation: w+ and, if it is used, w-."""
    s = job.settings
    condition = CONDITION_TOKENS * len(job.params["objectives"])
    prefix = s["max_prompt_tokens"] - condition
    conditions = 2 if s["beta_w"] > 0 else 1
    return Tree(prompts, prefix, conditions, condition, 2, s["max_new_tokens"])


def likelihood_tree(job: GpuJob) -> Tree:
    """One pass of `moa.evaluation.likelihoods.cross_likelihoods`."""
    s = job.settings
    vectors = len(job.params["vectors"])
    condition = CONDITION_TOKENS * len(job.params["objectives"])
    prefix = s["max_prompt_tokens"] - condition
    conditions = 1 if job.params["conditioning"] == MERGED else vectors
    responses = min(job.block, max(1, s["batch_size"] // conditions))
    return Tree(1, prefix, conditions, condition, responses, s["max_new_tokens"])


def reference_rows(job: GpuJob) -> Tree:
    """One pass of `moa.evaluation.likelihoods.reference_logps`."""
    s = job.settings
    return Tree(s["batch_size"], s["max_prompt_tokens"], 1, 0, 1, s["max_new_tokens"])


def _experts(job: GpuJob, policy: Policy) -> Items:
    """What merging holds: all experts, the wide adapter that they are merged in, and the merged state."""
    if job.params.get("conditioning") != MERGED:
        return {}
    k = len(job.params["objectives"])
    return {"experts": k * policy.adapter, "merged adapter, twice": 2 * k * policy.adapter}


def _oracles(job: GpuJob) -> tuple[Items, Items, bool]:
    """What the oracles hold all the time, what they add while scoring, and whether on another GPU."""
    if "oracles" not in job.params:
        return {}, {}, False
    in_training = STAGES[job.stage].with_oracles
    placement = job.operation["oracle_placement"] if in_training else "same_gpu"
    weights, rows = [], []
    for shape, entry in job.oracles:
        width = BYTES[entry["dtype"]]
        weights.append(width * shape.parameters)
        rows.append(_longest_row(shape, width, entry["max_tokens"]))
    if placement == "cpu_offload":  # one at a time
        return {}, {"a visiting oracle": max(map(sum, zip(weights, rows, strict=True)))}, False
    resident, least = float(sum(weights)), max(rows)
    apart = placement == "second_gpu"
    return {"oracles": resident}, {"an oracle's longest row": least}, apart


def _longest_row(shape: Shape, width: int, max_tokens: int) -> float:
    """What an oracle's forward pass over one row holds: a layer's insides, and GPT-2's cache."""
    tokens = min(max_tokens, shape.positions)
    cache = 2 * shape.layers * shape.kv if shape.family == "gpt2" else 0
    widest = 3 * shape.hidden + 3 * shape.intermediate
    return tokens * (width * (widest + cache) + FLOAT32 * shape.hidden)
