"""Any Python function as an oracle."""

import numpy as np
import pytest

from moa.oracles.base import OracleError, load_oracles, score_all
from moa.runtime.errors import JobError


def spec(function):
    return {"length": {"kind": "python_callable", "callable": function, "version": "1"}}


SOURCE = """
import numpy as np
import pandas as pd
import torch

LENGTHS = [1.0, 2.0]

def brevity(prompts, responses):
    return [-len(y) for y in responses]

def array(prompts, responses):
    return np.array(brevity(prompts, responses), dtype=np.float16)

def series(prompts, responses):
    return pd.Series(brevity(prompts, responses), index=["a", "b"])

def tensor(prompts, responses):
    return torch.tensor([float(n) for n in brevity(prompts, responses)], requires_grad=True)

def bfloat16(prompts, responses):
    return tensor(prompts, responses).bfloat16()

def tensors(prompts, responses):
    return list(tensor(prompts, responses))

def short(prompts, responses):
    return [0.0]

def columns(prompts, responses):
    return np.zeros((len(responses), 1))

def lazily(prompts, responses):
    return (-len(y) for y in responses)

def by_response(prompts, responses):
    return {y: -len(y) for y in responses}

def distinct(prompts, responses):
    return set(brevity(prompts, responses))

def nothing(prompts, responses):
    pass

def one(prompts, responses):
    return 0.0

def words(prompts, responses):
    return [str(n) for n in brevity(prompts, responses)]

def word_array(prompts, responses):
    return np.array(words(prompts, responses))

def gaps(prompts, responses):
    return [0.0, None]

def ragged(prompts, responses):
    return [[0.0], [0.0, 1.0]]

def imaginary(prompts, responses):
    return [1j, 2.0]

async def later(prompts, responses):
    return brevity(prompts, responses)

def nan(prompts, responses):
    return [0.0, float("nan")]
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    (tmp_path / "my_rewards.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(str(tmp_path))


def scored(function):
    oracles = load_oracles(["length"], spec(f"my_rewards:{function}"), {}, "cpu_offload")
    return score_all(oracles, ["x", "x"], ["four", ""])


@pytest.mark.parametrize(
    "function", ["brevity", "array", "series", "tensor", "bfloat16", "tensors"]
)
def test_its_values_are_the_scores(module, function):
    found = scored(function)
    assert found.dtype == np.float64 and found.tolist() == [[-4.0], [0.0]]


@pytest.mark.filterwarnings("ignore:coroutine")
@pytest.mark.parametrize(
    ("function", "said"),
    [
        (
            "lazily",
            "a generator: it must return a list, an array or a tensor with one number for each",
        ),
        ("by_response", "a dict: it must return"),
        ("distinct", "a set: it must return"),
        ("nothing", "a NoneType: it must return"),
        ("one", "a float: it must return"),
        ("words", "a list that holds '-4': it must return"),
        ("word_array", "a ndarray of <U2: it must return"),
        ("gaps", "a list that holds None: it must return"),
        ("ragged", r"a list that holds \[0.0\]: it must return"),
        ("imaginary", "a list that holds 1j: it must return"),
        ("later", "a coroutine: it must return"),
        ("short", r"shape \(1,\) for 2 responses, not \(2,\), one number for each"),
        ("columns", r"shape \(2, 1\) for 2 responses, not \(2,\)"),
        ("nan", "nan for the prompt 'x' and the response ''"),
    ],
)
def test_what_is_not_one_number_per_response_is_named_with_what_is_expected(module, function, said):
    with pytest.raises(OracleError, match=f"oracle length returned {said}"):
        scored(function)


def test_no_responses_have_no_scores(module):
    assert score_all(load_oracles(["length"], spec("my_rewards:brevity"), {}), [], []).shape == (
        0,
        1,
    )


def test_what_is_no_function_is_refused(module):
    with pytest.raises(JobError, match=r"my_rewards:LENGTHS is a list, no function; name"):
        load_oracles(["length"], spec("my_rewards:LENGTHS"), {})


@pytest.mark.parametrize("function", ["no_such_module:f", "my_rewards:f"])
def test_one_that_cannot_be_imported_is_named_with_the_mend(module, function):
    with pytest.raises(JobError, match=f"oracle length: cannot import {function}.*PYTHONPATH"):
        load_oracles(["length"], spec(function), {})
