"""The shape of a published model, and what follows from it: parameters, adapters, cache."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from moa.runtime.errors import ConfigError
from moa.runtime.yaml_files import read_yaml
from moa.workflow.config import CONFIG_FOLDER

SHAPES = CONFIG_FOLDER / "published_shapes.yaml"
GATED = (
    "llama",
    "qwen2",
    "qwen3",
)  # an MLP of three matrices, RMSNorm; biases in Qwen2's attention only


@dataclass(frozen=True)
class Linear:
    """An adaptable matrix of a layer. source: matrices with the same one read the same tensor."""

    name: str
    source: str
    inputs: int
    outputs: int


@dataclass(frozen=True)
class Shape:
    """Sizes of a transformer; see config/published_shapes.yaml for what `head` can be."""

    family: str
    head: str
    vocabulary: int
    hidden: int
    intermediate: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    positions: int
    tied: bool

    @property
    def query(self) -> int:
        """Width of all query heads together."""
        return self.heads * self.head_dim

    @property
    def kv(self) -> int:
        """Width of all key heads together; the values' is the same."""
        return self.kv_heads * self.head_dim

    @property
    def normalised_heads(self) -> int:
        """Width of the queries and keys that have a norm of their own (Qwen3)."""
        return self.query + self.kv if self.family == "qwen3" else 0

    def linears(self) -> list[Linear]:
        """The matrices of one layer of a Llama, Qwen2 or Qwen3, which LoRA can adapt."""
        h, m = self.hidden, self.intermediate
        return [
            Linear("q_proj", "attention norm", h, self.query),
            Linear("k_proj", "attention norm", h, self.kv),
            Linear("v_proj", "attention norm", h, self.kv),
            Linear("o_proj", "attention", self.query, h),
            Linear("gate_proj", "MLP norm", h, m),
            Linear("up_proj", "MLP norm", h, m),
            Linear("down_proj", "MLP", m, h),
        ]

    def adapted(self, lora: Mapping[str, Any]) -> list[Linear]:
        """Those that `target_modules` names."""
        targets = lora["target_modules"]
        return [x for x in self.linears() if targets == "all-linear" or x.name in targets]

    def adapter_parameters(self, lora: Mapping[str, Any]) -> int:
        """Parameters of one LoRA adapter: A (r, in) and B (out, r) of every adapted matrix."""
        widths = sum(x.inputs + x.outputs for x in self.adapted(lora))
        return self.layers * lora["rank"] * widths

    @property
    def matrix_parameters(self) -> int:
        """Weights of the layers' matrices: what every token is multiplied with."""
        attention = self.hidden * (2 * self.query + 2 * self.kv)
        mlp = (3 if self.family in GATED else 2) * self.hidden * self.intermediate
        return self.layers * (attention + mlp)

    @property
    def output_parameters(self) -> int:
        """Weights of the output layer, which only tokens with a logit are multiplied with."""
        return self.vocabulary * self.hidden if self.head == "language_model" else 0

    @property
    def parameters(self) -> int:
        """All parameters, as the model's own class counts them."""
        h, m = self.hidden, self.intermediate
        if self.family in GATED:
            attention = {"qwen2": self.query + 2 * self.kv, "qwen3": 2 * self.head_dim}
            own = attention.get(self.family, 0)  # biases, or the norms of queries and keys
            other = self.vocabulary * h + self.layers * (2 * h + own) + h
        else:
            biases = 4 * h + m + h  # attention's four, the MLP's two
            norms_outside = 2 * h  # GPT-2's last, DistilBERT's first
            positions = self.positions * h
            other = self.vocabulary * h + positions + norms_outside + self.layers * (biases + 4 * h)
        return self.matrix_parameters + other + self._head_parameters

    @property
    def _head_parameters(self) -> int:
        if self.head == "classifier":  # DistilBERT's: a dense layer and two labels
            return self.hidden**2 + self.hidden + 2 * self.hidden + 2
        if self.head == "score":
            return self.hidden
        return 0 if self.tied else self.output_parameters


@cache
def published() -> dict[str, dict[str, Any]]:
    """config/published_shapes.yaml."""
    return read_yaml(SHAPES)


def shape_of(model: str) -> Shape:
    """The shape of a published model.

    Raises: ConfigError if it is not in the table.
    """
    if model not in published():
        raise ConfigError(
            f"config/{SHAPES.name} has no shape of {model!r}, so nothing can be estimated for it: add "
            "it from the model's config.json, or plan a config of published models"
        )
    return read_shape(published()[model])


def read_shape(entry: Mapping[str, Any]) -> Shape:
    """A shape from an entry of the table, or from any transformers config as a dict with `head`."""
    hidden, heads = entry["hidden_size"], entry["num_attention_heads"]
    return Shape(
        family=entry["model_type"],
        head=entry["head"],
        vocabulary=entry["vocab_size"],
        hidden=hidden,
        intermediate=entry.get("intermediate_size", 4 * hidden),
        layers=entry["num_hidden_layers"],
        heads=heads,
        kv_heads=entry.get("num_key_value_heads", heads),
        head_dim=entry.get("head_dim", hidden // heads),
        positions=entry["max_position_embeddings"],
        tied=entry.get("tie_word_embeddings", True),
    )
