"""What a config may say of an oracle, by kind: a kind is a file of this folder.

A kind that does not know every objective lists its `OBJECTIVES`, and one that can read the texts of one
kind of data alone names that as `DATA`.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, Strict

from moa.runtime.settings import (
    Flag,
    KindSettings,
    Location,
    OwnFunction,
    PinnedPath,
    Settings,
    Text,
    Whole,
)

MaybeEmpty = Annotated[str, Strict()]
Tokens = Annotated[Whole, Field(ge=8)]
Template = Annotated[Text, Field(pattern=r"^([^{}]|\{prompt\}|\{response\})*$")]


class SyntheticWorldOracle(KindSettings):
    """The generated world's own reward for the objective of that name."""

    OBJECTIVES: ClassVar = ("helpfulness", "harmlessness", "humor")
    DATA: ClassVar = "synthetic_world"

    kind: Literal["synthetic_world"]
    """Exact rewards of the generated world."""


class SyntheticProxyOracle(KindSettings):
    """The generated world's reward with a blind spot: a word said twice counts twice."""

    OBJECTIVES: ClassVar = ("helpfulness", "harmlessness", "humor")
    DATA: ClassVar = "synthetic_world"

    kind: Literal["synthetic_proxy"]
    """A reward to be over-optimised, judged by `synthetic_world`."""


class EmbeddingHeadOracle(KindSettings):
    """A linear head on sentence embeddings, fitted here on packaged human labels."""

    OBJECTIVES: ClassVar = ("helpfulness", "harmlessness", "humor")

    kind: Literal["embedding_head"]
    """A head fitted in the workflow."""
    archive: PinnedPath = "data/llamafactory-0.9.5.tar.gz"
    """LLaMA-Factory's source distribution, fetched by make setup."""
    max_tokens: Tokens = 128
    """Of each text."""


class WordHeadOracle(KindSettings):
    """A linear head on words, fitted here on the same labels: a judge of `embedding_head`."""

    OBJECTIVES: ClassVar = ("helpfulness", "harmlessness", "humor")

    kind: Literal["word_head"]
    """A head on words, without any network."""
    archive: PinnedPath = "data/llamafactory-0.9.5.tar.gz"
    """LLaMA-Factory's source distribution, fetched by make setup."""


class ModelOracle(KindSettings):
    """What all reward models share."""

    model: Location
    """Hub id or local folder."""
    revision: Text = "main"
    """Branch, tag or commit of a hub model."""
    negate: Flag = False
    """True for a model whose lower output is better, such as a cost."""
    dtype: Literal["bfloat16", "float32"] = "bfloat16"
    """Of its weights; the score head always computes in float32."""


class BeaverOracle(ModelOracle):
    """Safe RLHF's reward and cost models.

    Paper: the safety task's oracles."""

    kind: Literal["beaver"]
    """A Beaver reward or cost model."""
    max_tokens: Tokens = 2048
    """Of prompt and response, if the model takes as many; more are cut at the front of x."""


class SequenceClassifierOracle(ModelOracle):
    """Any classifier of transformers; its score is a raw logit.

    Paper: the assistant tasks' oracles."""

    kind: Literal["sequence_classifier"]
    """A sequence classifier."""
    template: Template
    """What the model reads, with {prompt} and {response}.

    Mend: use {prompt} and {response} and no other braces."""
    pair_template: Template | None = None
    """The second text of a pair, for a model that reads two; null if it reads one.

    Mend: use {prompt} and {response} and no other braces."""
    index: Annotated[Whole, Field(ge=0)] = 0
    """Which logit is the score, from 0."""
    max_tokens: Tokens = 1024
    """Of prompt and response, if the model takes as many; more are cut at the front of x."""


class PythonCallableOracle(KindSettings):
    """A function of your own."""

    kind: Literal["python_callable"]
    """A Python function."""
    callable: OwnFunction
    """A function f(prompts, responses) that returns one number per response, higher is better: as
    file.py:function, of a file that lies beside the config, whose content is in the key; or as
    package.module:function, which the job can import.

    Mend: write package.module:function or, of a file beside the config, file.py:function."""
    version: Text | None = None
    """Changes when the function of a package does; part of the key. A file beside the config needs none."""


class PairSettings(Settings):
    """Two responses whose order nobody doubts, to try an oracle's sign on: `make check`."""

    prompt: Text
    """What was asked."""
    better: MaybeEmpty
    """The response that the objective prefers."""
    worse: MaybeEmpty
    """The other one; it may be empty."""


AnyOracle = Annotated[
    SyntheticWorldOracle
    | SyntheticProxyOracle
    | EmbeddingHeadOracle
    | WordHeadOracle
    | BeaverOracle
    | SequenceClassifierOracle
    | PythonCallableOracle,
    Field(discriminator="kind"),
]
