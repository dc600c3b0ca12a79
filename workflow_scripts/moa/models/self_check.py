"""Whether a model can be scored and sampled exactly: tried on the loaded model, with a few tokens.

A list of architectures would be wrong about the next one. A row must not depend on the batch it is in, nor
on padding; and every sampled token must be the one that a plain pass over its row draws. Whether prefixes
can be shared is found out, too, but an architecture that cannot share them is only slower.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from moa.logprobs.exactness import rounding, tree_is_exact
from moa.logprobs.layout import Layout
from moa.logprobs.rows import completion_logprobs
from moa.models.policies import load_policy, load_tokenizer
from moa.models.sampling import Sampling, generate
from moa.runtime.checks import Check
from moa.runtime.errors import JobError

CONTEXTS, COMPLETIONS = (3, 17, 8, 11), (6, 2, 9, 4)  # tokens
SAMPLES, NEW = 2, 8  # responses to each context, and their tokens
OTHER = "Take a base of another architecture: a decoder with attention in every layer is sure to do"


def check_base(folder: Path) -> list[Check]:
    """A base's folder, as policies will load it, in the dtype that it is stored in.

    Raises: UnfitTokenizer.
    """
    tokenizer = load_tokenizer(folder)
    model = load_policy(folder, dtype="auto")
    largest = max(tokenizer.get_vocab().values())
    embeddings = model.get_input_embeddings().num_embeddings
    wrong = [name for name, values in model.state_dict().items() if not values.isfinite().all()]
    checks = [
        Check.of(
            "the vocabulary",
            f"ids up to {largest} for {embeddings} embeddings",
            largest < embeddings,
            "The tokenizer is of another model, or has tokens added to it: take the model's own",
        ),
        Check.of(
            "the weights",
            f"NaN or infinity in {', '.join(wrong[:3])}" if wrong else "are finite",
            not wrong,
            "The files are damaged, or training diverged: take another copy of the model",
        ),
    ]
    fit = all(check.verdict == "ok" for check in checks)
    return [*checks, *(check_model(model) if fit else [])]


def check_model(model: Any) -> list[Check]:
    """What a policy needs of its base. model: loaded, in any dtype, on any device.

    Failures of the model's own forward are reported, not raised.
    """
    checks = []
    for what, found in (
        ("a batch of rows against each alone", _rows),
        ("sampling in batches against a plain pass", _sampled),
    ):
        try:
            worst, allowed = found(model)
            text = f"differ by {worst:.1e}, of {allowed:.0e} that rounding may make"
            # A comparison with NaN is false.
            checks.append(Check.of(what, text, worst <= allowed, OTHER))
        except torch.OutOfMemoryError:
            raise
        except (AttributeError, IndexError, JobError, RuntimeError, TypeError, ValueError) as error:
            reason = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
            checks.append(
                Check(what, f"{type(model).__name__} cannot do it: {reason}", "fails", OTHER)
            )
    shared = tree_is_exact(model, Layout(CONTEXTS[1], 2, CONTEXTS[0], 2, COMPLETIONS[2]))
    found_of = (
        "shared" if shared else "each response is scored in a row of its own, which is slower"
    )
    return [*checks, Check("prefixes of one prompt", found_of, "ok" if shared else "note")]


def _ids(model: Any) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    generator = torch.Generator().manual_seed(0)
    tokens = model.get_input_embeddings().num_embeddings
    contexts, completions = (
        [torch.randint(tokens, (n,), generator=generator) for n in lengths]
        for lengths in (CONTEXTS, COMPLETIONS)
    )
    return contexts, completions


@torch.no_grad()
def _rows(model: Any) -> tuple[float, float]:
    """How far log-probabilities in a padded batch are from those of single rows; and what is allowed."""
    contexts, completions = _ids(model)
    batch = completion_logprobs(model, contexts, completions)
    alone = torch.cat(
        [completion_logprobs(model, [a], [b]) for a, b in zip(contexts, completions, strict=True)]
    )
    return float((batch - alone).abs().max()), rounding(model, max(COMPLETIONS))


@torch.no_grad()
def _sampled(model: Any) -> tuple[float, float]:
    """How far uniforms lie outside the interval of the token they drew, and what is allowed."""
    contexts, _ = _ids(model)
    streams = np.random.default_rng(0).random((len(contexts), SAMPLES, NEW))
    how = Sampling(NEW, 1.0, 1.0, eos_token_id=-1, cache_tokens=10**6)
    device, worst = next(model.parameters()).device, 0.0
    for context, responses, uniforms in zip(
        contexts, generate(model, contexts, streams, how), streams, strict=True
    ):
        for response, u in zip(responses, torch.from_numpy(uniforms), strict=True):
            row = torch.cat([context, response])
            logits = model(input_ids=row[None].to(device), use_cache=False).logits[0]
            upper = logits[len(context) - 1 : -1].double().softmax(-1).cumsum(-1).cpu()
            at = response[:, None]
            below = torch.where(at > 0, upper.gather(1, (at - 1).clamp(min=0)), 0.0)
            outside = torch.maximum(below - u[:, None], u[:, None] - upper.gather(1, at))
            worst = max(worst, float(outside.max()))
    return worst, rounding(model, 1) / 6  # of a probability, of which each token has a part
