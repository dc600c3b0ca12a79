"""How a policy is told the preference vector w: one file per way.

Each offers `load(inputs, params) -> Conditioned`, from the folders of a job's inputs and the
parameters of the generate stage. They are chosen by name (see `moa.workflow.methods`), so a change to one
makes only its own methods' responses anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol


def module_name(conditioning: str) -> str:
    """The module that implements a way of conditioning."""
    return f"moa.models.conditioning.{conditioning}"


class Conditioned(Protocol):
    """A policy that can be asked for any preference vector.

    one_model: the same weights serve every w, so that several w may share one forward pass.
    """

    one_model: bool

    def at(self, w: Sequence[float]) -> Any:
        """The model that answers under w; valid until the next call."""
        ...

    def prompt(self, x: str, w: Sequence[float]) -> str:
        """The text that the model completes."""
        ...
