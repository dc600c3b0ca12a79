"""Any Python function as an oracle."""

import numpy as np
import pytest

from moa.oracles.base import OracleError, load_oracles, score_all
from moa.runtime.errors import JobError


def spec(function):
    return {"length": {"kind": "python_callable", "callable": function, "version": "1"}}


@pytest.fixture
def module(tmp_path, monkeypatch):
    (tmp_path / "my_rewards.py").write_text(
        "def brevity(prompts, responses):\n    return [-len(y) for y in responses]\n\n"
        "def short(prompts, responses):\n    return [0.0]\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))


def test_its_values_are_the_scores(module):
    oracles = load_oracles(["length"], spec("my_rewards:brevity"), {}, "cpu_offload")
    found = score_all(oracles, ["x", "x"], ["four", ""])
    assert found.dtype == np.float64 and found.tolist() == [[-4.0], [0.0]]
    with pytest.raises(OracleError, match=r"oracle length returned shape \(1,\) for 2 responses"):
        score_all(load_oracles(["length"], spec("my_rewards:short"), {}), ["x", "x"], ["a", "b"])


@pytest.mark.parametrize("function", ["no_such_module:f", "my_rewards:f"])
def test_one_that_cannot_be_imported_is_named_with_the_mend(module, function):
    with pytest.raises(JobError, match=f"oracle length: cannot import {function}.*PYTHONPATH"):
        load_oracles(["length"], spec(function), {})
