"""Oracle kind `python_callable`: any function f(prompts, responses) -> N numbers, higher is better.

They may be a list, a numpy array or a torch tensor; `moa.oracles.base` checks them, as every oracle's.
`callable: package.module:function`, importable by the job: installed, or on PYTHONPATH. What it
computes cannot be read off its name, so the config's `version` stands for it in the key: change
`version` when the function changes.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from moa.runtime.errors import JobError

REQUIRES: tuple[str, ...] = ()


class CallableOracle:
    """Its scores are what the function returns."""

    def __init__(
        self, objective: str, function: Callable[[list[str], list[str]], np.ndarray]
    ) -> None:
        self.objective = objective
        self._function = function

    def score(self, prompts: list[str], responses: list[str]) -> np.ndarray:
        """(N,), in whatever form the function has it."""
        return self._function(prompts, responses)


def load(objective: str, params: dict[str, Any], entry: Path | None) -> CallableOracle:
    """The oracle kind; params: callable, version.

    Raises: JobError if the function cannot be imported, or is none.
    """
    module, _, name = params["callable"].partition(":")
    try:
        function = getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise JobError(
            f"oracle {objective}: cannot import {params['callable']} ({error}); install its package, "
            "or put its folder on PYTHONPATH"
        ) from error
    if not callable(function):
        raise JobError(
            f"oracle {objective}: {params['callable']} is a {type(function).__name__}, no function; name "
            "a function f(prompts, responses)"
        )
    return CallableOracle(objective, function)
