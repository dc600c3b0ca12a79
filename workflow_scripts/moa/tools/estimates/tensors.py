"""Bytes of what a forward or backward pass holds, tensor by tensor.

Counted from the code that runs: transformers' Llama, Qwen2 and Qwen3 with SDPA, PEFT's LoRA in float32, and
autocast where the weights are bfloat16. What a frozen matrix is multiplied with is not kept, since only
its weight's gradient would need it. Tensors below a thousandth of the sum are left out.
tests/tools/estimates/test_memory.py holds this to what an allocator measures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from moa.tools.estimates.shapes import Shape

FLOAT32, FLOAT64 = 4, 8
PREFILL = 4096  # of moa.models.decoding
LOGITS = 256 * 2**20  # of moa.logprobs.head
Items = dict[str, float]  # what -> bytes


@dataclass(frozen=True)
class Policy:
    """A frozen model with a trainable LoRA adapter in float32.

    width: bytes of a weight, and of what is computed with it (2: bfloat16, 4: float32). lora: rank,
    dropout, target_modules. dropout_mask: bytes of one entry (1 on CUDA; on the CPU a float32).
    """

    shape: Shape
    width: int
    lora: Mapping[str, Any]
    dropout_mask: int = 1

    @property
    def weights(self) -> float:
        return self.width * self.shape.parameters

    @property
    def adapter(self) -> float:
        return FLOAT32 * self.shape.adapter_parameters(self.lora)

    @property
    def autocast(self) -> bool:
        return self.width < FLOAT32

    @property
    def summed(self) -> Items:
        """`moa.models.packing`, while it samples in float32: all adapted matrices once more."""
        adapted = sum(x.inputs * x.outputs for x in self.shape.adapted(self.lora))
        copies = 0 if self.autocast else self.width * self.shape.layers * adapted
        return {"the adapter inside the weights": copies} if copies else {}

    def stream(self, tokens: float) -> float:
        """The hidden states between two layers."""
        return self.width * self.shape.hidden * tokens

    def kv_cache(self, tokens: float) -> float:
        """Keys and values of all layers."""
        return self.width * 2 * self.shape.kv * self.shape.layers * tokens

    def logits(self, columns: float) -> float:
        """One float32 copy."""
        return FLOAT32 * self.shape.vocabulary * columns

    def layer_saved(self, tokens: float) -> float:
        """What one layer keeps for its backward pass."""
        s = self.shape
        norms = FLOAT32 * (2 * s.hidden + s.normalised_heads)  # computed in float32
        # Keys and values are repeated for all query heads, since there is a mask; and one float32
        # log-sum-exp per head.
        attention = self.width * 4 * s.query + FLOAT32 * s.heads
        mlp = self.width * 3 * s.intermediate  # gate, its SiLU, up
        return tokens * (norms + attention + mlp + self._adapters_saved())

    def _adapters_saved(self) -> float:
        """Bytes per token that one layer's LoRA matrices keep: the inputs of A and of B."""
        adapted = self.shape.adapted(self.lora)
        ranks = self.width * self.lora["rank"] * len(adapted)
        if self.lora["dropout"]:
            return ranks + sum((self.dropout_mask + self.width) * x.inputs for x in adapted)
        if self.autocast:  # each casts its input to float32 and back
            return ranks + sum(self.width * x.inputs for x in adapted)
        # The input as it is, once for all that read it; attention has kept its own.
        sources = {x.source: x.inputs for x in adapted if x.source != "attention"}
        return ranks + self.width * sum(sources.values())

    def layer_backward(self, tokens: float) -> float:
        """Gradients alive together in a layer, at its widest: of what the MLP's last matrix reads.

        Through the matrix and through its adapter; the latter also in float32, before and after
        dropout.
        """
        copies = 2 * self.width
        if self.autocast:
            copies += FLOAT32 * (2 if self.lora["dropout"] else 1)
        return tokens * copies * self.shape.intermediate

    def layer_forward(self, tokens: float, adapters: bool) -> float:
        """What is alive in a layer that keeps nothing, at its widest: inside the MLP.

        The SiLU's output, `up` and their product; with adapters their output, scaled and added, in
        float32 instead. Beside it the layer's input, what attention made of it, and its norm.
        """
        copies = 2 * self.width + 3 * FLOAT32 if adapters else 3 * self.width
        return 3 * self.stream(tokens) + tokens * copies * self.shape.intermediate

    def last_norm(self, tokens: float) -> float:
        """What follows the layers: the last norm in float32, and its output."""
        return FLOAT32 * self.shape.hidden * tokens + self.stream(tokens)


def training_state(policy: Policy, processes: int) -> Items:
    """What a training job holds all the time."""
    items = {
        "weights": policy.weights,
        "adapter": policy.adapter,
        "gradients": policy.adapter,
        "Adam's moments": 2 * policy.adapter,
    }
    if policy.autocast:
        items["adapter cast by autocast"] = policy.adapter * policy.width / FLOAT32
    if processes > 1:
        items["gradient buckets"] = policy.adapter
    return items


def backward_moments(
    policy: Policy, tokens: float, logits: Items, checkpointing: bool
) -> dict[str, Items]:
    """The two peaks of a pass with gradients: at the loss, and inside the last layer.

    logits: what the loss holds at its widest; they are gone when the layers' backward begins.
    """
    kept = {"last norm": policy.last_norm(tokens)}
    layer = {"a layer's gradients": policy.layer_backward(tokens)}
    if checkpointing:
        kept["layer inputs"] = policy.shape.layers * policy.stream(tokens)
        layer["a layer made again"] = policy.layer_saved(tokens)
    else:
        kept["activations"] = policy.shape.layers * policy.layer_saved(tokens)
    return {"loss": kept | logits, "backward": kept | layer}


@dataclass(frozen=True)
class Tree:
    """The rows of `moa.logprobs.tree_logprobs`: token counts are the longest."""

    prompts: int
    prefix: int
    conditions: int
    condition: int
    responses: int
    response: int

    @property
    def width(self) -> int:
        block = self.condition + self.responses * (self.response - 1)
        return self.prefix + self.conditions * block

    @property
    def tokens(self) -> int:
        return self.prompts * self.width

    @property
    def columns(self) -> int:
        """Those with logits: a condition's last one serves the first token of all its responses."""
        per_condition = self.responses * (self.response - 1) + 1
        return self.prompts * self.conditions * per_condition

    def mask(self, policy: Policy) -> Items:
        """As it is given, and once more as the attention kernel pads it."""
        return {"mask": 2 * policy.width * self.prompts * self.width**2}


def tree_reference(policy: Policy, tree: Tree, adapters: bool = False) -> Items:
    """The tree pass without gradients."""
    return {
        **blocks_of_logits(policy, tree.columns),
        "a layer's forward": policy.layer_forward(tree.tokens, adapters),
        **tree.mask(policy),
    }


def tree_training(policy: Policy, tree: Tree, checkpointing: bool) -> dict[str, Items]:
    """The tree pass with gradients; that of the hidden states is made with the logits."""
    gradient = {"hidden states' gradient": policy.width * policy.shape.hidden * tree.columns}
    logits = {**blocks_of_logits(policy, tree.columns), **gradient}
    moments = backward_moments(policy, tree.tokens, logits, checkpointing)
    return {name: items | tree.mask(policy) for name, items in moments.items()}


def blocks_of_logits(policy: Policy, columns: float) -> Items:
    """`moa.logprobs.head`: a block of float32 logits, and the exponents that are summed."""
    return {"a block of logits, twice": 2 * min(LOGITS, policy.logits(columns))}


def fused_head(policy: Policy, columns: float) -> Items:
    """TRL's output layer: logits exist in tiles only, beside the hidden states' float32 gradient."""
    tile = min(columns, 4096) * min(policy.shape.vocabulary, 32768)
    hidden = FLOAT32 * policy.shape.hidden * columns
    return {"a tile of logits": policy.width * tile, "hidden states' gradient": hidden}


def rows_decoded(policy: Policy, responses: int, prompt: float, new: int, gib: float) -> int:
    """Responses that `moa.models.decoding` decodes at once: all, or as many as fit into so much memory."""
    return max(1, min(responses, int(gib * 2**30 / policy.kv_cache(prompt + new + new // 2))))


def sampling_moments(
    policy: Policy, responses: int, samples: int, prompt: int, new: int, gib: float, adapters: bool
) -> dict[str, Items]:
    """`moa.models.sampling.generate`: reading prompts, and decoding. gib: `operation.cache_gib`.

    The cache is fullest with the longest prompts, the logits are with the shortest, of which most fit.
    """
    rows = rows_decoded(policy, responses, prompt, new, gib)
    cache = {"KV cache": policy.kv_cache(rows * (prompt + new + new // 2))}
    if adapters:
        cache |= policy.summed
    read = min(rows // samples * prompt, max(PREFILL, prompt))
    return {
        "prefill": {
            **cache,
            "KV cache of what is read": policy.kv_cache(read),
            "a layer's forward": policy.layer_forward(read, adapters),
        },
        "sampling": {
            **cache,
            # softmax, the nucleus, sums and masks
            "probabilities (6 x float64)": 6
            * FLOAT64
            * rows_decoded(policy, responses, 1, new, gib)
            * policy.shape.vocabulary,
        },
    }
