"""What all oracles that are neural networks share: cutting to length, batching, memory.

A kind says how (x, y) becomes token ids (`encode`) and how a padded batch becomes one score per row
(`network`). Rows are padded on the right here, whatever the tokenizer's own side is, so position ids
are right without more ado; a network must read the last *attended* token, not the last column.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from moa.oracles.placement import Network, place
from moa.oracles.tokens import Row
from moa.runtime.errors import JobError

log = logging.getLogger("moa")
MICRO_BATCH = 64  # responses per forward pass, until memory says otherwise


class ScoringModel:
    """An oracle made of a network and its tokenizer.

    network: a module called with `input_ids`, `attention_mask` (and whatever else `encode` returns),
    all (B, T), that returns (B,). encode: (x, y) -> the ids of one row, untruncated. max_tokens: of
    a row; a longer one loses the front of x. negate: for a model whose lower output is better.
    """

    def __init__(
        self,
        objective: str,
        network: torch.nn.Module,
        tokenizer: Any,
        encode: Callable[[str, str], Row],
        *,
        max_tokens: int,
        negate: bool,
        placement: str,
    ) -> None:
        self.objective = objective
        self.micro_batch = MICRO_BATCH
        self._placed = place(network, placement)
        self._tokenizer, self._encode = tokenizer, encode
        self._max_tokens, self._negate = max_tokens, negate

    def score(self, prompts: list[str], responses: list[str]) -> np.ndarray:
        """(N,) float64, unrounded; higher is better.

        Raises: JobError if a single response does not fit into memory, or none into max_tokens.
        """
        rows = [self.row(x, y) for x, y in zip(prompts, responses, strict=True)]
        # Longest first: little padding, and a batch that is too large fails at once, not at the end.
        order = sorted(range(len(rows)), key=lambda i: -len(rows[i]["input_ids"]))
        scores = np.empty(len(rows))
        with torch.no_grad(), self._placed.ready() as network:
            start = 0
            while start < len(order):
                chosen = order[start : start + self.micro_batch]
                found = self._forward(network, [rows[i] for i in chosen])
                if found is None:
                    self._halve(len(chosen))
                    continue
                scores[chosen] = found
                start += len(chosen)
        # The one place where a cost becomes a reward.
        return -scores if self._negate else scores

    def row(self, x: str, y: str) -> Row:
        """The ids of one (x, y), cut to max_tokens at the front of x.

        Only a response that is too long even without x loses its end; a log line says so.
        """
        row, without_x = self._encode(x, y), self._encode("", y)
        if self._fits(row):
            return row
        if self._fits(without_x):
            spans = self._spans(x)
            return self._cut(
                row, len(spans), lambda n: self._encode(x[spans[n][0] :], y), without_x
            )
        log.warning(
            "oracle %s reads %d tokens, and a longer response lost its end: %r",
            self.objective,
            self._max_tokens,
            y[:60],
        )
        spans = self._spans(y)
        return self._cut(
            without_x,
            len(spans),
            lambda n: self._encode("", y[: spans[-n - 1][1]]),
            self._encode("", ""),
        )

    def _cut(self, row: Row, tokens: int, without: Callable[[int], Row], bare: Row) -> Row:
        """The first row that fits after n of a text's tokens are left out; `bare`: after all are."""
        n = 0
        # Leaving text out changes how its seam is tokenised, so look again until it really fits.
        while not self._fits(row):
            n += len(row["input_ids"]) - self._max_tokens
            if n < tokens:
                row = without(n)
            elif self._fits(bare):
                return bare
            else:
                raise JobError(
                    f"oracle {self.objective}: max_tokens is {self._max_tokens}, less than its "
                    f"template of {len(bare['input_ids'])} tokens; raise it"
                )
        return row

    def _fits(self, row: Row) -> bool:
        return len(row["input_ids"]) <= self._max_tokens

    def _spans(self, text: str) -> list[tuple[int, int]]:
        """First and last character of every token of a text."""
        encoded = self._tokenizer(
            text,
            add_special_tokens=False,
            split_special_tokens=True,
            return_offsets_mapping=True,
        )
        return encoded["offset_mapping"]

    def _forward(self, network: Network, rows: list[Row]) -> np.ndarray | None:
        """Scores of one batch, or None if it does not fit into memory."""
        try:
            batch = {name: ids.to(self._placed.device) for name, ids in collate(rows).items()}
            return network(**batch).double().cpu().numpy()
        except torch.OutOfMemoryError:
            return None

    def _halve(self, tried: int) -> None:
        if tried == 1:
            raise JobError(
                f"oracle {self.objective}: not even one response fits into the GPU's memory; choose "
                "another placement of the oracles, or lower the oracle's max_tokens"
            )
        self.micro_batch = tried // 2
        log.info("oracle %s: %d responses per pass", self.objective, self.micro_batch)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()  # the failed batch's pieces would be in the next one's way


def collate(rows: list[Row]) -> dict[str, torch.Tensor]:
    """Rows padded on the right with 0, and their attention mask: (B, T) each."""
    width = max(len(row["input_ids"]) for row in rows)
    lengths = torch.tensor([len(row["input_ids"]) for row in rows])
    batch = {
        name: torch.tensor([row[name] + [0] * (width - len(row[name])) for row in rows])
        for name in rows[0]
    }
    return {**batch, "attention_mask": (torch.arange(width) < lengths[:, None]).long()}


def in_float32(head: torch.nn.Linear) -> None:
    """Let a score head compute in float32 below a network of lower precision.

    bfloat16 has 8 significant bits: rewards of about 10 would come in steps of 1/16, which makes
    ties out of differences.
    """
    head.float()
    head.register_forward_pre_hook(lambda _, inputs: tuple(t.float() for t in inputs))
