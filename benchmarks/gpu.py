"""What needs CUDA, at the shapes of config/paper.yaml: exactness, memory, a step, and sampling.

    python benchmarks/gpu.py [--rounds 2]

Its parts run on a CPU in the tests, with tiny models.

Random weights of Alpaca-7B's and Qwen3-8B's shapes in bfloat16, with what the paper's config says of the
tasks `safety` and `assistant2`: LoRA, batch, micro-batch, lengths, gradient checkpointing. For each:

- `difference_<task>`: the tree pass against rows, the largest difference of a response's log-probability in
  nats, as a share of what rounding may make of it (moa/logprobs/exactness.py);
- `memory_ratio_<task>`: memory that CUDA's allocator reserves at most in an MI-EPO step, over plan_memory's
  figure without the oracles, which cost nothing here;
- `seconds_step_<task>`: of that step, whose parts are printed above;
- `tokens_per_s_<task>` and `ratio_tokens_per_s_<task>`: of sampling, and over transformers' fastest way,
  continuous batching included (benchmarks/sampling.py says how both are asked);
- `ratio_graphs_<task>`: over our own without CUDA graphs.

Without CUDA it says so, and ends with status 2.
"""

from __future__ import annotations

import gc
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

import sampling
import tree_logprobs
from moa.logprobs.exactness import rounding
from moa.models.policies import add_adapter
from moa.models.settings import LoraSettings
from moa.runtime.settings import OperationSettings
from moa.tools.estimates.jobs import gpu_jobs
from moa.tools.estimates.memory import OVERHEAD, peaks
from moa.tools.estimates.shapes import published
from moa.workflow.config import CONFIG_FOLDER
from moa.workflow.plan import read_plan
from shared import (
    Figures,
    alternate,
    base,
    command_line,
    online_trainer,
    print_figures,
    print_machine,
    step,
)
from step_cost import places_of_ours, print_parts

TASKS = ("safety", "assistant2")
RESPONSE = 100  # tokens of a mean response, as plan_cost assumes


@dataclass(frozen=True)
class OnlineJob:
    """MI-EPO of a task of config/paper.yaml. planned: bytes at its peak, without oracles and what CUDA
    and the allocator take beside tensors.
    """

    shape: dict[str, Any]
    settings: dict[str, Any]
    lora: LoraSettings
    objectives: int
    planned: float
    operation: OperationSettings


def online_job(task: str) -> OnlineJob:
    """What the plan says of it."""
    jobs = gpu_jobs(read_plan(CONFIG_FOLDER / "paper.yaml"))
    (job, *_) = (
        job
        for job in jobs
        if job.task == task and job.stage == "online" and job.settings["beta_w"] > 0
    )
    (peak, *_) = (peak for peak in peaks([job]) if peak.gpu == "policy")
    model = job.entry.inputs["base"].spec["params"]["base"]["model"]
    apart = dict(peak.items).get("oracles", 0) + OVERHEAD
    return OnlineJob(
        published()[model],
        job.settings,
        LoraSettings.model_validate(job.lora),
        len(job.params["objectives"]),
        peak.total - apart,
        OperationSettings(cache_gib=job.operation["cache_gib"]),
    )


def exactness(job: OnlineJob, device: str, rounds: int) -> float:
    """The largest difference between tree and rows, as a share of what rounding may make."""
    s = job.settings
    policy = add_adapter(base(job.shape, s["dtype"], device), job.lora, seed=0).eval()
    condition = 10 * job.objectives
    prefix, new = s["max_prompt_tokens"] - condition, s["max_new_tokens"]
    with torch.autocast(device, torch.bfloat16):
        found = tree_logprobs.compare(policy, 2, prefix, condition, new, rounds)
        return found["difference"] / rounding(policy, new)


def online_step(job: OnlineJob, device: str, rounds: int) -> Figures:
    """Seconds of a step and of its parts; `reserved`: bytes at most, on a GPU."""
    s = job.settings
    with tempfile.TemporaryDirectory() as folder:
        trainer = online_trainer(
            base(job.shape, s["dtype"], device),
            job.objectives,
            s["batch_size"],
            s["max_prompt_tokens"],
            s["max_new_tokens"],
            Path(folder),
            job.lora,
            job.operation,
            micro_batch_size=s["micro_batch_size"],
            gradient_checkpointing=s["gradient_checkpointing"],
        )
        found = alternate({"ours": lambda: step(trainer, places_of_ours(trainer))}, rounds)["ours"]
    reserved = torch.cuda.max_memory_reserved() if device == "cuda" else 0
    return {**found, "reserved": reserved}


def _emptied() -> None:
    """Leave the GPU to the next measurement."""
    gc.collect()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()


def main() -> None:
    args = command_line(__doc__, 2).parse_args()
    if not torch.cuda.is_available():
        print(
            f"gpu.py needs CUDA, and torch {torch.__version__} sees none here: run it on a machine with an "
            "NVIDIA GPU of 40 GB or more and a CUDA build of torch; benchmarks for CPUs: make bench",
            file=sys.stderr,
        )
        sys.exit(2)
    print_machine()
    jobs = {task: online_job(task) for task in TASKS}
    for task, job in jobs.items():
        _emptied()
        print_figures(**{f"difference_{task}": exactness(job, "cuda", args.rounds)})
        _emptied()
        found = online_step(job, "cuda", args.rounds)
        print_parts({task: found})
        print(
            f"{task}: {found['reserved'] / 1e9:.1f} GB reserved, {job.planned / 1e9:.1f} GB planned"
        )
        print_figures(
            **{
                f"memory_ratio_{task}": found["reserved"] / job.planned,
                f"seconds_step_{task}": found["seconds"],
            }
        )
    for task, job in jobs.items():
        _emptied()
        lengths = np.linspace(100, job.settings["max_prompt_tokens"], 64).astype(int).tolist()
        new = job.settings["max_new_tokens"]
        ways = sampling.compare(
            job.shape, lengths, new, RESPONSE, args.rounds, job.settings["dtype"], "cuda"
        )
        rates = {name: way["tokens_per_s"] for name, way in ways.items()}
        print(f"{task}, tokens/s: " + ", ".join(f"{n} {rate:.0f}" for n, rate in rates.items()))
        print_figures(
            **{
                f"tokens_per_s_{task}": rates["ours"],
                f"ratio_tokens_per_s_{task}": sampling.ratio(rates),
                f"ratio_graphs_{task}": rates["ours"] / rates[sampling.LAUNCHED],
            }
        )


if __name__ == "__main__":
    main()
