"""From a model's last hidden states to log-probabilities, without all logits at once.

Logits are as wide as the vocabulary: in float32, those of a step are gigabytes, and the backward pass makes
more of them. Here a block of at most `BUDGET` bytes is made at a time, and the gradient with respect to the
hidden states is taken while the block is there, so that no block is made twice:

    d log p(v | h) / dh = W_v - softmax(W h) W

This holds for a head that is one frozen linear layer and whose output is the logits, which one pass of a
few tokens shows. Elsewhere (logits that are scaled or capped, a trained head) the logits are taken whole.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

import torch

log = logging.getLogger("moa")
BUDGET = 256 * 2**20  # bytes of float32 logits
_plain: WeakKeyDictionary[Any, bool] = WeakKeyDictionary()


def token_logprobs(
    model: Any, inputs: dict[str, torch.Tensor], at: tuple[torch.Tensor, ...], targets: torch.Tensor
) -> torch.Tensor:
    """log p(target | what stands before it) of T tokens: (T,) float32, differentiable.

    inputs: what the forward takes; its `logits_to_keep` are columns. at: two (T,) indices, of the row and
    among these columns, of what predicts each target. targets: (T,) ids.
    """
    head = _plain_head(model)
    if head is None:
        logits = model(**inputs, use_cache=False).logits[at].float()
        return logits.gather(1, targets[:, None])[:, 0] - logits.logsumexp(dim=1)
    with _without_logits(head) as hidden:
        model(**inputs, use_cache=False)
    return _HeadLogProbs.apply(hidden[0][at], head.weight, head.bias, targets)


class _HeadLogProbs(torch.autograd.Function):
    """hidden (T, H), weight (V, H), bias (V) or None, targets (T,) -> (T,) float32."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        targets: torch.Tensor,
    ) -> torch.Tensor:
        logps = torch.empty(len(hidden), dtype=torch.float32, device=hidden.device)
        wants_gradient = ctx.needs_input_grad[0]
        gradient = torch.empty_like(hidden) if wants_gradient else None
        rows = max(1, BUDGET // (4 * len(weight)))
        for start in range(0, len(hidden), rows):
            part = slice(start, start + rows)
            logits = torch.nn.functional.linear(hidden[part], weight, bias).float()
            total = logits.logsumexp(dim=1)
            logps[part] = logits.gather(1, targets[part, None])[:, 0] - total
            if gradient is not None:
                shares = logits.sub_(total[:, None]).exp_().to(weight.dtype)
                gradient[part] = weight[targets[part]] - shares @ weight
        ctx.save_for_backward(gradient)
        return logps

    @staticmethod
    def backward(ctx: Any, *outer: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        (gradient,) = ctx.saved_tensors
        return (gradient * outer[0][:, None]).to(gradient.dtype), None, None, None


@contextmanager
def _without_logits(head: torch.nn.Linear) -> Iterator[list[torch.Tensor]]:
    """While the head hands its input out, and lets pass a sliver of it in place of the logits."""
    given: list[torch.Tensor] = []

    def keep(hidden: torch.Tensor) -> torch.Tensor:
        given.append(hidden)
        return hidden[..., :1]

    head.forward = keep  # type: ignore[assignment, method-assign]
    try:
        yield given
    finally:
        del head.forward


def _plain_head(model: Any) -> torch.nn.Linear | None:
    """The head, if it is one frozen linear layer and what it gives are the logits."""
    bare = getattr(model, "module", model)  # what distributed training wraps
    head = bare.get_output_embeddings()
    if type(head) is not torch.nn.Linear or head.weight.requires_grad:
        return None
    if bare not in _plain:
        _plain[bare] = _gives_the_logits(bare, head)
        if not _plain[bare]:
            log.info("%s changes its logits: they are taken whole", type(bare).__name__)
    return head if _plain[bare] else None


@torch.no_grad()
def _gives_the_logits(model: Any, head: torch.nn.Linear) -> bool:
    ids = torch.arange(1, 5, device=head.weight.device)[None]
    was_training = model.training
    model.eval()
    try:
        given = []
        hook = head.register_forward_hook(lambda _, __, output: given.append(output))
        logits = model(input_ids=ids, use_cache=False).logits
    finally:
        hook.remove()
        model.train(was_training)
    return torch.equal(given[0], logits.to(given[0].dtype))
