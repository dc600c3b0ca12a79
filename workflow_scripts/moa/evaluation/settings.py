"""What a config may say of metrics."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from moa.runtime.settings import Number, Settings, Whole


class MetricsSettings(Settings):
    """From scores to tables."""

    reference: Number = -1
    """Hypervolume reference per objective (normalised rewards)."""
    reference_sensitivity: tuple[Number, ...] = (0, -0.5, -1, -2)
    """Further reference points that the metrics list."""
    bootstrap_resamples: Annotated[Whole, Field(ge=10)] = 1000
    """Resamples of prompts per interval."""
