"""Oracle kind `python_callable`: any function f(prompts, responses) -> N numbers, higher is better.

They may be a list, a numpy array or a torch tensor; `moa.oracles.base` checks them, as every oracle's.
`callable: package.module:function`, importable by the job: installed, or on PYTHONPATH. What it
computes cannot be read off its name, so the config's `version` stands for it in the key: change
`version` when the function changes.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from moa.runtime.errors import JobError

REQUIRES: tuple[str, ...] = ()
EXPECTED = (
    "it is called as f(prompts, responses), two lists of text, and returns one number per response"
)
log = logging.getLogger("moa")


class CallableOracle:
    """Its scores are what the function returns."""

    def __init__(
        self, objective: str, name: str, function: Callable[[list[str], list[str]], np.ndarray]
    ) -> None:
        self.objective = objective
        self._name, self._function = name, function

    def score(self, prompts: list[str], responses: list[str]) -> np.ndarray:
        """(N,), in whatever form the function has it.

        Raises: JobError naming the function if it raises anything, whose traceback is logged.
        """
        try:
            return self._function(prompts, responses)
        except (Exception, SystemExit) as error:  # `exit()` would end the job as if all were well
            log.exception("oracle %s: %s raised", self.objective, self._name)
            raise JobError(
                f"oracle {self.objective}: {self._name} raised {_said(error)} for {len(responses)} "
                f"responses; {EXPECTED}: mend the function, its traceback is above"
            ) from error


def load(objective: str, params: dict[str, Any], entry: Path | None) -> CallableOracle:
    """The oracle kind; params: callable, version.

    Raises: JobError if the function cannot be imported, is none, or does not take two arguments.
    """
    module, _, name = params["callable"].partition(":")
    try:
        function = getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise JobError(
            f"oracle {objective}: cannot import {params['callable']} ({error}); install its package, "
            "or put its folder on PYTHONPATH"
        ) from error
    except (Exception, SystemExit) as error:  # whatever the module does on import
        log.exception("oracle %s: importing %s raised", objective, module)
        raise JobError(
            f"oracle {objective}: importing {module}, for {params['callable']}, raised {_said(error)}: "
            "mend the module, its traceback is above"
        ) from error
    if not callable(function):
        raise JobError(
            f"oracle {objective}: {params['callable']} is a {type(function).__name__}, no function; name "
            "a function f(prompts, responses)"
        )
    try:
        inspect.signature(function).bind([], [])
    except TypeError as error:
        raise JobError(
            f"oracle {objective}: {params['callable']} cannot be called with two arguments "
            f"({error}); {EXPECTED}"
        ) from error
    except ValueError:  # some functions written in C do not say what they take
        pass
    return CallableOracle(objective, params["callable"], function)


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
