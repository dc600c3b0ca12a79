"""Asking a policy as the pipeline does: a test prompt under an evaluated vector has the same answer."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from moa.datasets.splits import read_split
from moa.models.conditioning import load_conditioned
from moa.models.policies import load_tokenizer
from moa.models.prompts import encode, truncate_prompt
from moa.models.readable import require_readable
from moa.models.sampling import Response, Sampling, clean_response, generate, sample_streams
from moa.models.settings import GenerationStage
from moa.models.streams import Stream
from moa.runtime.errors import JobError
from moa.runtime.settings import OperationSettings
from moa.tools.policies.described import Policy

GREEDY = 1e-9  # a nucleus of the most probable token alone


@dataclass(frozen=True)
class Answer:
    """reads: what the prompt says of w. left_out: characters of x that it was cut by, at its front."""

    reads: str
    response: Response
    left_out: int


class Asked:
    """A policy in memory."""

    def __init__(self, policy: Policy) -> None:
        """Raises: JobError if it cannot be loaded whole."""
        self.told = policy.told
        self.settings = GenerationStage.model_validate(self.told["generation"])
        self.tokenizer = load_tokenizer(policy.inputs["base"])
        self.policy = load_conditioned(policy.inputs, self.told)
        test = read_split(policy.inputs["data"], "test")
        # As the pipeline has them: of several spellings of a prompt, the last.
        texts = dict(zip(test["prompt_id"].tolist(), test["prompt"].tolist(), strict=True))
        self.prompts = {text: number for number, text in texts.items()}

    def answer(self, x: str, w: Sequence[float], seed: int, greedy: bool = False) -> Answer:
        """One response to x under w, by the config's sampling. seed: of the random numbers; the run's own
        gives what the pipeline sampled. greedy: always the most probable token.

        Raises: JobError if the tokenizer cannot read x.
        """
        if not x:
            raise JobError("the prompt is empty: say something")
        if x != x.encode(errors="replace").decode():
            raise JobError(f"the prompt is not UTF-8: {x[-200:]!r}. Save or type it as UTF-8")
        told, settings = self.told, self.settings
        objectives, decimals = told["objectives"], settings.decimals
        try:
            require_readable([x], objectives, self.tokenizer, decimals)
        except JobError as error:
            raise JobError(f"{error}\nA prompt that it reads: {self.example()}") from None
        cut = truncate_prompt(x, objectives, self.tokenizer, settings.max_prompt_tokens, decimals)
        model = self.policy.at(w)
        sampling = Sampling.of(settings, self.tokenizer, model, OperationSettings().cache_gib)
        if greedy:
            sampling = replace(sampling, top_p=GREEDY)
        key = (seed, Stream.EVALUATION, self._vector(w), self.prompts.get(x, _number(x)))
        streams = sample_streams([key], 1, sampling.max_new_tokens)
        prompts = encode([self.policy.prompt(cut, w)], self.tokenizer)
        ((ids,),) = generate(model, prompts, streams, sampling)
        response = clean_response(ids, self.tokenizer)
        return Answer(self._reads(w), response, len(x) - len(cut))

    def example(self) -> str:
        """A test prompt, to show what prompts look like."""
        return next(iter(self.prompts))

    def _vector(self, w: Sequence[float]) -> int:
        """The number of w among the vectors that the run was evaluated at, or one that none of them has."""
        for number, vector in enumerate(self.told["vectors"]):
            if np.allclose(vector, w, rtol=0, atol=1e-9):
                return number
        return _number(" ".join(f"{value:.6f}" for value in w))

    def _reads(self, w: Sequence[float]) -> str:
        """What stands between x and the end of the prompt."""
        mark = "\0"
        return self.policy.prompt(mark, w).partition(mark)[2].rpartition(" ")[0].strip()


def _number(text: str) -> int:
    """A number for a text that has none of its own: far above all those that are counted."""
    return int(hashlib.sha256(text.encode()).hexdigest(), 16)
