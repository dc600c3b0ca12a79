"""What a config may say of policies: their adapters, and how they are asked."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from moa.runtime.settings import Natural, Number, Positive, Settings, Share, Text, Whole

Decimals = Annotated[Whole, Field(ge=1, le=4)]
TopP = Annotated[Number, Field(gt=0, le=1)]
Dtype = Literal["float32", "bfloat16"]


class LoraSettings(Settings):
    """The adapters of SFT and of every method."""

    rank: Natural = 64
    """LoRA r.

    Paper: 64."""
    alpha: Positive = 128
    """LoRA scaling.

    Paper: 128."""
    dropout: Share = 0.05
    """On while training only.

    Paper: 0.05."""
    target_modules: Text | Annotated[tuple[Text, ...], Field(min_length=1)] = "all-linear"
    """The adapted linear layers, as PEFT takes them."""


class PromptSettings(Settings):
    """How any stage asks a policy: set once, under `policy`."""

    dtype: Dtype = "float32"
    """Of the frozen weights; adapters are always trained in float32.

    Paper: bfloat16."""
    max_prompt_tokens: Annotated[Whole, Field(ge=16)] = 512
    """Longer prompts are cut at the front of x, never in the weight block."""
    max_new_tokens: Natural = 128
    """Longest response.

    Paper: 128."""
    decimals: Decimals = 2
    """Of the weights in the prompt."""


class GenerationSettings(Settings):
    """Sampling from the trained policies for evaluation."""

    temperature: Positive = 1.0
    """Of sampling."""
    top_p: TopP = 0.9
    """Nucleus."""
    batch_size: Natural = 64
    """Responses scored together for decodability."""
    decodability_prompts: Natural = 32
    """Test prompts, the first ones, on which all vectors' likelihoods of all responses are computed, the KL
    divergence from the SFT policy, and what sampling again would change."""
    repeats: Annotated[Whole, Field(ge=0)] = 3
    """Further responses to each of these prompts, under every vector: they tell the spread that sampling
    makes from that of prompts and seeds; 0 for none."""
    vectors_per_job: Natural | None = None
    """Preference vectors that one job evaluates, with the model loaded once; null for all of a run's; the
    responses do not depend on it.

    Mend: give a whole number from 1, or null for one job per run."""


class GenerationStage(PromptSettings):
    """What a job that asks a trained policy is told: `generation` and what `policy` says of prompts."""

    temperature: Positive
    """Of sampling."""
    top_p: TopP
    """Nucleus."""
    batch_size: Natural
    """Responses scored together for decodability."""


class AnswerStage(PromptSettings):
    """What a job is told that asks the base itself: as training asks policies."""

    temperature: Positive = 1.0
    """Of sampling."""
    top_p: TopP = 1.0
    """Nucleus."""
