"""What the tokenizer of a policy has to be like: wrong ones train and sample without a word."""

from __future__ import annotations

from typing import Any

from moa.runtime.errors import JobError

NEXT_TURN_MARKERS = ("Human:", "Assistant:")
PROBE = "Human: one two helpfulness 0.30 harmlessness 0.70 Assistant:"


class UnfitTokenizer(JobError, ValueError):
    """A tokenizer that no policy can be trained with."""


def check_tokenizer(tokenizer: Any, base: str) -> None:
    """Check that prompts end as they are written, that responses can end, and that text stays text.

    base: what a message calls it. Raises: UnfitTokenizer that names what is wrong and how to mend it.
    """
    eos, pad = tokenizer.eos_token_id, tokenizer.pad_token_id
    if eos is None:
        raise UnfitTokenizer(
            f"{base}: the tokenizer has no EOS token, so a response could not end. Name one as eos_token "
            "in its tokenizer_config.json"
        )
    if pad in (None, eos):
        raise UnfitTokenizer(
            f"{base}: the tokenizer needs an EOS token and a different pad token; with pad == EOS "
            "the loss never sees EOS and the policy never learns to stop. Under policy.base, set pad_token "
            "to a spare special token of its vocabulary"
        )
    bare = tokenizer(PROBE, add_special_tokens=False)["input_ids"]
    whole = tokenizer(PROBE)["input_ids"]
    if whole[len(whole) - len(bare) :] != bare:
        raise UnfitTokenizer(
            f"{base}: the tokenizer ends every text with {tokenizer.decode(whole[-1:])!r}, so the policy "
            "would answer after the end of its prompt. Set add_eos_token to false in its "
            "tokenizer_config.json, or take the token out of the post_processor of its tokenizer.json"
        )
    for marker in NEXT_TURN_MARKERS:
        ids = tokenizer(f"one\n\n{marker} two", add_special_tokens=False)["input_ids"]
        if marker not in tokenizer.decode(ids):
            raise UnfitTokenizer(
                f"{base}: the tokenizer reads {marker!r} as {tokenizer.decode(ids)!r}, so a response that "
                "goes on to another turn could not be cut. Take a base whose tokenizer keeps case and "
                "punctuation"
            )
    special = set(tokenizer.all_special_ids)
    for token in tokenizer.all_special_tokens:
        ids = tokenizer(f"one {token} two {token}three", add_special_tokens=False)["input_ids"]
        if special & set(ids) - {tokenizer.unk_token_id}:
            raise UnfitTokenizer(
                f"{base}: the tokenizer reads {token!r} in a text as its special token, so a prompt that "
                "spells it out would end or pad itself. Take it out of the model's vocab in "
                "tokenizer.json, and leave it among added_tokens"
            )
