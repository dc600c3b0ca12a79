"""Every benchmark's measurements run, at sizes at which their figures say nothing."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

import bounds
import explorer_page
import gpu
import sampling
import scaling
import step_cost
import sweep_cost
import tree_logprobs
import workflow_overhead
from moa.models.policies import add_adapter
from moa.preferences import build_prompt
from moa.tools.estimates.shapes import read_shape
from shared import (
    EOS,
    LORA,
    OBJECTIVES,
    SMOLLM2,
    alternate,
    apart,
    base,
    print_figures,
    prompt_rows,
    timed,
    with_endings,
    words,
)
from support.browser import chromium
from support.paths import REPO, TINY

TOY = {
    **SMOLLM2,
    "vocab_size": 300,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}


def test_prompts_have_the_tokens_that_are_asked_for():
    tokenizer = words(300)
    rows = prompt_rows([30, 40], OBJECTIVES[:2], tokenizer)
    for w in ([0.3, 0.7], [1.0, 0.0]):
        texts = [build_prompt(row["x"], OBJECTIVES[:2], w) for row in rows]
        assert [len(tokenizer(text)["input_ids"]) for text in texts] == [30, 40]
        assert tokenizer.unk_token_id not in tokenizer(texts[0])["input_ids"]
    with pytest.raises(ValueError, match="the weight block alone has"):
        prompt_rows([5], OBJECTIVES[:2], tokenizer)


def test_a_bias_on_eos_ends_responses_as_often_as_asked():
    model = with_endings(base(TOY), tokens=4)
    ids = torch.randint(3, 300, (2, 8))
    assert model(input_ids=ids).logits.softmax(dim=-1)[..., EOS].mean() == pytest.approx(
        1 / 4, rel=0.1
    )


def test_runs_take_turns_and_the_first_turn_is_not_counted():
    turns, figures = [], iter([100.0, 100.0, 1.0, 2.0, 3.0, 4.0, 8.0, 9.0])

    def run(name):
        turns.append(name)
        return {"seconds": next(figures)}

    found = alternate({"ours": lambda: run("ours"), "theirs": lambda: run("theirs")}, rounds=3)
    assert turns == ["ours", "theirs"] * 4
    assert found == {"ours": {"seconds": 3.0}, "theirs": {"seconds": 4.0}}


def test_timed_functions_are_what_they_were_afterwards():
    class Owner:
        def double(self, x):
            return 2 * x

    owner = Owner()
    with timed([(owner, "double", lambda: "doubling")]) as parts:
        assert owner.double(3) == 6
    assert list(parts) == ["doubling"] and "double" not in vars(owner)


def test_memory_is_that_of_a_process_of_its_own():
    small, large = (apart(eval, f"len(b'x' * ({mib} * 2**20))") for mib in (1, 301))
    assert (small[0], large[0]) == (2**20, 301 * 2**20)
    assert large[1] - small[1] == pytest.approx(300 * 2**20, rel=0.05)


def test_steps_are_compared_part_by_part():
    found = step_cost.compare_steps(TOY, batch=2, prompt=40, new=3, rounds=1)
    assert list(found) == ["ours", "TRL's best", "ours, K = 5"]
    for figures in found.values():
        assert set(figures) == set(step_cost.PARTS) and min(figures.values()) > 0
    assert set(step_cost.defaults_step(TOY, 2, 40, 3)) == set(step_cost.PARTS)


@pytest.mark.parametrize("whose", ["ours", "trl"])
def test_a_step_has_a_peak_of_memory(whose):
    assert step_cost.peak_of_step(whose, TOY, 2, 40, 3)["bytes"] > 2**27


def test_log_probabilities_are_compared_and_agree():
    found = tree_logprobs.compare(add_adapter(base(TOY), LORA, 0), 2, 6, 3, 4, rounds=1)
    assert found["difference"] < 1e-4
    assert found["reference_pass"] > 0 and found["policy_pass"] > 0


def test_sampling_counts_tokens_up_to_eos():
    found = sampling.compare(TOY, [4, 9, 6, 12], new=8, mean=4, rounds=1)
    assert list(found) == ["ours", "growing cache", "static cache"]
    assert all(4 <= figures["tokens"] <= 32 for figures in found.values())
    ids = torch.tensor([5, 7, EOS, 9, EOS])
    assert sampling.until_eos(ids).tolist() == [5, 7, EOS]
    assert sampling.until_eos(ids[:2]).tolist() == [5, 7]


def test_a_sweep_answers_every_prompt_under_every_vector():
    vectors = [[0.3, 0.7], [1.0, 0.0], [0.0, 1.0]]
    sweep = sweep_cost.Sweep(TOY, vectors, prompts=2, prompt=40, new=5, mean=10**6)
    for figures in (sweep.ours(), sweep.loop()):
        assert figures["tokens"] == pytest.approx(2 * 3 * 5, abs=5)


def test_growth_is_measured_tabled_and_drawn(tmp_path):
    points = scaling.measure(TOY, {"response": (2, 4), "vectors": (2, 3)}, rounds=1)
    assert [(p.row, p.size) for p in points] == [
        ("response", 2),
        ("response", 4),
        ("vectors", 2),
        ("vectors", 3),
    ]
    assert "| response, tokens | 4 |" in scaling.table(points)
    scaling.plot(points, tmp_path / "scaling.png")
    assert (tmp_path / "scaling.png").read_bytes().startswith(b"\x89PNG")
    grown = [scaling.Point("batch", 2, 1.0, 1e9), scaling.Point("batch", 8, 4.0, 2e9)]
    assert scaling.exponents(grown) == pytest.approx((1.0, 0.5))


def test_bounds_count_what_a_step_cannot_do_without():
    shape = read_shape({**TOY, "head": "language_model"})
    needed = bounds.work(shape, batch=2, prompt=40, new=4)
    weights = sum(p.numel() for p in base(TOY).parameters())  # with the adapter inside them
    # Three tokens more for each of four rows, and the keys and values of 2 layers, 2 x 2 heads of 8.
    cached = 2 * 4 * sum(4 * (40 + done) for done in (1, 2, 3)) * 32
    assert needed["decoding"].bytes == 4 * 3 * weights + cached
    assert needed["backward"].flops > needed["policy forward"].flops
    assert all(rate > 1e6 for rate in bounds.rates(64, 1))
    assert set(needed) - set(bounds.measured(TOY, 2, 40, 3, 1)) == {"reading prompts", "decoding"}


def test_jobs_are_read_off_snakemakes_table(tmp_path):
    assert workflow_overhead.jobs_of("Nothing to be done (all requested files are present).") == 0
    planned = workflow_overhead.snakemake(tmp_path, TINY, "--dry-run")
    assert planned["jobs"] == 36 and planned["seconds"] > 0


def test_an_explorer_is_timed_in_a_browser(tmp_path):
    file = tmp_path / "explorer.html"
    file.write_text(explorer_page.large_page(prompts=3, methods=2, seeds=1, words=4))
    with chromium() as browser:
        found = explorer_page.measure(browser, file, rounds=1)
    assert 0.01 < found["mb"] < 0.2 and found["seconds_move"] <= found["seconds_move_most"]
    assert all(0 < value < 120 for value in found.values())


def test_figures_come_a_line_each(capsys):
    print_figures(ratio=0.5, seconds=12.0)
    assert capsys.readouterr().out == "ratio = 0.5\nseconds = 12\n"


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is CUDA here")
def test_what_needs_cuda_says_so():
    command = [sys.executable, str(REPO / "benchmarks" / "gpu.py")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "needs CUDA" in done.stderr and done.stdout == ""


@pytest.mark.parametrize("task", gpu.TASKS)
def test_the_gpus_measurements_run_on_a_cpu_with_a_tiny_shape(task):
    planned = gpu.online_job(task)
    assert 15e9 < planned.planned < 40e9
    few = {"max_prompt_tokens": 40, "max_new_tokens": 3, "batch_size": 2, "micro_batch_size": 1}
    job = gpu.OnlineJob(
        TOY, {**planned.settings, **few}, LORA, planned.objectives, 0, planned.operation
    )
    assert 0 <= gpu.exactness(job, "cpu", 1) < 1
    assert set(gpu.online_step(job, "cpu", 1)) == {*step_cost.PARTS, "reserved"}
