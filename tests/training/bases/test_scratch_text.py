"""Data of one's own: the world's base cannot read it, and says so; the base made from the data can."""

from __future__ import annotations

import pandas as pd
import pytest

from moa.models.policies import load_tokenizer
from moa.models.prompts import distinct_prompts
from moa.models.self_check import check_base
from moa.runtime.checks import require
from moa.runtime.errors import JobError
from moa.training.bases.scratch_llama import build_tokenizer as world_tokenizer
from moa.training.bases.scratch_text import build
from moa.training.bases.settings import PinnedScratchTextBase

OBJECTIVES = ("brevity", "kindness")
ROWS = pd.DataFrame(
    {
        "prompt_id": range(60),
        "prompt": [f"How do I mend a bicycle with {n} flat tyres?" for n in range(60)],
        "chosen": [f"Patch {n} tubes, friend." for n in range(60)],
        "rejected": [None if n % 2 else "Buy a new one." for n in range(60)],
        "split": "train",
    }
)


def test_the_generated_worlds_base_refuses_data_that_it_cannot_read():
    with pytest.raises(JobError, match=r"(?s)loses \d\d% of the prompts' characters.*<unk>"):
        distinct_prompts(ROWS, OBJECTIVES, world_tokenizer(), 64)


def test_a_base_made_from_the_data_reads_all_of_it(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    ROWS.to_parquet(data / "data.parquet")
    settings = PinnedScratchTextBase(
        kind="scratch_text",
        objectives=OBJECTIVES,
        hidden_size=16,
        heads=2,
        layers=1,
        batch_size=8,
        epochs=1,
        vocabulary=400,
    )
    build(settings, {"data": data}, tmp_path / "base")
    tokenizer = load_tokenizer(tmp_path / "base")
    require(check_base(tmp_path / "base"), "scratch_text")
    unseen = "Où est la bicyclette ? 日本 <pad> </s>\n\n"
    assert tokenizer.decode(tokenizer(unseen)["input_ids"]) == unseen
    assert not {tokenizer.pad_token_id, tokenizer.eos_token_id} & set(
        tokenizer(unseen)["input_ids"]
    )
    assert len(distinct_prompts(ROWS, OBJECTIVES, tokenizer, 200)) == 60
    again = tmp_path / "again"
    build(settings, {"data": data}, again)
    for name in ("model.safetensors", "tokenizer.json"):
        assert (again / name).read_bytes() == (tmp_path / "base" / name).read_bytes()
