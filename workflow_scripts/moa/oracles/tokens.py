"""How texts become the token ids that a network reads, and how many it can read.

A prompt or a response may hold `</s>` or `<|endoftext|>`. There they are characters, as all others are: the
token of that name would end the text, or hide what follows. In a template of the config, whose words are
its author's, such a name is the token. What a tokenizer puts around texts (`[CLS]`, BOS) is its own form,
and stays.
"""

from __future__ import annotations

from typing import Any

from tokenizers import AddedToken

Row = dict[str, list[int]]  # what a tokenizer returns for one text or pair


class Tokens:
    """A tokenizer that takes special tokens as such in templates only.

    tokenizer: a fast one of transformers; it is changed.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        special = {i: t for i, t in tokenizer.added_tokens_decoder.items() if t.special}
        self._special = dict(sorted(special.items(), key=lambda item: -len(item[1].content)))
        self._meant: dict[int, int] = {}  # id of a template's stand-in -> id of the token it is

    def template(self, text: str) -> str:
        """A template's text in which `__call__` finds its special tokens, whatever is filled in.

        Each is written as two noncharacters of Unicode around its id, which no text may hold.
        """
        for token_id, token in self._special.items():
            if token.content in text:
                stand_in = f"\ufdd0{token_id}\ufdd1"
                # Not special, so that it is found where special tokens are not; all else is the same.
                same = AddedToken(
                    stand_in,
                    single_word=token.single_word,
                    lstrip=token.lstrip,
                    rstrip=token.rstrip,
                    normalized=token.normalized,
                )
                self._tokenizer.add_tokens([same])
                self._meant[self._tokenizer.convert_tokens_to_ids(stand_in)] = token_id
                text = text.replace(token.content, stand_in)
        return text

    def __call__(self, *texts: str) -> Row:
        """The ids of a text or a pair in the tokenizer's own form, and what else it has for each."""
        row = dict(
            self._tokenizer(
                *texts,
                split_special_tokens=True,
                return_special_tokens_mask=True,
                return_attention_mask=False,
            )
        )
        own = row.pop("special_tokens_mask")
        ids = row["input_ids"]
        for place in reversed(range(len(ids))):
            # A Unigram vocabulary has the names of special tokens among its pieces, too, and finds them.
            if ids[place] in self._special and not own[place] and not self._is_unknown(ids[place]):
                pieces = self._pieces(self._special[ids[place]].content)
                for name, values in row.items():
                    one = pieces if name == "input_ids" else [values[place]] * len(pieces)
                    values[place : place + 1] = one
        return {**row, "input_ids": [self._meant.get(i, i) for i in ids]}

    def _is_unknown(self, token_id: int) -> bool:
        return token_id == self._tokenizer.unk_token_id

    def _pieces(self, name: str) -> list[int]:
        """The ids of a name's characters, one by one."""
        tokenize = self._tokenizer.backend_tokenizer.model.tokenize
        return [token.id for character in name for token in tokenize(character)]


def most_tokens(asked: int, network: Any) -> int:
    """The most tokens of a row: as many as asked for, or as the network has positions for.

    Where its table of positions has an entry for padding, as RoBERTa's, tokens have those behind it.
    """
    stated = getattr(network.config, "max_position_embeddings", None) or 0
    limits = [asked, stated] if stated > 0 else [asked]  # XLNet, which has no limit, says -1
    for name, table in network.named_modules():
        padding = getattr(table, "padding_idx", None)
        if "position" in name.rpartition(".")[2] and padding is not None:
            limits.append(len(table.weight) - padding - 1)
    return min(limits)
