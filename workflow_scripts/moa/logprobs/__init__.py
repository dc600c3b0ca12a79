"""Summed log-probabilities of responses: the plain pass, and the shared-prefix "tree" pass.

Both go through the model's own forward, so adapters, `disable_adapter()` and wrappers apply.
"""

from __future__ import annotations

from moa.logprobs.branches import tree_logprobs
from moa.logprobs.rows import completion_logprobs, sequence_logprobs

__all__ = ["completion_logprobs", "sequence_logprobs", "tree_logprobs"]
