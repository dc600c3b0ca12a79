"""Oracle kind `sequence_classifier`: one raw logit of any sequence classification model.

`template` is what the model reads, with {prompt} for x and {response} for y; with `pair_template`
it reads the pair (template, pair_template). What the tokenizer puts around a text or a pair (`[CLS]`, BOS,
EOS) is the model's own form and stays. A special token in a template, such as `</s>`, is that token; in x
and y it is text (`moa.oracles.tokens`). x starts inside the first human turn and keeps HH-RLHF's marks
between turns, so `\\n\\nHuman: {prompt} \\n\\nAssistant:` is a whole transcript.
"""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForSequenceClassification

from moa.oracles.loading import load_network, load_tokenizer
from moa.oracles.scoring_model import ScoringModel, in_float32
from moa.oracles.tokens import Row, Tokens, most_tokens
from moa.runtime.errors import JobError
from moa.runtime.hub_cache import snapshot

REQUIRES = ("torch", "transformers")
HUB = {"model": "model"}
PLACED = True


class Logit(torch.nn.Module):
    """Logit `index` of a classifier, (B,), wherever it reads it."""

    def __init__(self, model: Any, index: int) -> None:
        super().__init__()
        self.model, self.index = model, index

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, **others: torch.Tensor
    ) -> torch.Tensor:
        # Classifiers on top of a decoder read the last token that is not the pad token. GPT-2 has
        # none, and one that is also EOS may end a text, so pad with an id that no row has.
        used = set(input_ids[attention_mask.bool()].tolist())
        pad = next(i for i in count() if i not in used)
        self.model.config.pad_token_id = pad
        ids = input_ids.masked_fill(attention_mask == 0, pad)
        output = self.model(input_ids=ids, attention_mask=attention_mask, **others)
        return output.logits[:, self.index]


def load(
    objective: str, params: dict[str, Any], entry: Path | None, placement: str = "same_gpu"
) -> ScoringModel:
    """The oracle kind; params: model, revision, template, pair_template, index, negate, dtype,
    max_tokens.

    Raises: JobError if the model is not on this machine, lacks the index, or never sees y.
    """
    template, second = params["template"], params["pair_template"]
    if "{response}" not in template + (second or ""):
        raise JobError(
            f"oracle {objective}: neither template nor pair_template has {{response}}, so all "
            "responses would score the same; add it"
        )
    folder = snapshot(params["model"], params["revision"], params.get("commit"), "model")
    tokenizer = load_tokenizer(folder)
    model = load_network(AutoModelForSequenceClassification, folder, params["dtype"])
    labels = model.config.num_labels
    if not 0 <= params["index"] < labels:
        raise JobError(
            f"oracle {objective}: index is {params['index']}, but {params['model']} has {labels} "
            "logits; count from 0"
        )
    heads = [m for m in model.modules() if isinstance(m, torch.nn.Linear)]
    in_float32(next(m for m in reversed(heads) if m.out_features == labels))
    tokens = Tokens(tokenizer)
    templates = [tokens.template(text) for text in (template, second) if text is not None]

    def encode(x: str, y: str) -> Row:
        return tokens(*(text.format(prompt=x, response=y) for text in templates))

    return ScoringModel(
        objective,
        Logit(model, params["index"]),
        tokenizer,
        encode,
        max_tokens=min(most_tokens(params["max_tokens"], model), tokenizer.model_max_length),
        negate=params["negate"],
        placement=placement,
    )
