"""What tokenizers do at the seams of a prompt: Llama's (BOS, `<pad>`) and Qwen's (EOS that pads).

And adapters: what they change, and what is refused of them.
"""

import json

import numpy as np
import pytest
import torch
from transformers import AutoModel, LlamaConfig, LlamaForCausalLM, MixtralConfig

from moa.models.policies import add_adapter, load_policy, load_tokenizer, save_adapter
from moa.models.prompts import common_prefix, encode, truncate_prompt
from moa.models.sampling import Sampling, clean_response, generate
from moa.models.settings import LoraSettings
from moa.preferences import build_prompt
from moa.runtime.errors import JobError
from moa.runtime.settings import OperationSettings
from moa.training.loop import TrainingRun
from moa.training.settings import OptimizerSettings
from moa.training.sft import tokenize_example, train_sft
from support.tiny_models import (
    SHAPE,
    made_from,
    randomise_lora_b,
    tiny_gpt2,
    tiny_llama,
    tiny_qwen3,
)
from support.tiny_tokenizers import FIM_PAD, gpt2_tokenizer, llama_tokenizer, qwen_tokenizer

OBJECTIVES = ["helpfulness", "harmlessness"]
SETTINGS = OptimizerSettings(
    epochs=40,
    learning_rate=1e-2,
    batch_size=2,
    micro_batch_size=2,
    scheduler="constant",
    warmup_ratio=0.0,
)
X = "Tell me a joke, please."


@pytest.fixture(params=["llama", "qwen"])
def tokenizer(request, tmp_path):
    """As `moa.training.bases.hub` leaves it."""
    made = llama_tokenizer() if request.param == "llama" else qwen_tokenizer()
    if request.param == "qwen":
        made.pad_token = FIM_PAD
    made.save_pretrained(tmp_path / "base")
    LlamaConfig().save_pretrained(tmp_path / "base")
    return load_tokenizer(tmp_path / "base")


@pytest.mark.parametrize("make", [gpt2_tokenizer, qwen_tokenizer])
def test_a_tokenizer_that_pads_with_eos_or_not_at_all_is_refused(make, tmp_path):
    make().save_pretrained(tmp_path)
    LlamaConfig().save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="needs an EOS token and a different pad token"):
        load_tokenizer(tmp_path)


def test_bos_stands_once_at_the_start_if_at_all(tokenizer):
    prompt = build_prompt(X, OBJECTIVES, [0.3, 0.7])
    ids = tokenizer(prompt)["input_ids"]
    example = tokenize_example(prompt, "Flour and yeast.", tokenizer, max_response_tokens=50)
    bos = tokenizer.bos_token_id
    if bos is not None:
        assert ids[0] == example["input_ids"][0] == bos
        assert ids.count(bos) == example["input_ids"].count(bos) == 1
    # The continuation adds nothing of its own: what is learned follows the prompt as it is sampled.
    assert example["input_ids"][: len(ids)] == ids
    assert example["labels"][: len(ids)] == [-100] * len(ids)
    learned = example["labels"][len(ids) :]
    assert tokenizer.decode(learned[:-1]).strip() == "Flour and yeast."
    assert learned[-1] == tokenizer.eos_token_id and learned.count(learned[-1]) == 1


def test_the_weight_block_survives_truncation(tokenizer):
    x = "é 日本\n\n first words. " * 30 + X
    cut = truncate_prompt(x, OBJECTIVES, tokenizer, 90)
    assert x.endswith(cut) and cut.endswith(X) and len(cut) > len(X)
    block = " helpfulness 0.50 harmlessness 0.50 Assistant:"
    ids = tokenizer(build_prompt(cut, OBJECTIVES, [0.5, 0.5]))["input_ids"]
    assert 80 < len(ids) <= 90
    assert tokenizer.decode(ids, skip_special_tokens=True) == f"Human: {cut}{block}"


def test_the_weight_blocks_own_decimals_are_counted(tokenizer):
    for decimals in (2, 4):
        cut = truncate_prompt("first words. " * 60 + X, OBJECTIVES, tokenizer, 60, decimals)
        (ids,) = encode([build_prompt(cut, OBJECTIVES, [0.5, 0.5], decimals)], tokenizer)
        assert 50 < len(ids) <= 60


def test_prompts_that_differ_in_w_share_their_tokens_up_to_it(tokenizer):
    weights = ([0.0, 1.0], [0.3, 0.7], [1.0, 0.0])
    ids = [torch.tensor(tokenizer(build_prompt(X, OBJECTIVES, w))["input_ids"]) for w in weights]
    shared = tokenizer.decode(ids[0][: common_prefix(ids)], skip_special_tokens=True)
    assert f"Human: {X} helpfulness ".startswith(shared) and shared.startswith(f"Human: {X}")


def test_eos_is_learned_beside_padding_and_ends_generation(tokenizer, tmp_path):
    """Two answers of different length in one batch: the short one is padded, and still ends."""
    torch.manual_seed(0)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=32,
            intermediate_size=48,
            num_hidden_layers=2,
            num_attention_heads=4,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    answers = {
        "Tell me a joke, please.": "I would rather not do that.",
        "How do I bake good bread?": "Flour.",
    }
    prompts = [build_prompt(x, OBJECTIVES, [0.5, 0.5]) for x in answers]
    examples = [
        tokenize_example(prompt, y, tokenizer, max_response_tokens=50)
        for prompt, y in zip(prompts, answers.values(), strict=True)
    ]
    train_sft(
        model,
        tokenizer,
        examples,
        SETTINGS,
        "float32",
        TrainingRun(tmp_path / "checkpoints", 0, "test", OperationSettings(checkpoint_minutes=60)),
    )
    sampled = generate(
        model,
        encode(prompts, tokenizer),
        np.full((2, 1, 30), 0.5),
        Sampling(30, 1e-6, 1.0, tokenizer.eos_token_id, cache_tokens=2),
    )
    for (ids,), example, answer in zip(sampled, examples, answers.values(), strict=True):
        assert ids.tolist() == [token for token in example["labels"] if token != -100]
        response = clean_response(ids, tokenizer)
        assert response.finished and response.text == answer


@pytest.mark.parametrize("turn", ["\n\nHuman: What is 2 + 2?", " Assistant: It is four."])
def test_a_response_ends_where_it_starts_another_turn(tokenizer, turn):
    prompt = build_prompt(X, OBJECTIVES, [0.3, 0.7])
    start = len(tokenizer(prompt)["input_ids"])
    whole = tokenizer(f"{prompt} I would é 日本 not.{turn}")["input_ids"][start:]
    response = clean_response(torch.tensor([*whole, tokenizer.eos_token_id]), tokenizer)
    assert response.finished and response.text == "I would é 日本 not."
    # The tokens that are learned from are those whose text is scored.
    kept = response.ids.tolist()
    assert kept == whole[: len(kept)] and tokenizer.decode(kept).strip() == response.text


@pytest.mark.parametrize(
    ("targets", "missing", "near"),
    [(("q_proj", "v_porj"), "v_porj", "v_proj"), (("qproj",), "qproj", "q_proj")],
)
def test_a_target_that_names_no_module_is_refused(targets, missing, near):
    with pytest.raises(
        JobError, match=f"no linear layer '{missing}'; the nearest name is '{near}'"
    ):
        add_adapter(tiny_llama(), LoraSettings(target_modules=targets), seed=0)


def test_a_target_may_be_named_as_peft_allows():
    for targets in ("all-linear", ("mlp.up_proj", "q_proj"), r".*\.0\.self_attn\.[qv]_proj"):
        assert add_adapter(tiny_llama(), LoraSettings(target_modules=targets), seed=0)


def test_a_target_whose_weights_are_shared_is_refused():
    """Merged, its change would reach the embedding, too: another policy than the one that was trained."""
    with pytest.raises(JobError, match=r"lm_head is the output layer, and shares its weights"):
        add_adapter(tiny_qwen3(), LoraSettings(target_modules=("lm_head", "q_proj")), seed=0)


@pytest.mark.parametrize(
    ("targets", "said"),
    [
        (("lm_head",), "lm_head is the output layer: "),
        (("embed_tokens", "q_proj"), "'embed_tokens' is a Embedding and no linear layer"),
        (("q_proj", "input_layernorm"), "'input_layernorm' is a LlamaRMSNorm and no linear"),
        (("self_attn",), "'self_attn' is a LlamaAttention and no linear layer"),
        (("all-linear",), "write all-linear without brackets"),
        ("q_porj", r"is 'q_porj': PEFT cannot adapt that.*such as \[q_proj"),
        ("[", "A text is a regular expression"),
        (r".*embed_tokens", "which is no plain linear layer"),
    ],
)
def test_a_target_that_cannot_be_trained_and_merged_is_refused(targets, said):
    with pytest.raises(JobError, match=said):
        add_adapter(tiny_llama(), LoraSettings(target_modules=targets), seed=0)


def test_fused_experts_are_refused():
    config = MixtralConfig(**SHAPE, num_local_experts=2, num_experts_per_tok=1)
    for dropout in (0.0, 0.1):
        lora = LoraSettings(rank=2, dropout=dropout)
        with pytest.raises(JobError, match=r"lora\.target_modules"):
            add_adapter(made_from(config), lora, seed=0)


@pytest.mark.parametrize(
    ("make", "targets"),
    [(tiny_qwen3, "all-linear"), (tiny_llama, "all-linear"), (tiny_gpt2, "all-linear")],
    ids=["tied", "head of its own", "transposed"],
)
def test_the_merged_policy_is_the_trained_one(make, targets, tmp_path):
    make().save_pretrained(tmp_path / "base")
    model = add_adapter(load_policy(tmp_path / "base"), LoraSettings(target_modules=targets), 0)
    randomise_lora_b(model)
    save_adapter(model, tmp_path / "run")
    ids = torch.arange(2, 30)[None]
    with torch.no_grad():
        trained = model.eval()(input_ids=ids).logits
        merged = load_policy(tmp_path / "base", [tmp_path / "run"])(input_ids=ids).logits
    torch.testing.assert_close(merged, trained, rtol=1e-4, atol=1e-3)


def test_an_adapter_that_is_not_finite_is_refused(tmp_path):
    make = tiny_llama()
    make.save_pretrained(tmp_path / "base")
    model = add_adapter(make, LoraSettings(target_modules=("q_proj",)), seed=0)
    with torch.no_grad():
        next(p for n, p in model.named_parameters() if "lora_B" in n)[3, 1] = torch.nan
    save_adapter(model, tmp_path / "expert-s0")
    with pytest.raises(JobError, match=r"expert-s0 holds NaN or infinity in .*lora_B"):
        load_policy(tmp_path / "base", [tmp_path / "expert-s0"])


def test_a_base_that_is_not_whole_is_refused(tmp_path):
    """transformers draws what is missing at random, anew in every job, and drops what is too much."""
    AutoModel.from_config(LlamaConfig(**SHAPE)).save_pretrained(tmp_path / "headless")
    with pytest.raises(JobError, match=r"headless lacks weights of a LlamaForCausalLM.*lm_head"):
        load_policy(tmp_path / "headless")
    for layers, said in ((3, r"lacks weights.*layers\.2"), (1, r"has no place for.*layers\.1")):
        folder = tmp_path / str(layers)
        tiny_llama().save_pretrained(folder)
        config = json.loads((folder / "config.json").read_text()) | {"num_hidden_layers": layers}
        (folder / "config.json").write_text(json.dumps(config))
        with pytest.raises(JobError, match=said):
            load_policy(folder)


def test_a_folder_that_is_no_model_is_named(tmp_path):
    with pytest.raises(JobError, match=r"nothing: its configuration cannot be loaded"):
        load_policy(tmp_path / "nothing")
    tiny_llama().save_pretrained(tmp_path / "cut")
    weights = tmp_path / "cut" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(JobError, match=r"cut/model\.safetensors: cannot be loaded"):
        load_policy(tmp_path / "cut")


def test_a_bases_own_dropout_is_off(tmp_path):
    """It would make a policy another one than its reference, in training alone."""
    tiny_gpt2(dropout=0.5).save_pretrained(tmp_path)
    model = load_policy(tmp_path)
    ids = torch.arange(2, 30)[None]
    assert torch.equal(model.train()(ids).logits, model.eval()(ids).logits)
