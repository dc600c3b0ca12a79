"""How a policy is told the preference vector w: one file per way.

Each offers `load(inputs, objectives, settings, how) -> Conditioned`: inputs are the folders of a job's
upstream entries, `how` to merge matters to experts only. They are chosen by name (see
`moa.workflow.methods`), so a change to one makes only its own methods' responses anew.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from moa.models.settings import GenerationStage


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


def load_conditioned(inputs: Mapping[str, Path], params: Mapping[str, Any]) -> Conditioned:
    """The policy that a job asks. params: conditioning, objectives, generation and, for experts, merge."""
    return import_module(module_name(params["conditioning"])).load(
        inputs,
        params["objectives"],
        GenerationStage.model_validate(params["generation"]),
        params.get("merge"),
    )


Load = Callable[[Mapping[str, Path], Mapping[str, Any]], Conditioned]  # as `load_conditioned`
