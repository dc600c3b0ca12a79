"""Oracle kind `python_callable`: any function f(prompts, responses) -> N numbers, higher is better.

They may be a list, a numpy array or a torch tensor; `moa.oracles.base` checks them, as every oracle's.
`callable: file.py:function`, of a file beside the config, counts by the content of that file alone.
`callable: package.module:function` is importable by the job: installed, or on PYTHONPATH. What it
computes cannot be read off its name, so the config's `version` stands for it in the key: change
`version` when the function changes.
"""

from __future__ import annotations

import inspect
import logging
import sys
from collections.abc import Callable
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from moa.runtime.errors import JobError
from moa.runtime.fingerprints import require_planned
from moa.runtime.own_files import own_file

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
    """The oracle kind; params: callable, version, contents.

    Raises: JobError if the file is not as it was planned with, if the function cannot be imported, is none,
    or does not take two arguments.
    """
    place, _, name = params["callable"].rpartition(":")
    file = own_file(params["callable"])
    if file:
        require_planned(Path(file), params.get("contents", {}).get("callable"))
        place = str(Path(file).absolute())
    try:
        function = getattr(_module_of(place) if file else import_module(place), name)
    except (ImportError, AttributeError) as error:
        mend = (
            "name a function of that file, which can import what is installed and stands alone otherwise"
            if file
            else "install its package, or put its folder on PYTHONPATH"
        )
        raise JobError(
            f"oracle {objective}: cannot import {params['callable']} ({error}); {mend}"
        ) from error
    except (Exception, SystemExit) as error:  # whatever the module does on import
        log.exception("oracle %s: importing %s raised", objective, place)
        raise JobError(
            f"oracle {objective}: importing {place}, for {params['callable']}, raised {_said(error)}: "
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


def _module_of(file: str) -> ModuleType:
    """The module that a file is, under its path as its name: no package's module can be taken for it."""
    if file not in sys.modules:
        spec = spec_from_file_location(file, file)
        assert spec is not None and spec.loader is not None  # its name ends in .py
        sys.modules[file] = module_from_spec(spec)  # there before it runs, as dataclasses need it
        try:
            spec.loader.exec_module(sys.modules[file])
        except BaseException:
            del sys.modules[file]
            raise
    return sys.modules[file]


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
