"""The jobs of a plan that need a GPU, each once, with the task and the runs that they serve."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from moa.runtime.errors import ConfigError
from moa.tools.estimates.shapes import GATED, Shape, shape_of
from moa.workflow.entries import Entry
from moa.workflow.jobs import parts_of
from moa.workflow.plan import Plan
from moa.workflow.resources import gpus_of
from moa.workflow.stages import PARTS, STAGES

ALL_TRAIN = 8000  # assumed: prompts that are left where n_train is null, as PKU-SafeRLHF-10K's 8K
CONDITION_TOKENS = 10  # assumed: of one objective's weight and name in the prompt
BYTES = {"float32": 4, "bfloat16": 2}
MERGED = "merged_experts"


@dataclass
class GpuJob:
    """One entry of the store, or a receipt. runs: the names of all that need it, in the config's order."""

    entry: Entry
    task: str
    runs: list[str] = field(default_factory=list)

    @property
    def stage(self) -> str:
        return self.entry.stage

    @property
    def name(self) -> str:
        """The kind of job, for people."""
        return STAGES[self.stage].label

    @property
    def users(self) -> list[str]:
        """What tells it from others of its kind."""
        if self.stage in ("oracle_stats", "answers"):
            return ["dataset"]
        if objective := self.params.get("objective"):
            return [objective]
        return [] if self.stage == "sft" else self.runs

    @property
    def parts(self) -> list[GpuJob]:
        """What it does in turn, as jobs: most are a single one. A block's load the policy once."""
        return [GpuJob(a, self.task, self.runs) for a in parts_of(self.entry)] or [self]

    @property
    def params(self) -> dict[str, Any]:
        return self.entry.spec["params"]

    @property
    def operation(self) -> dict[str, Any]:
        return self.entry.spec["operation"]

    @property
    def settings(self) -> dict[str, Any]:
        """What its trainer, or the evaluation, is told."""
        return self.params[STAGES[self.stage].told]

    @property
    def lora(self) -> dict[str, Any]:
        """The adapter that is trained, or that the policies asked here were trained with."""
        if STAGES[self.stage].trains:
            return self.params["lora"]
        trained = [a for a in self.entry.inputs.values() if "lora" in a.spec["params"]]
        if not trained:  # the base itself is asked
            return {"rank": 0, "dropout": 0, "target_modules": "all-linear"}
        return trained[-1].spec["params"]["lora"]

    @property
    def shape(self) -> Shape:
        """Of the policy. Raises: ConfigError if it is not written down, or of a family not in GATED."""
        base = self.entry.inputs["base"].spec["params"]["base"]
        shape = shape_of(base.get("model", base["kind"]))
        if shape.family not in GATED:
            raise ConfigError(
                f"policy.base is a {shape.family}: estimates know policies of {' and '.join(GATED)} "
                "only; extend moa/tools/estimates/tensors.py"
            )
        return shape

    @property
    def block(self) -> int:
        """How many vectors have their responses evaluated here."""
        source = self.entry.inputs.get("generate", self.entry)
        return len(source.spec["params"]["vectors"])

    @property
    def data(self) -> dict[str, Any]:
        """n_train (ALL_TRAIN where the config takes all there are), n_test."""
        source = self.entry.inputs.get("generate", self.entry)
        read = source.inputs["data"]
        data = read.inputs.get("data", read).spec["params"]["data"]  # those that the base answered
        return {**data, "n_train": data["n_train"] or ALL_TRAIN}

    @property
    def oracles(self) -> list[tuple[Shape, dict[str, Any]]]:
        """Of every oracle that it asks, the shape and the entry of the config."""
        entries = self.params["oracles"].values()
        return [(shape_of(o.get("model", o["kind"])), o) for o in entries]

    @property
    def gpus(self) -> int:
        """That the job holds while it runs."""
        return gpus_of(self.entry)


def gpu_jobs(plan: Plan) -> list[GpuJob]:
    """All of them, in the order in which they can run."""
    found: dict[str, GpuJob] = {}
    for (task, run, _), ends in plan.ends.items():
        for entry in (upstream for end in ends for upstream in _upstream(end)):
            if STAGES[entry.stage].gpu and entry.stage not in PARTS:
                job = found.setdefault(entry.rel, GpuJob(entry, task))
                if run not in job.runs:
                    job.runs.append(run)
    return list(found.values())


def _upstream(entry: Entry) -> Iterator[Entry]:
    """All that it is made from, and itself, inputs first."""
    for source in entry.inputs.values():
        yield from _upstream(source)
    yield entry
