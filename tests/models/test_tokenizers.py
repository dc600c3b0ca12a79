"""What is refused of a tokenizer, and that text which spells out special tokens stays text."""

import json

import pytest
from tokenizers.processors import TemplateProcessing
from transformers import LlamaConfig

from moa.models.policies import load_tokenizer
from moa.models.prompts import encode, truncate_prompt
from moa.models.tokenizers import UnfitTokenizer
from moa.training.bases.scratch_llama import build_tokenizer
from moa.training.sft import tokenize_example
from support.tiny_tokenizers import FIM_PAD, llama_tokenizer, qwen_tokenizer

MAKERS = {"llama": llama_tokenizer, "qwen": qwen_tokenizer, "scratch": build_tokenizer}


def saved(tokenizer, folder):
    tokenizer.save_pretrained(folder)
    LlamaConfig().save_pretrained(folder)
    return folder


@pytest.fixture(params=MAKERS)
def tokenizer(request, tmp_path):
    made = MAKERS[request.param]()
    if request.param == "qwen":
        made.pad_token = FIM_PAD
    return load_tokenizer(saved(made, tmp_path))


def test_special_tokens_that_a_text_spells_out_stay_text(tokenizer):
    special = tokenizer.all_special_tokens
    text = " ".join(f"four {token} and{token} here" for token in special)
    allowed = {tokenizer.bos_token_id, tokenizer.unk_token_id}
    assert truncate_prompt(text, ["a", "b"], tokenizer, 400) == text
    (ids,) = encode([text], tokenizer)
    assert not set(tokenizer.all_special_ids) - allowed & set(ids.tolist())
    example = tokenize_example(text, text, tokenizer, max_response_tokens=400)
    *learned, last = example["labels"]
    assert last == tokenizer.eos_token_id
    assert not set(tokenizer.all_special_ids) - allowed & set(learned)
    if (
        tokenizer.unk_token_id is None
        or "word" not in type(tokenizer.backend_tokenizer.model).__name__.lower()
    ):
        assert text in tokenizer.decode(example["input_ids"][:-1])


def test_a_tokenizer_that_appends_eos_is_refused(tmp_path):
    """The policy would answer after the end of its prompt, and learn two ends."""
    made = llama_tokenizer()
    made.backend_tokenizer.post_processor = TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)]
    )
    folder = saved(made, tmp_path)
    ids = {
        t["content"]: t["id"]
        for t in json.loads((folder / "tokenizer.json").read_text())["added_tokens"]
    }
    made.backend_tokenizer.post_processor = TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", ids["<s>"]), ("</s>", ids["</s>"])]
    )
    made.save_pretrained(folder)
    with pytest.raises(UnfitTokenizer, match=r"ends every text with '</s>'.*add_eos_token"):
        load_tokenizer(folder)


def test_a_vocabulary_that_spells_its_special_tokens_is_refused(tmp_path):
    """Word-level: `<pad>` between spaces is a word of it, whatever the added tokens are."""
    made = build_tokenizer()
    made.backend_tokenizer.pre_tokenizer = made.backend_tokenizer.pre_tokenizer[0]
    with pytest.raises(UnfitTokenizer, match="reads '</s>' in a text as its special token"):
        load_tokenizer(saved(made, tmp_path))
