"""What GPUs can do at most, by their makers: config/gpus.yaml."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from moa.runtime.errors import ConfigError
from moa.runtime.yaml_files import read_yaml
from moa.workflow.config import CONFIG_FOLDER

CARDS = CONFIG_FOLDER / "gpus.yaml"
PAPERS = "A100"


@dataclass(frozen=True)
class Card:
    """flops: peak of dense bfloat16 products per second. bandwidth: bytes of its memory per second."""

    name: str
    flops: float
    bandwidth: float


@cache
def cards() -> dict[str, Card]:
    """All that are written down, by name."""
    return {
        name: Card(name, entry["tflops"] * 1e12, entry["gb_per_s"] * 1e9)
        for name, entry in read_yaml(CARDS).items()
    }


def card_of(name: str) -> Card:
    """A card by its name.

    Raises: ConfigError if it is not in the table.
    """
    if name not in cards():
        raise ConfigError(
            f"config/{CARDS.name} has no {name!r}, but {', '.join(cards())}: take one of these, or add it "
            "from its data sheet"
        )
    return cards()[name]
