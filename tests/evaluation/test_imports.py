"""A job starts in the time that its imports take, so it imports no library that it does not use."""

import subprocess
import sys

import pytest

from support.paths import SCRIPTS

MODELS = {"torch", "transformers", "peft"}
TRAINERS = {"trl", "datasets"}


@pytest.mark.parametrize(
    ("scripts", "without"),
    [
        ("prepare_data", MODELS | TRAINERS),
        ("compute_metrics", MODELS | TRAINERS),
        ("draw_figure", MODELS | TRAINERS),
        ("write_tables", MODELS | TRAINERS),
        ("read_responses, compare_responses", MODELS | TRAINERS),
        ("evaluate_block", MODELS | TRAINERS),  # where all parts are there, none is imported
        ("generate_responses, compute_likelihoods, compute_reference, score_responses", TRAINERS),
    ],
)
def test_a_script_imports_no_library_that_it_does_not_use(scripts, without):
    code = f"import sys, {scripts}; print(*({without!r} & sys.modules.keys()))"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=SCRIPTS, capture_output=True, text=True, check=True)
    assert not done.stdout.split()
