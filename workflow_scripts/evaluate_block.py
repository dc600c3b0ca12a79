"""Evaluate a block of a run's vectors: its responses, their likelihoods and their scores, in one process.

In:  what these are made from; their own specs, in their work folders.
Out: their entries, and a receipt that they are there. The policy is loaded once, if at all, and is gone
     from memory before the SFT policy comes, and that before the oracles.
"""

import gc
import sys
from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from moa.models.conditioning import Conditioned, load_conditioned
from moa.runtime.parts import run_parts
from moa.runtime.publishing import Job


class Once:
    """`load_conditioned` for parts that ask one and the same policy."""

    def __init__(self) -> None:
        self.policy: Conditioned | None = None

    def load(self, inputs: Mapping[str, Path], params: Mapping[str, Any]) -> Conditioned:
        if self.policy is None:
            self.policy = load_conditioned(inputs, params)
        return self.policy

    def forget(self) -> None:
        """Free the memory of what was asked before, on its GPU, too."""
        self.policy = None
        if "torch" in sys.modules:
            gc.collect()  # models hold themselves in cycles
            sys.modules["torch"].cuda.empty_cache()


def parts() -> dict[str, Callable[[Job], None]]:
    """What makes an entry of each stage. The scripts are imported when there is something to make."""
    once = Once()

    def asking(script: str, job: Job) -> None:
        import_module(script).main(job, once.load)

    def apart(script: str, job: Job) -> None:
        once.forget()
        import_module(script).main(job)

    return {
        "generate": partial(asking, "generate_responses"),
        "likelihoods": partial(asking, "compute_likelihoods"),
        "reference": partial(apart, "compute_reference"),
        "score": partial(apart, "score_responses"),
    }


if __name__ == "__main__":
    run_parts(parts(), __doc__)
