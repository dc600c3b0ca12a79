"""Oracle kind `beaver`: the reward and cost models of Safe RLHF (Dai et al. 2024), beaver-7b-v1.0.

A Llama with one linear output on the last token. The published class (safe_rlhf's
LlamaModelForScore) imports private names of an older transformers, so this file has its own, which
reads the same weights. Higher reward is better as it is; lower cost is safer: `negate: true`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, ClassVar

import torch
from transformers import LlamaModel, LlamaPreTrainedModel

from moa.oracles.loading import load_network, load_tokenizer
from moa.oracles.scoring_model import ScoringModel, in_float32
from moa.oracles.tokens import Row, Tokens, most_tokens
from moa.runtime.hub_cache import snapshot

REQUIRES = ("torch", "transformers")
HUB = {"model": "model"}
PLACED = True
_ASSISTANT, _HUMAN = re.compile(r"\n\nAssistant: ?"), re.compile(r"\n\nHuman: ?")


class ScoreModel(LlamaPreTrainedModel):
    """score = score_head . (hidden state of the last attended token).

    Weights: `model.*`, a Llama, and `score_head.weight`, (1, hidden).
    """

    # normalizer.mean and .var: running statistics of safe_rlhf's training. Its models do not apply
    # them (do_normalize is false), and every reward is normalised by the task's own statistics, in
    # which a shift and a scale of one oracle cancel.
    _keys_to_ignore_on_load_unexpected: ClassVar[list[str]] = [r"normalizer\."]

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.model = LlamaModel(config)
        self.score_head = torch.nn.Linear(config.hidden_size, 1, bias=False)
        self.post_init()

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """input_ids, attention_mask: (B, T). Returns: (B,)."""
        hidden = self.model(
            input_ids=input_ids, attention_mask=attention_mask, use_cache=False
        ).last_hidden_state
        columns = torch.arange(input_ids.shape[1], device=input_ids.device)
        last = (columns * attention_mask).argmax(dim=1)
        return self.score_head(hidden[torch.arange(len(last), device=last.device), last])[:, 0]


def load(
    objective: str, params: dict[str, Any], entry: Path | None, placement: str = "same_gpu"
) -> ScoringModel:
    """The oracle kind `beaver`; params: model, revision, negate, dtype, max_tokens.

    Raises: JobError if the model is not on this machine or is not of this kind.
    """
    folder = snapshot(params["model"], params["revision"], params.get("commit"), "model")
    tokenizer = load_tokenizer(folder)
    network = load_network(ScoreModel, folder, params["dtype"])
    in_float32(network.score_head)

    tokens = Tokens(tokenizer)
    eos = tokens.template(tokenizer.eos_token)

    def encode(x: str, y: str) -> Row:
        ids = tokens(render(x, y, eos))["input_ids"]
        # A tokenizer may be set to end every text with EOS, which the model card's text does not.
        return {"input_ids": ids[:-1] if ids[-1] == tokenizer.eos_token_id else ids}

    return ScoringModel(
        objective,
        network,
        tokenizer,
        encode,
        max_tokens=most_tokens(params["max_tokens"], network),
        negate=params["negate"],
        placement=placement,
    )


def render(x: str, y: str, eos: str) -> str:
    """The text that Beaver reads; no space after the last colon and no EOS, as its model card has it.

    Earlier turns of x, whose marks are HH-RLHF's, become safe_rlhf's own: `USER: .. ASSISTANT:..`
    and EOS after each earlier answer. An EOS written in x or y is text (`moa.oracles.tokens`).
    """
    turns = _HUMAN.sub(f"{eos}USER: ", _ASSISTANT.sub(" ASSISTANT:", x))
    return f"BEGINNING OF CONVERSATION: USER: {turns} ASSISTANT:{y}"
