"""The evaluation's sweep of preference vectors against a plain loop over them with transformers.

    python benchmarks/sweep_cost.py [--rounds 1]

A random Llama of SmolLM2-135M's shape in float32, the paper's 11 vectors for two objectives, 8 prompts of
200 tokens, weights included, responses of up to 48 tokens that end at different steps (a bias on EOS: 1 in
32 at every token), temperature 1, top_p 0.9. Ours: `sample_responses` of moa/evaluation/responses.py, as
the `generate` stage calls it. The loop: for each vector, the prompts as one batch, padded on the left,
through transformers' `generate` with its growing cache, and the responses decoded to text.

Each side draws from random numbers of its own, so it is seconds per token of a response (EOS included) that
are compared. Prints them, and last `ratio_sweep_vs_loop`: ours / the loop's.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from moa.evaluation.responses import sample_responses
from moa.models.conditioning.weights_in_prompt import WeightsInPrompt
from moa.models.prompts import encode
from moa.preferences import evaluation_vectors
from sampling import TOP_P, theirs
from shared import (
    OBJECTIVES,
    SMOLLM2,
    Figures,
    alternate,
    base,
    command_line,
    now,
    print_figures,
    print_machine,
    prompt_rows,
    sampling,
    with_endings,
    words,
)

PROMPTS, PROMPT, NEW, MEAN = 8, 200, 48, 32
Vectors = Sequence[Sequence[float]]


class Sweep:
    """One policy, its prompts and its vectors, to be answered in either way."""

    def __init__(
        self,
        shape: Mapping[str, Any],
        vectors: Vectors,
        prompts: int,
        prompt: int,
        new: int,
        mean: int,
    ) -> None:
        self.vectors, self.new = vectors, new
        self.objectives = OBJECTIVES[: len(vectors[0])]
        model = with_endings(base(shape), mean)
        self.policy = WeightsInPrompt(model, self.objectives, 2)
        self.tokenizer = words(model.config.vocab_size)
        self.rows = prompt_rows([prompt] * prompts, self.objectives, self.tokenizer)

    def ours(self) -> Figures:
        how = sampling(self.policy.model, self.new, TOP_P)
        started = now()
        with tempfile.TemporaryDirectory() as folder:
            frame = sample_responses(
                self.policy,
                self.tokenizer,
                self.rows,
                self.objectives,
                dict(enumerate(self.vectors)),
                how,
                0,
                Path(folder),
                lambda done: None,
            )
        return _figures(now() - started, int(frame["tokens"].sum()))

    def loop(self) -> Figures:
        started, tokens = now(), 0
        for w in self.vectors:
            texts = [self.policy.prompt(row["x"], w) for row in self.rows]
            responses = theirs(self.policy.model, encode(texts, self.tokenizer), self.new)
            self.tokenizer.batch_decode(responses, skip_special_tokens=True)
            tokens += sum(map(len, responses))
        return _figures(now() - started, tokens)


def _figures(seconds: float, tokens: int) -> Figures:
    return {"seconds": seconds, "tokens": tokens, "seconds_per_token": seconds / tokens}


def main() -> None:
    args = command_line(__doc__, 1).parse_args()
    print_machine()
    sweep = Sweep(SMOLLM2, evaluation_vectors(2), PROMPTS, PROMPT, NEW, MEAN)
    found = alternate({"ours": sweep.ours, "loop": sweep.loop}, args.rounds, warm_up=False)
    for name, figures in found.items():
        print(
            f"{name}: {figures['seconds']:.1f} s, {figures['tokens']:.0f} tokens, "
            f"{1e3 * figures['seconds_per_token']:.2f} ms per token"
        )
    ours, loop = (found[name]["seconds_per_token"] for name in ("ours", "loop"))
    print_figures(ratio_sweep_vs_loop=ours / loop)


if __name__ == "__main__":
    main()
