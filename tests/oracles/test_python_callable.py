"""Any Python function as an oracle."""

import numpy as np
import pytest

from moa.oracles.base import OracleError, load_oracles, score_all
from moa.runtime.errors import JobError
from moa.runtime.fingerprints import whole_digest


def spec(function):
    return {"length": {"kind": "python_callable", "callable": function, "version": "1"}}


SOURCE = """
from decimal import Decimal
from fractions import Fraction

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

def past_floats(prompts, responses):
    return [10**400, 1]

def decimals(prompts, responses):
    return [Decimal("0.5"), 1]

def fractions(prompts, responses):
    return [Fraction(n) for n in brevity(prompts, responses)]

def objects(prompts, responses):
    return np.array(brevity(prompts, responses), dtype=object)

def object_array(prompts, responses):
    return np.array([1.0, None])

def nullable(prompts, responses):
    return pd.Series([1.0, None], dtype="Float64")

def masked(prompts, responses):
    return np.ma.masked_array([1.0, 2.0], mask=[False, True])

def half_overflow(prompts, responses):
    with np.errstate(over="ignore"):
        return np.array([1e6, 1.0]).astype(np.float16)

def sorted_series(prompts, responses):
    return pd.Series(brevity(prompts, responses)).sort_values(ascending=False)

def object_without_dimension(prompts, responses):
    return np.array(None)

def no_dimension(prompts, responses):
    return np.array(3.0)

def talkative(prompts, responses):
    print("scoring")
    return brevity(prompts, responses)

def clumsy(prompts, responses):
    return [1 / len(y) for y in responses]

def leaving(prompts, responses):
    raise SystemExit(0)

def one_argument(responses):
    return brevity(None, responses)

def misused(*texts):
    return one_argument(*texts)

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
    "function",
    [
        "brevity",
        "array",
        "series",
        "tensor",
        "bfloat16",
        "tensors",
        "fractions",
        "objects",
        "talkative",
    ],
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
        ("words", "a list that holds '-4', a str: it must return"),
        ("word_array", "a ndarray of <U2: it must return"),
        ("gaps", "a list that holds None, a NoneType: it must return"),
        ("ragged", r"a list that holds \[0.0\], a list: it must return"),
        ("imaginary", "a list that holds 1j, a complex: it must return"),
        ("past_floats", "a list that holds a whole number of 1329 bits, past all floats: it must"),
        ("decimals", r"a list that holds Decimal\('0.5'\), a Decimal: it must return"),
        ("object_array", "a ndarray that holds None, a NoneType: it must return"),
        ("nullable", "nan for the prompt 'x' and the response ''"),
        ("masked", "nan for the prompt 'x' and the response ''"),
        ("half_overflow", "inf for the prompt 'x' and the response 'four'"),
        ("sorted_series", r"a Series in another order than the responses.*sort_index"),
        ("object_without_dimension", "a ndarray that holds None, a NoneType: it must return"),
        ("no_dimension", r"shape \(\) for 2 responses"),
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


@pytest.mark.parametrize(
    ("function", "said"),
    [
        ("clumsy", "ZeroDivisionError: division by zero"),
        ("leaving", "SystemExit: 0"),
        ("misused", r"TypeError: one_argument\(\) takes 1 positional argument but 2 were given"),
    ],
)
def test_one_that_raises_is_named_and_its_traceback_is_logged(module, caplog, function, said):
    expected = (
        rf"oracle length: my_rewards:{function} raised {said} for 2 responses; .*one number per"
    )
    with pytest.raises(JobError, match=expected) as caught:
        scored(function)
    assert caught.value.__cause__ is not None
    assert "Traceback" in caplog.text and "my_rewards.py" in caplog.text


def test_one_that_takes_another_number_of_arguments_is_refused_before_it_is_called(module):
    with pytest.raises(
        JobError,
        match=r"oracle length: my_rewards:one_argument cannot be called with two arguments \(too many",
    ):
        load_oracles(["length"], spec("my_rewards:one_argument"), {})


@pytest.mark.parametrize("source", ["1 / 0", "def f(:", "raise SystemExit(0)"])
def test_a_module_that_raises_is_named(tmp_path, monkeypatch, source):
    (tmp_path / "raising_rewards.py").write_text(source)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(
        JobError,
        match=r"oracle length: importing raising_rewards, for .*:f, raised \w+: .*mend the",
    ):
        load_oracles(["length"], spec("raising_rewards:f"), {})


# Functions of a file beside the config


def own(path, function, **contents):
    named = {"kind": "python_callable", "callable": f"{path}:{function}", "contents": contents}
    return load_oracles(["length"], {"length": named}, {})


def test_a_file_is_its_own_module_whatever_its_name(tmp_path):
    path = tmp_path / "json.py"  # a package's name, and that of one that this file imports
    path.write_text(
        f"from dataclasses import dataclass\n{SOURCE}\n@dataclass\nclass A:\n    b: int"
    )
    assert score_all(own(path, "brevity"), ["x", "x"], ["four", ""]).tolist() == [[-4.0], [0.0]]
    other = tmp_path / "other" / "json.py"
    other.parent.mkdir()
    other.write_text("def brevity(prompts, responses): return [7 for y in responses]")
    assert score_all(own(other, "brevity"), ["x"], ["four"]).tolist() == [[7.0]]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("def f(x, y): pass", r"has no attribute 'g'.*name a function of that file"),
        ("import beside_it", r"cannot import .*beside_it.*what is installed and stands alone"),
        ("1 / 0", r"importing .*own.py, for .*own.py:g, raised ZeroDivisionError.*mend the"),
        ("g = 3", r"own.py:g is a int, no function"),
    ],
)
def test_what_a_file_does_not_offer_is_named_with_the_mend(tmp_path, source, said):
    (tmp_path / "own.py").write_text(source)
    (tmp_path / "beside_it.py").write_text("")
    with pytest.raises(JobError, match=said):
        own(tmp_path / "own.py", "g")


def test_a_file_that_is_not_as_it_was_planned_with_is_refused(tmp_path):
    path = tmp_path / "planned.py"
    path.write_text("def f(prompts, responses): return [1]")
    own(path, "f", callable=whole_digest(path))
    with pytest.raises(JobError, match=r"planned.py has changed since this run was planned"):
        own(path, "f", callable="0" * 12)
    with pytest.raises(JobError, match=r"/gone.py: there is no such file.*beside the config"):
        own(tmp_path / "gone.py", "f")
