"""The data of an explorer, read back in Python as its page reads it."""

from __future__ import annotations

import gzip
import json
from base64 import b64decode
from collections.abc import Mapping
from typing import Any


def read_block(blocks: Mapping[str, str], name: str) -> bytes:
    return gzip.decompress(b64decode(blocks[name]))


def read_json(blocks: Mapping[str, str], name: str) -> Any:
    return json.loads(read_block(blocks, name))


def read_texts(blocks: Mapping[str, str]) -> list[list[str]]:
    """The texts of each prompt."""
    about, words = read_json(blocks, "about"), read_json(blocks, "words")
    texts: list[str] = []
    for i in range(len(about["blocks"])):
        parts: list[str] = []
        for number in numbers(read_block(blocks, f"texts-{i}")):
            if number:
                parts.append(words[number - 1])
            else:
                texts.append("".join(parts))
                parts = []
    counts = iter(texts)
    return [[next(counts) for _ in range(n)] for n in about["texts"]]


def numbers(coded: bytes) -> list[int]:
    found, value, shift = [], 0, 0
    for byte in coded:
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            found.append(value)
            value, shift = 0, 0
    return found
