"""What a config may say of a task's data, by kind: a kind is a file of this folder."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from moa.runtime.settings import (
    Flag,
    KindSettings,
    Location,
    Natural,
    OwnRows,
    PinnedPath,
    Seed,
    Text,
    Whole,
)


class DataSettings(KindSettings):
    """What all kinds share: how many prompts, and the split between training and testing."""

    n_train: Natural | None
    """Distinct train prompts; null for all that n_test leaves.

    Paper: 8K of PKU-SafeRLHF-10K's rows, 8K of HH-RLHF's."""
    n_test: Annotated[Whole, Field(ge=2)]
    """Distinct test prompts.

    Paper: 2K."""
    split_seed: Seed = 0
    """Of the random split by prompt."""


class SyntheticWorldData(DataSettings):
    """A small generated world whose best front can be enumerated."""

    kind: Literal["synthetic_world"]
    """The generated world."""
    corpus_seed: Seed = 0
    """Of the mixed-style responses."""


class PackagedTextData(DataSettings):
    """Red-teaming objectives and instructions, out of packages."""

    kind: Literal["packaged_text"]
    """Packaged text."""
    archive: PinnedPath = "data/llamafactory-0.9.5.tar.gz"
    """LLaMA-Factory's source distribution, fetched by make setup."""
    max_prompt_chars: Natural = 300
    """Longer prompts are left out."""
    max_response_chars: Natural = 1000
    """Longer responses are left out."""
    balance: Flag = True
    """As many harmful as ordinary prompts."""
    refusals: Flag = False
    """Where a source has one response to a prompt, the other is a refusal that people labelled so."""


class TranscriptData(DataSettings):
    """Rows of a hub dataset or a local file."""

    source: Location
    """Hub id, local folder, or .jsonl file, plain or with .gz or .xz."""
    split: Text = "train"
    """Of a hub dataset or a folder; a single file has none, and all of it is read."""
    revision: Text = "main"
    """Branch, tag or commit of a hub dataset."""


class HHData(TranscriptData):
    """HH-RLHF's transcripts: chosen and rejected dialogues."""

    kind: Literal["hh_rlhf"]
    """HH-RLHF."""


class PKUData(TranscriptData):
    """PKU-SafeRLHF's rows: a prompt and two responses with labels."""

    kind: Literal["pku_saferlhf"]
    """PKU-SafeRLHF."""


class JsonlData(DataSettings):
    """Rows of your own, from a file that lies beside the config."""

    kind: Literal["jsonl"]
    """A file of JSON lines."""
    path: OwnRows
    """A .jsonl file, plain or with .gz or .xz, beside the config; its content is in the key. Each line is
    an object with prompt, chosen and, where there are two responses, rejected; other fields are not read.

    Mend: name a file that ends in .jsonl, .jsonl.gz or .jsonl.xz."""
    responses: Literal["file", "base"] = "file"
    """Whose responses SFT starts from and rewards are normalised by: file = those of the rows; base = two
    that the base model samples to each train prompt, for a file of prompts alone. Those of the rows are
    then not read, and neither of the two is the better one."""


AnyData = Annotated[
    SyntheticWorldData | PackagedTextData | HHData | PKUData | JsonlData,
    Field(discriminator="kind"),
]
