"""What a config may say of training, a class per section; and what a stage gets: the same, with what
`policy` says of prompts (`SFTStage` and so on).
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from moa.models.settings import PromptSettings, TopP
from moa.runtime.settings import Flag, Natural, Number, Positive, Settings, Share, Whole


class OptimizerSettings(Settings):
    """What every trainer does with its gradient, and for how long."""

    epochs: Positive
    """Passes over the data; a fraction is allowed."""
    learning_rate: Positive
    """Adam's peak rate."""

    batch_size: Natural = 64
    """Prompts per optimizer step.

    Paper: 64."""
    micro_batch_size: Natural = 64
    """Prompts per forward pass; must divide batch_size."""
    scheduler: Literal["cosine", "linear", "constant", "constant_with_warmup"] = "cosine"
    """Learning rate schedule.

    Paper: cosine."""
    warmup_ratio: Share = 0.1
    """Share of the steps.

    Paper: 0.1."""
    max_grad_norm: Positive = 1.0
    """Gradient clipping."""
    gradient_checkpointing: Flag = False
    """Trade time for memory."""
    logging_steps: Natural = 5
    """Steps between lines of metrics.jsonl."""


class SFTSettings(OptimizerSettings):
    """Supervised fine-tuning under random preference vectors."""

    response: Literal["chosen", "routed"] = "chosen"
    """chosen = the dataset's; routed = the candidate that the routed oracle scores best."""
    draws: Natural = 1
    """Preference vectors drawn for a response, an example each: with one, a policy can learn by heart which
    prompt goes with which response."""
    alpha: Positive = 0.5
    """Dirichlet concentration of the preference vectors.

    Mend: it must be above 0; the paper uses 0.5 (safety) and 1.0 (assistant).

    Paper: 0.5 (safety), 1.0 (assistant)."""
    epochs: Positive = 3
    """Passes over the train prompts; a fraction is allowed.

    Paper: 3."""
    learning_rate: Positive = 1.0e-6
    """Adam's peak rate.

    Paper: 1e-6 (safety), 2e-5 (assistant)."""


class SampledSettings(OptimizerSettings):
    """What every trainer that samples its own responses shares."""

    temperature: Positive = 1.0
    """Of sampling in training."""
    top_p: TopP = 1.0
    """Of sampling in training."""


class OnlineSettings(SampledSettings):
    """Online preference optimisation (MI-EPO, MO-ODPO)."""

    labels: Literal["per_objective", "scalarised"] = "per_objective"
    """per_objective = one weighted DPO loss per objective; scalarised = one pair labelled by the weighted
    reward."""
    beta_c: Positive = 0.1
    """DPO temperature of the alignment term, for responses of policy.reference_tokens.

    Paper: 0.1."""
    beta_w: Annotated[Number, Field(ge=0)] = 0.01
    """Temperature of the exploration term, for responses of policy.reference_tokens; mo_odpo always has 0.

    Paper: 0.01."""
    stop_gradient: Flag = True
    """Hold d(y|w+) fixed in the exploration term.

    Paper: equation 13 does."""
    w_neg_distance: Share = 0
    """Least L1 distance of w- from w+; 0 draws it freely.

    Paper: drawn freely."""
    ties: Literal["skip", "first", "split"] = "skip"
    """What an objective that rates both responses alike contributes."""
    alpha: Positive = 0.5
    """Dirichlet concentration of the preference vectors.

    Mend: it must be above 0; the paper uses 0.5 (safety) and 1.0 (assistant).

    Paper: 0.5 (safety), 1.0 (assistant)."""
    epochs: Positive = 2
    """Passes over the train prompts; a fraction is allowed.

    Paper: 2; 3 with three objectives."""
    learning_rate: Positive = 1.0e-4
    """Adam's peak rate.

    Paper: 1e-4 (safety), 4e-5 (assistant)."""


class ExpertTraining(SampledSettings):
    """How a single-reward expert is trained, with TRL's RLOO; merging comes later and is no part of it."""

    kl: Annotated[Number, Field(ge=0)] = 0.05
    """Weight of the KL penalty against the SFT policy, for responses of policy.reference_tokens."""
    generations: Annotated[Whole, Field(ge=2)] = 2
    """Responses sampled per prompt."""
    epochs: Positive = 2
    """Passes over the train prompts; a fraction is allowed."""
    learning_rate: Positive = 1.41e-5
    """Adam's peak rate."""


class ExpertSettings(ExpertTraining):
    """Single-reward RLHF experts, trained with TRL's RLOO: evaluated alone (rlhf) and merged per preference
    vector (rewarded_soups)."""

    merge: Literal["exact", "factors"] = "exact"
    """exact = the weighted sum of the experts' weight changes; factors = A and B averaged apart."""


class RiCSettings(SampledSettings):
    """Rewards-in-Context, an offline stage and online rounds."""

    goal: Literal["l2", "linf", "linear"] = "l2"
    """How w becomes desired scores, by the norm that divides it."""
    rounds: Annotated[Whole, Field(ge=0)] = 2
    """Online rounds after the offline stage."""
    quantile: Annotated[Number, Field(ge=0, le=1)] = 0.7
    """A sample is kept if some reward reaches this quantile of the offline rewards."""
    round_epochs: Positive = 1
    """Passes over a round's kept samples."""
    round_learning_rate: Positive = 1.0e-5
    """Adam's constant rate in the rounds."""
    alpha: Positive = 0.5
    """Dirichlet concentration of the preference vectors.

    Mend: it must be above 0; the paper uses 0.5 (safety) and 1.0 (assistant)."""
    epochs: Positive = 2
    """Passes over the offline responses."""
    learning_rate: Positive = 1.41e-4
    """Adam's peak rate."""


class SFTStage(SFTSettings, PromptSettings):
    """What SFT is told."""


class OnlineStage(OnlineSettings, PromptSettings):
    """What online preference optimisation is told."""


class ExpertStage(ExpertTraining, PromptSettings):
    """What the training of an expert is told."""


class RiCStage(RiCSettings, PromptSettings):
    """What Rewards-in-Context is told."""
