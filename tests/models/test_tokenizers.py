"""What is refused of a tokenizer, and that text which spells out special tokens stays text."""

import json

import pytest
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers
from tokenizers.processors import TemplateProcessing
from transformers import LlamaConfig, PreTrainedTokenizerFast

from moa.models.policies import load_tokenizer
from moa.models.prompts import encode, truncate_prompt
from moa.models.readable import require_readable
from moa.models.tokenizers import UnfitTokenizer
from moa.runtime.errors import JobError
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


def test_a_tokenizer_without_eos_is_told_so(tmp_path):
    made = llama_tokenizer()
    made.eos_token = None
    with pytest.raises(UnfitTokenizer, match="has no EOS token"):
        load_tokenizer(saved(made, tmp_path))


def characters(unk, drops="", normalizer=None):
    """A tokenizer of single characters, without those of `drops`; unk: what stands for the others."""
    known = [c for c in map(chr, range(32, 127)) if c not in drops]
    vocabulary = {token: i for i, token in enumerate(["<pad>", "</s>", "<unk>", *known])}
    made = Tokenizer(models.BPE(vocabulary, [], unk_token=unk))
    made.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    if normalizer:
        made.normalizer = normalizer
    return PreTrainedTokenizerFast(tokenizer_object=made, pad_token="<pad>", eos_token="</s>")


def test_a_tokenizer_that_changes_case_is_refused(tmp_path):
    """`human:` would not be seen as the start of another turn."""
    made = characters(None, normalizer=normalizers.Lowercase())
    with pytest.raises(UnfitTokenizer, match=r"reads 'Human:' as .*keeps case"):
        load_tokenizer(saved(made, tmp_path))


PROMPTS = ["How do I bake bread?", "Tell me a joke, please."]


@pytest.mark.parametrize(
    ("tokenizer", "said"),
    [
        (characters(None, "0123456789"), "alike"),
        (characters("<unk>", "0123456789"), "alike"),
        (characters("<unk>", "34"), r"0\.30.* and .*0\.40.* alike"),
        (characters(None, normalizer=normalizers.Replace(Regex("[0-9]"), "0")), "alike"),
        (characters(None, "e"), r"loses \d+% of the prompts' characters"),
        (characters("<unk>", "e"), r"loses \d+% of the prompts' characters"),
    ],
    ids=["no digits", "unknown digits", "two alike", "all zero", "drops", "undeclared unknown"],
)
def test_a_tokenizer_on_which_weights_or_words_are_lost_is_refused(tokenizer, said):
    """Whether it says so with a token, declared as such or not, or says nothing."""
    require_readable(PROMPTS, ["a", "b"], characters(None))
    with pytest.raises(JobError, match=f"(?s){said}"):
        require_readable(PROMPTS, ["a", "b"], tokenizer)
