"""The reference of configs is what the settings say now, and knows every key that they know."""

import json
from collections.abc import Iterator

from jsonschema import Draft202012Validator
from pydantic import BaseModel

from moa.tools.garbage import whole_configs
from moa.tools.reference import markdown, schema
from moa.workflow.explain import documented, models_in
from moa.workflow.inherit import read_config
from moa.workflow.schema import ConfigSettings
from support.paths import CONFIG, REPO


def every_model(model=ConfigSettings) -> Iterator[type[BaseModel]]:
    yield model
    for field in model.model_fields.values():
        for inner in models_in(field.annotation):
            yield from every_model(inner)


def test_both_files_are_current():
    assert (REPO / "docs/config.md").read_text() == markdown(), "run `make config-docs`"
    assert json.loads((CONFIG / "schema.json").read_text()) == schema(), "run `make config-docs`"


def test_every_key_is_explained_and_in_the_reference():
    text = markdown()
    for model in set(every_model()):
        for name, field in model.model_fields.items():
            assert documented(field)["about"].endswith("."), f"{model.__name__}.{name}"
            assert f"{name}` |" in text, f"{model.__name__}.{name}"


def test_the_schema_takes_every_config_and_refuses_an_unknown_key():
    """A config with what it extends: by itself it may say less than the schema asks for."""
    validator = Draft202012Validator(schema())
    for path in whole_configs(CONFIG):
        raw = read_config(path)
        assert not list(validator.iter_errors(raw)), path.name
        assert list(validator.iter_errors({**raw, "onlin": {}}))
        assert list(validator.iter_errors({**raw, "online": {"beta_w": -1}}))
        assert list(validator.iter_errors({**raw, "seeds": [2**32]}))
