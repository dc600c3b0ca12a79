"""Whether a model can be asked by the tree pass: found out on the model itself, not from its name.

A tree is one row with a mask of its own. A model reads it wrongly if some of its layers see less than
all that stands before (a sliding window, chunks), or go by the order of the columns instead of mask
and positions (convolutions, state spaces, ALiBi). The first kind shows in the masks that transformers
makes for the model's configuration; for the rest one tree of random tokens is compared with rows.
"""

from __future__ import annotations

import logging
from copy import copy
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

import torch
from transformers.masking_utils import create_masks_for_generate

from moa.logprobs.layout import Layout
from moa.logprobs.rows import completion_logprobs
from moa.logprobs.tree import tree_pass

log = logging.getLogger("moa")
# What rounding may make of a token's log-probability, in nats. For bfloat16 twice what it made of 8
# responses of 128 tokens at most, under random weights of 7B and 8B shapes; a tree read wrongly is tens of
# nats off.
ROUNDING = {torch.float64: 1e-3, torch.float32: 1e-3, torch.float16: 0.05, torch.bfloat16: 0.3}


@dataclass
class _Known:
    """What was found out of one model. A row that is longer or wider than a wrong one is wrong, too."""

    right: list[tuple[int, int]] = field(default_factory=list)  # (longest path, width)
    wrong: list[tuple[int, int]] = field(default_factory=list)

    def of(self, longest: int, width: int) -> bool | None:
        if any(longest <= a and width <= b for a, b in self.right):
            return True
        if any(longest >= a and width >= b for a, b in self.wrong):
            return False
        return None


_known: WeakKeyDictionary[Any, _Known] = WeakKeyDictionary()


def tree_is_exact(model: Any, layout: Layout) -> bool:
    """Whether a tree of this layout gives what rows give, up to rounding.

    Tried once per model and size; that it is not is said in one log line.
    """
    bare = getattr(model, "module", model)  # what distributed training wraps
    known = _known.setdefault(bare, _Known())
    size = (layout.longest, layout.width)
    exact = known.of(*size)
    if exact is None:
        reason = _obstacle(bare, layout)
        exact = reason is None
        if reason and not known.wrong:
            log.info("log-probabilities are taken row by row, without shared prefixes: %s", reason)
        (known.right if exact else known.wrong).append(size)
    return exact


def _obstacle(model: Any, layout: Layout) -> str | None:
    """Why a tree of this layout would not be exact, or None."""
    if not sees_all(model.config, layout.longest):
        return f"in rows of {layout.longest} tokens some layers see only the nearest tokens"
    tokens = model.get_input_embeddings().num_embeddings
    ids = torch.randint(tokens, (layout.longest,), generator=torch.Generator().manual_seed(0))
    prefix, condition, response = ids.split([layout.len_p, layout.len_c, layout.len_r])
    branches = [[condition] * layout.n_c], [[response] * layout.n_r]
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            tree = tree_pass(model, layout, [prefix], *branches)[0]
            row = completion_logprobs(model, [torch.cat([prefix, condition])], [response])
    except torch.OutOfMemoryError:
        raise
    except (TypeError, ValueError, RuntimeError, IndexError) as error:
        return f"{type(model).__name__} cannot read one: {(str(error).splitlines() or [''])[0]}"
    finally:
        model.train(was_training)
    worst = float((tree - row).abs().max())
    if not worst <= rounding(model, layout.len_r):
        return f"one of random tokens is {worst:.2g} nats off"
    return None


def rounding(model: Any, tokens: int) -> float:
    """What rounding may make of the log-probability of a response under this model, in nats.

    Errors of tokens add up like a random walk; a few of them may well be twice the usual.
    """
    dtypes = {p.dtype for p in model.parameters() if p.is_floating_point()}
    if torch.is_autocast_enabled(next(model.parameters()).device.type):
        dtypes.add(torch.bfloat16)
    return max(ROUNDING[dtype] for dtype in dtypes if dtype in ROUNDING) * (tokens + 3) ** 0.5


def sees_all(config: Any, length: int) -> bool:
    """Whether every attention layer sees all of a row of `length` tokens that stands before a token."""
    eager = copy(config)
    eager._attn_implementation = "eager"  # the one whose masks are written out
    made = create_masks_for_generate(eager, torch.zeros(1, length, 1), None, None)
    whole = torch.ones(length, length).tril().bool()
    masks = made.values() if isinstance(made, dict) else [made]
    return all(mask is None or torch.equal(mask[0, 0] == 0, whole) for mask in masks)
