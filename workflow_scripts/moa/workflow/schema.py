"""The whole of what a config file may say: sections from the rooms that read them, tasks and runs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, Field

from moa.datasets.settings import AnyData
from moa.evaluation.settings import MetricsSettings
from moa.models.settings import GenerationSettings, LoraSettings, PromptSettings
from moa.oracles.settings import AnyOracle, PairSettings
from moa.runtime.settings import Location, Natural, Number, OperationSettings, Seed, Settings, Text
from moa.training.bases.settings import AnyBase
from moa.training.settings import ExpertSettings, OnlineSettings, RiCSettings, SFTSettings
from moa.workflow.methods import METHODS


def _unique(values: tuple[Any, ...]) -> tuple[Any, ...]:
    if len(set(values)) < len(values):
        raise ValueError("it must not hold anything twice")
    return values


def _not_taken(name: str) -> str:
    if name in ("store", "logs", "work"):
        raise ValueError("it is a folder of the workflow")
    return name


def _for_a_store(path: str) -> str:
    """A folder, or what can become one. Raises: ValueError with the mend."""
    if set("{}") & set(path):
        raise ValueError("Snakemake takes braces for wildcards; choose a path without them")
    if "\0" in path or any(len(os.fsencode(part)) > 255 for part in Path(path).parts):
        raise ValueError("no file system takes such a name; choose another")
    places = (Path(path), *Path(path).parents)
    first = next((place for place in places if os.path.lexists(place)), None)
    if first is not None and not first.is_dir():
        raise ValueError(f"{first} is there already and is no folder; choose another path")
    return path


Unique = AfterValidator(_unique)
# A folder's name is made of three of these and a key at most, and no file system takes 256 bytes.
LETTERS = 64
Name = Annotated[Text, Field(pattern="^[a-z0-9_]+$", max_length=LETTERS)]
Objective = Annotated[Text, Field(pattern="^[a-z][a-z0-9_]*$", max_length=LETTERS)]
Weight = Annotated[Number, Field(ge=0, le=1)]
if TYPE_CHECKING:
    MethodName = str
else:
    MethodName = Literal[tuple(METHODS)]


class PolicySettings(PromptSettings):
    """The base model and the adapters trained on it."""

    base: AnyBase
    """Where the base model comes from."""
    lora: LoraSettings = LoraSettings()
    """The adapters of SFT and of every method."""
    reference_tokens: Natural = 128
    """Length of the responses that beta_c, beta_w and the experts' kl are given for.

    Paper: 128."""
    betas: Literal["similar", "raw"] = "similar"
    """similar = they are multiplied by reference_tokens / max_new_tokens, since they multiply log-ratios
    that are summed over a response (docs/scale_model.md); raw = taken as they are."""


class PolicyOverrides(PromptSettings):
    """Any key of policy."""

    base: dict[str, Any] = {}
    """Keys that differ, or another `kind` with its own."""
    lora: LoraSettings = LoraSettings()
    """Keys that differ."""
    reference_tokens: Natural = 128
    """Length of the responses that beta_c, beta_w and the experts' kl are given for."""
    betas: Literal["similar", "raw"] = "similar"
    """Whether they are scaled from that length to max_new_tokens."""


class Sections(Settings):
    """What a config says for all tasks, and a task may say otherwise for itself."""

    sft: SFTSettings = SFTSettings()
    """Supervised fine-tuning."""
    online: OnlineSettings = OnlineSettings()
    """MI-EPO and MO-ODPO."""
    experts: ExpertSettings = ExpertSettings()
    """Single-reward experts, alone and merged."""
    ric: RiCSettings = RiCSettings()
    """Rewards-in-Context."""
    generation: GenerationSettings = GenerationSettings()
    """Sampling for evaluation."""
    metrics: MetricsSettings = MetricsSettings()
    """From scores to tables."""
    operation: OperationSettings = OperationSettings()
    """How jobs run."""


class TaskSettings(Sections):
    """Objectives, data and oracles of a task; any section here overrides the common one."""

    objectives: Annotated[tuple[Objective, ...], Field(min_length=2), Unique]
    """In the order of every column, prompt and vector; two or more.

    Mend: list two names or more, of at most 64 lower-case letters, digits and underscores, beginning with a
    letter."""
    data: AnyData
    """Prompts and responses."""
    oracles: dict[Objective, AnyOracle]
    """One reward oracle per objective, by name."""
    judges: dict[Objective, AnyOracle] = {}
    """Oracles that score what is evaluated and never train, one per objective: of another kind, or fitted
    on other data. All tables then have their numbers too, and the gap. Null or left out, there are none."""
    evaluation_vectors: Annotated[tuple[tuple[Weight, ...], ...], Field(min_length=2)] | None = None
    """Preference vectors to evaluate; the paper's for 2 and 3 objectives if left out.

    Mend: list two vectors or more, each with a weight from 0 to 1 per objective.

    Paper: 11 vectors for two objectives, 13 for three."""
    beta_w_sweep: Annotated[tuple[Annotated[Number, Field(ge=0)], ...], Unique] = ()
    """Values of beta_w, given as `online.beta_w` is, to train and compare in a figure; 0 is MO-ODPO.

    Mend: list different numbers from 0."""
    paper: Text | None = None
    """Whose numbers of config/paper_numbers.yaml stand beside ours in the tables; null for none. They stand
    beside runs that a method names, and whose `overrides` change nothing else."""
    pairs: dict[Objective, tuple[PairSettings, ...]] = {}
    """By objective, pairs of responses of known order on which `make check` tries its oracle's sign, in
    place of the built-in ones for helpfulness, harmlessness and humor; [] for none."""
    policy: PolicyOverrides = PolicyOverrides()
    """Keys that differ for this task."""


class RunSettings(Settings):
    """What is trained and compared; each run appears in the DAG, the figures and the tables."""

    name: Name
    """Name of the run, in folders and tables.

    Mend: use at most 64 lower-case letters, digits and underscores."""
    method: MethodName
    """The training method; sft is the start of all others, evaluated as it is; external trains nothing, its
    responses come out of a file."""
    responses: Location | None = None
    """Of method external alone, and needed there: the file of its responses, .jsonl, .jsonl.gz or .csv, as
    seen from the config's folder or else from where the workflow runs; `{task}` in it stands for the task's
    name (docs/your_responses.md)."""
    overrides: dict[str, Any] = {}
    """Keys of the method's own section (online, experts or ric) that differ for this run, and under
    `lora` keys of policy.lora."""


class ConfigSettings(Sections):
    """A config file."""

    name: Annotated[Name, AfterValidator(_not_taken)]
    """Name of the config; results appear under results/<name>/.

    Mend: use at most 64 lower-case letters, digits and underscores; store, logs and work are folders of the
    workflow."""
    extends: Text | None = None
    """Another config, beside this file: what this one does not say is taken from there. Lists are replaced
    whole, a task or an oracle that is null is left out, and an entry with another `kind` takes nothing of
    the old."""
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1), Unique] = (0, 1, 2)
    """One full pipeline from SFT on is run per seed.

    Mend: list different whole numbers from 0 to 4294967295, for example [0, 1, 2]."""
    store: Annotated[Location, AfterValidator(_for_a_store)] = "results/store"
    """Folder of the content store; several checkouts may share one. `~` and `$NAME` are replaced, as in a
    shell."""
    policy: PolicySettings
    """The base model and the adapters trained on it."""
    tasks: Annotated[dict[Name, TaskSettings], Field(min_length=1)]
    """The tasks to run, by name.

    Mend: give at least one task, with a name of at most 64 lower-case letters, digits and underscores."""
    runs: Annotated[tuple[RunSettings, ...], Field(min_length=1)]
    """What is trained and compared; each run appears in the DAG, the figures and the tables.

    Mend: list at least one run, with a name and a method."""
