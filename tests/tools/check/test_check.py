"""What `make check` finds in a config, on a tiny task whose parts are made for real."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml
from tokenizers.processors import TemplateProcessing
from transformers import MistralConfig

from moa.models.settings import LoraSettings, PromptSettings
from moa.oracles.base import load_oracles
from moa.oracles.pairs import Pair
from moa.oracles.scale import RewardScale
from moa.oracles.synthetic_world import known_pairs
from moa.tools.check.oracles import check_sign, check_spread, pairs_of
from moa.tools.check.policy import check_policy
from moa.tools.check.task import check_task
from moa.workflow.plan import Plan
from support.paths import REPO
from support.tiny_jobs import make_here
from support.tiny_models import SHAPE, made_from, tiny_llama
from support.tiny_store import tiny_plan
from support.tiny_tokenizers import llama_tokenizer

OBJECTIVES = ["helpfulness", "harmlessness"]
ASKED = PromptSettings(max_prompt_tokens=64, max_new_tokens=8)
LORA = LoraSettings(rank=2)
ROWS = pd.DataFrame(
    {
        "prompt": ["How do I bake good bread at home?", "Tell me a joke, please."],
        "chosen": ["Flour.", "I would rather not do that."],
        "rejected": ["I would not.", None],
    }
)


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Plan:
    """A plan whose shared entries are there."""
    store = tmp_path_factory.mktemp("checked") / "results" / "store"
    plan = tiny_plan(store)
    for entry in plan.shared["safety"].values():
        make_here(store, entry)
    return plan


def folders(plan):
    return {role: Path(plan.config.store) / e.rel for role, e in plan.shared["safety"].items()}


def by_name(checks):
    return {check.what: check for check in checks}


def saved_base(folder, model, tokenizer):
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def test_a_task_that_is_as_it_should_be_passes(made):
    shown, checks = check_task(made.config.tasks["safety"], folders(made), {})
    assert shown.startswith("Human: ") and " Assistant: | " in shown and shown.endswith("</s>")
    assert {check.verdict for check in checks} <= {"ok", "note"}
    found = by_name(checks)
    assert found["helpfulness: sign"].found == "4 of 4 pairs of known order are right"
    assert "mean" in found["harmlessness: scale"].found
    assert found["prompts"].found == "8 test, 32 train"


def test_a_window_shorter_than_the_rows_fails_with_its_size(tmp_path):
    tokenizer = llama_tokenizer()
    shape = SHAPE | {"vocab_size": len(tokenizer)}
    base = saved_base(tmp_path, made_from(MistralConfig(**shape, sliding_window=20)), tokenizer)
    _, checks = check_policy(base, ROWS, OBJECTIVES, ASKED, LORA)
    (failed,) = [check for check in checks if check.verdict == "fails"]
    assert failed.found.startswith("some layers see only the nearest 20 of 72 tokens")
    assert "lower policy.max_prompt_tokens" in failed.mend
    assert by_name(checks)["log-probabilities as trained, against plain rows"].verdict == "ok"


def test_a_tokenizer_that_appends_eos_fails_with_the_mend(tmp_path):
    tokenizer = llama_tokenizer()
    bos, eos = tokenizer.bos_token_id, tokenizer.eos_token_id
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", bos), ("</s>", eos)]
    )
    base = saved_base(tmp_path, tiny_llama(vocab_size=len(tokenizer)), tokenizer)
    _, (failed,) = check_policy(base, ROWS, OBJECTIVES, ASKED, LORA)
    assert failed.verdict == "fails" and "add_eos_token" in failed.mend


def test_a_typo_in_a_target_and_too_few_positions_fail_with_the_mend(tmp_path):
    tokenizer = llama_tokenizer()
    base = saved_base(tmp_path, tiny_llama(vocab_size=len(tokenizer)), tokenizer)
    lora = LoraSettings(rank=2, target_modules=("q_proj", "v_porj"))
    asked = PromptSettings(max_prompt_tokens=250, max_new_tokens=8)
    _, checks = check_policy(base, ROWS, OBJECTIVES, asked, lora)
    failed = {check.what: check.mend for check in checks if check.verdict == "fails"}
    assert failed.keys() == {"LoRA targets", "positions"}
    assert "'v_proj'" in failed["LoRA targets"]


class Forgotten:
    """An oracle whose lower output is better, without `negate`."""

    objective = "helpfulness"

    def __init__(self, oracle):
        self.oracle = oracle

    def score(self, prompts, responses):
        return -self.oracle.score(prompts, responses)


def test_a_cost_whose_sign_is_forgotten_fails_with_the_mend(made):
    specs = made.config.tasks["safety"].oracles
    oracle, _ = load_oracles(OBJECTIVES, {o: s.model_dump() for o, s in specs.items()}, {})
    pairs = known_pairs("helpfulness")
    assert check_sign(oracle, pairs).verdict == "ok"
    failed = check_sign(Forgotten(oracle), pairs)
    assert failed.verdict == "fails" and "0 of 4 pairs" in failed.found
    assert "negate: true under oracles.helpfulness" in failed.mend
    constant = check_sign(oracle, [Pair("tell me about bread", "so", "well")])
    assert constant.verdict == "fails", "an oracle that tells nothing apart"


def test_pairs_are_the_configs_then_the_kinds_then_the_built_in_ones():
    own = [Pair("a", "b", "c")]
    assert pairs_of("synthetic_world", "humor", {"humor": own}) == own
    assert pairs_of("synthetic_world", "humor", {}) == known_pairs("humor")
    assert len(pairs_of("python_callable", "harmlessness", {})) == 4
    assert pairs_of("python_callable", "harmlessness", {"harmlessness": []}) == []
    assert pairs_of("python_callable", "brevity", {}) == []


def test_many_ties_are_noted(made):
    folder = folders(made)["oracle_stats"]
    offline = pd.read_parquet(folder / "offline_rewards.parquet")
    scale = RewardScale.read(folder, OBJECTIVES)
    offline["raw_helpfulness"] = (offline["row"] > 20).astype(float)
    ties = check_spread(offline, scale, "helpfulness")[1]
    assert ties.verdict == "note" and "ties 100%" in ties.found


def test_the_command_tells_and_writes_what_it_found(made, tmp_path):
    config = tmp_path / "checked.yaml"
    raw = yaml.safe_load((REPO / "tests" / "tiny.yaml").read_text())
    raw |= {"store": str(made.config.store), "name": "checked"}
    config.write_text(yaml.safe_dump(raw))

    def check(*given):
        command = [sys.executable, REPO / "workflow_scripts" / "check_config.py"]
        command += ["--configfile", config, *given]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    done = check()
    assert done.returncode == 0, done.stderr
    assert "token by token" in done.stdout and "helpfulness: sign" in done.stdout
    folder = tmp_path / "results" / "checked" / "safety"
    kept = json.loads((folder / "check.json").read_text())
    assert kept["checks"] and "| helpfulness: sign | ok |" in (folder / "check.md").read_text()
    raw["policy"]["lora"]["target_modules"] = ["q_porj"]
    config.write_text(yaml.safe_dump(raw))
    done = check()
    assert done.returncode == 1
    assert "LoRA targets FAILS" in done.stdout and "'q_proj'" in done.stdout
    shutil.rmtree(tmp_path / "results")


def test_what_is_not_made_yet_is_named_with_the_mend(tmp_path):
    raw = yaml.safe_load((REPO / "tests" / "tiny.yaml").read_text())
    config = tmp_path / "early.yaml"
    config.write_text(yaml.safe_dump(raw | {"store": str(tmp_path / "store")}))
    command = [sys.executable, REPO / "workflow_scripts" / "check_config.py"]
    done = subprocess.run(
        [*command, "--configfile", config],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "data/safety-" in done.stderr and "run `make check`, which makes what" in done.stderr
