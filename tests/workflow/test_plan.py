"""A plan is asked for by a config file: what is none is named, with the mend."""

import pytest

from moa.runtime.errors import ConfigError
from moa.workflow.plan import read_plan


@pytest.mark.parametrize(
    ("name", "said"), [("nope.yaml", "there is no such file"), ("", "it is a folder")]
)
def test_what_is_no_file_is_named(tmp_path, name, said):
    with pytest.raises(ConfigError, match=rf"{said}; name a config, such as config/synthetic"):
        read_plan(tmp_path / name)
