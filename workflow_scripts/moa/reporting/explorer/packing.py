"""The page's data: named blocks of bytes, each compressed by gzip and written in base64.

Browsers read both by themselves. Texts are the bulk, and gzip sees 32 KiB of them at a time; so they are
first written in words, the most frequent ones with the smallest numbers, which makes a page smaller by a
sixth for English and by half for few words in any order. A few prompts share a block, so that the page
reads only those that it shows.
"""

from __future__ import annotations

import gzip
import json
import re
from base64 import b64encode
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from moa.reporting.explorer.content import Content

BLOCK = 2**15  # bytes of coded texts that a block has at least, but for the last
END = 0  # after each text; words are numbered from 1
WORD = re.compile(r" ?\w+| ?[^\w\s]+|\s+")  # whatever is in a text, so that nothing is lost


def packed(content: Content) -> dict[str, str]:
    """The page's blocks by name."""
    words, firsts, blocks = coded(content.texts)
    about = {**content.about, "texts": [len(own) for own in content.texts], "blocks": firsts}
    arrays = {
        "text": narrowed(content.text, "<u2"),
        "tokens": narrowed(content.tokens, "<i4"),
        "finished": narrowed(content.finished, "<i1"),
        **{f"rewards-{i}": norm.astype("<f4").tobytes() for i, norm in enumerate(content.rewards)},
    }
    texts = {f"texts-{i}": block for i, block in enumerate(blocks)}
    data = {"about": _json(about), "words": _json(words), **arrays, **texts}
    return {
        name: b64encode(gzip.compress(block, 9, mtime=0)).decode() for name, block in data.items()
    }


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, allow_nan=False).encode()


def narrowed(values: np.ndarray, kind: str) -> bytes:
    """Whole numbers as little-endian ones of a smaller kind.

    Raises: OverflowError if one does not fit.
    """
    narrow = values.astype(kind)
    if (narrow != values).any():
        raise OverflowError(f"a value of {values.min()} to {values.max()} is no {kind}")
    return narrow.tobytes()


def coded(texts: Sequence[Sequence[str]]) -> tuple[list[str], list[int], list[bytes]]:
    """All words by number, from 1; the first prompt of each block; the blocks: the texts of some
    prompts, each a number per word and END.

    texts: those of each prompt.
    """
    counts = Counter(word for own in texts for text in own for word in WORD.findall(text))
    words = sorted(counts, key=lambda word: (-counts[word], word))
    codes = {word: _number(i) for i, word in enumerate(words, 1)}
    firsts: list[int] = []
    blocks: list[bytearray] = []
    for prompt, own in enumerate(texts):
        if not blocks or len(blocks[-1]) >= BLOCK:
            firsts.append(prompt)
            blocks.append(bytearray())
        for text in own:
            blocks[-1] += b"".join(codes[word] for word in WORD.findall(text)) + _number(END)
    return words, firsts, [bytes(block) for block in blocks]


def _number(value: int) -> bytes:
    """7 bits a byte, the lowest first; the highest bit says that more follow (LEB128)."""
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*found, value])
