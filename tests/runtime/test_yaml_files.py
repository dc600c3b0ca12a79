"""A key that stands twice in a YAML file is an error, with both places."""

import pytest
import yaml

from moa.runtime.errors import ConfigError
from moa.runtime.hub_lock import LockError, read_lock
from moa.runtime.yaml_files import read_yaml


def test_all_repeated_keys_are_told_with_both_lines(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("online: {epochs: 2}\nsft: {alpha: 1, 'alpha': 2}\n\nonline: {beta_c: 0.5}\n")
    with pytest.raises(ConfigError) as caught:
        read_yaml(path)
    alpha, online = str(caught.value).splitlines()
    assert alpha.startswith(f"{path}: the key 'alpha' stands in line 2 and again in line 2,")
    assert online.startswith(f"{path}: the key 'online' stands in line 1 and again in line 4,")


def test_a_key_beside_an_inherited_one_is_none_that_stands_twice(tmp_path):
    path = tmp_path / "mine.yaml"
    text = "a: &a {x: 1, y: 2}\nb: &b {<<: *a, y: 3}\nc: {<<: [*b, *a], x: 4}\nd: *b\n"
    path.write_text(text)
    found = read_yaml(path)
    assert found == yaml.safe_load(text) and found["c"] == {"x": 4, "y": 3}


def test_a_lock_in_which_a_key_stands_twice_is_one_message(tmp_path):
    path = tmp_path / "lock.yaml"
    path.write_text("model: {}\ndataset: {}\nmodel: {}\n")
    with pytest.raises(LockError, match=r"'model' stands in line 1 and again in line 3"):
        read_lock(path)
