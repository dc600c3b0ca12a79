"""Laws of keys: what a spec says counts, and not how it is written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from moa.runtime.yaml_files import read_yaml
from moa.workflow.config import Config, resolve
from moa.workflow.keys import canonical_json, content_key
from moa.workflow.plan import Plan
from support.paths import CONFIG, TINY

WHOLE = st.integers(-(2**53), 2**53)  # those that a float holds, too
LEAVES = (
    st.none()
    | st.booleans()
    | WHOLE
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5)
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=10,
)
PARAMS = st.dictionaries(st.text(max_size=3), VALUES, min_size=1, max_size=4)
RANDOM = st.randoms(use_true_random=False)


def key(params: Any) -> str:
    spec = {"stage": "sft", "name": "a", "params": params, "seed": 0, "code": "c0de"}
    return content_key({**spec, "inputs": {"base": "base/b-0123456789ab"}, "versions": {}})


def shuffled(value: Any, random: Any) -> Any:
    """The same with the keys of every mapping in another order."""
    if isinstance(value, dict):
        pairs = [(k, shuffled(v, random)) for k, v in value.items()]
        random.shuffle(pairs)
        return dict(pairs)
    return [shuffled(v, random) for v in value] if isinstance(value, list) else value


def rewritten(value: Any, random: Any) -> Any:
    """The same with some of its whole numbers written in another form: 32, 32.0 or 3.2e1."""
    if isinstance(value, dict):
        return {k: rewritten(v, random) for k, v in value.items()}
    if isinstance(value, list):
        return [rewritten(v, random) for v in value]
    if type(value) in (int, float) and abs(value) <= 2**53 and value == int(value):
        return random.choice([int(value), float(value), float(f"{value:.20e}")])
    return value


def leaves(value: Any, path: tuple = ()) -> list[tuple]:
    """Where the leaves are; an empty list or mapping is one."""
    if isinstance(value, (dict, list)) and value:
        items = value.items() if isinstance(value, dict) else enumerate(value)
        return [place for k, v in items for place in leaves(v, (*path, k))]
    return [path]


def replaced(value: Any, path: tuple, leaf: Any) -> Any:
    if not path:
        return leaf
    changed = value.copy()
    changed[path[0]] = replaced(value[path[0]], path[1:], leaf)
    return changed


def at(value: Any, path: tuple) -> Any:
    return at(value[path[0]], path[1:]) if path else value


def same(a: Any, b: Any) -> bool:
    """Whether two leaves are one value: true is not 1, but 1.0 is."""
    numbers = all(type(x) in (int, float) for x in (a, b))
    return a == b if numbers else type(a) is type(b) and a == b


@given(PARAMS, RANDOM)
def test_a_key_depends_neither_on_the_order_of_keys_nor_on_the_form_of_numbers(params, random):
    assert key(rewritten(shuffled(params, random), random)) == key(params)


@given(PARAMS, st.data())
def test_every_leaf_counts(params, data):
    place = data.draw(st.sampled_from(leaves(params)))
    leaf = data.draw(LEAVES)
    assume(not same(at(params, place), leaf))
    assert key(replaced(params, place, leaf)) != key(params)


@given(st.lists(WHOLE, min_size=2, max_size=5), RANDOM)
def test_the_order_of_a_list_counts(values, random):
    other = random.sample(values, len(values))
    assert (key({"a": other}) == key({"a": values})) == (other == values)


@given(VALUES)
def test_canonical_json_is_read_back_as_it_was_and_written_the_same(value):
    text = canonical_json(value)
    assert json.loads(text) == value
    assert canonical_json(json.loads(text)) == text


CONFIGS = [TINY, CONFIG / "synthetic.yaml", CONFIG / "paper.yaml"]


def raw_config(path: Path) -> dict[str, Any]:
    return json.loads(json.dumps(read_yaml(path)))  # tasks share what has an anchor: take it apart


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
@settings(max_examples=10)
@given(random=RANDOM)
def test_a_config_in_another_order_and_form_says_the_same(path, random):
    raw = raw_config(path)
    assert resolve(rewritten(shuffled(raw, random), random)) == resolve(raw)


def planned(config: Config) -> tuple[set[str], dict[str, tuple[str, str]]]:
    """All keys, and those of what the stable paths show. Names are only labels."""
    plan = Plan(config, missing="unknown")
    views = {path: (entry.key, file) for path, (entry, file) in plan.views.items()}
    return {entry.key for entry in plan.entries.values()}, views


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_a_config_from_the_last_key_to_the_first_is_the_same_plan(path):
    raw = raw_config(path)
    assert planned(resolve(backwards(raw))) == planned(resolve(raw))


def backwards(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: backwards(v) for k, v in reversed(value.items())}
    return [backwards(v) for v in value] if isinstance(value, list) else value
