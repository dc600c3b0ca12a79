"""What a config may say of a base model, by kind: a kind is a file of this folder."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from moa.runtime.settings import KindSettings, Location, Natural, Positive, Seed, Text, Whole
from moa.training.settings import OptimizerSettings


class ScratchBase(KindSettings, OptimizerSettings):
    """A small Llama that is trained in the workflow, from random weights."""

    seed: Seed = 0
    """Of its weights and corpus."""
    hidden_size: Annotated[Whole, Field(ge=8)] = 64
    """Width."""
    layers: Natural = 2
    """Depth."""
    heads: Natural = 4
    """Attention heads; twice their number must divide hidden_size."""
    epochs: Positive = 2
    """Passes over the corpus; a fraction is allowed."""
    learning_rate: Positive = 3.0e-3
    """Adam's peak rate."""
    logging_steps: Natural = 50
    """Steps between lines of metrics.jsonl."""


class ScratchLlamaBase(ScratchBase):
    """A small Llama over the generated world's words, trained here."""

    kind: Literal["scratch_llama"]
    """A small Llama, trained in the workflow."""
    documents: Natural = 20000
    """Size of the corpus."""


class ScratchTextBase(ScratchBase):
    """A small Llama over the task's own data, trained here: it can read any text and objective, and
    understands little."""

    kind: Literal["scratch_text"]
    """A small Llama, trained on the task's data."""
    epochs: Positive = 5
    """Passes over the responses of the train split; a fraction is allowed."""
    vocabulary: Annotated[Whole, Field(ge=300)] = 2000
    """Tokens of its tokenizer, which is byte-level, so that no text is lost on it."""


class PackagedGGUFBase(KindSettings):
    """A model out of a Python package."""

    kind: Literal["packaged_gguf"]
    """A GGUF file out of a package."""
    package: Text
    """Distribution that carries the file."""
    file: Text
    """The GGUF file in it, below site-packages."""
    pad_token: Text = "<empty_output>"
    """A spare token of its vocabulary."""


class HubBase(KindSettings):
    """A model of the hub, or a local folder.

    Paper: PKU-Alignment/alpaca-7b-reproduced and Qwen/Qwen3-8B-Base."""

    kind: Literal["hub"]
    """A hub model or a local folder."""
    model: Location
    """Hub id or local folder."""
    revision: Text = "main"
    """Branch, tag or commit of a hub model."""
    pad_token: Text | None = None
    """A token of its vocabulary other than EOS; null for the tokenizer's own."""


class PinnedHubBase(HubBase):
    """What a job gets: a hub model, with what planning found."""

    commit: Text | None = None
    """What the revision is locked to, for a hub model. Set by planning, never by hand."""
    content: Text | None = None
    """Fingerprint of a local folder. Set by planning, never by hand."""


class PinnedScratchTextBase(ScratchTextBase):
    """What a job gets: the same, with what stands in the prompts."""

    objectives: tuple[Text, ...]
    """The task's. Set by planning, never by hand."""


AnyBase = Annotated[
    ScratchLlamaBase | ScratchTextBase | PackagedGGUFBase | HubBase, Field(discriminator="kind")
]
# What a job gets, which is what a config says but for what planning adds.
PinnedBase = Annotated[
    PinnedHubBase | PinnedScratchTextBase | AnyBase, Field(union_mode="left_to_right")
]
