"""The base of every section's settings, and how jobs run (`operation`), which enters no key.

A room's `settings.py` says what a config may set there: types, limits and defaults, nothing that
computes. The text below a field is its explanation, and what `docs/config.md` and error messages show:
what it is; then, where there is one, a paragraph `Mend:` for a wrong value, and a paragraph `Paper:`
with what the paper says.
"""

from __future__ import annotations

import os
import re
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    AllowInfNan,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Strict,
)

from moa.runtime.own_files import BESIDE, from_here


def _whole(value: Any) -> Any:
    """32.0 is 32, whoever wrote it; 32.5, "32" and true are no whole numbers."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _unsigned(value: Any) -> Any:
    """-0.0 is 0, and has no key or name of its own."""
    return 0.0 if isinstance(value, float) and value == 0 else value


def _expanded(path: str) -> str:
    """A path with `~` and `$NAME` replaced, as a shell does; what cannot be is no folder's name.

    Raises: ValueError with the mend.
    """
    for name in re.findall(r"\$\{?(\w+)", path):
        if not os.environ.get(name):
            raise ValueError(f"the variable {name} is not set; set it, or write the path itself")
    found = os.path.expanduser(os.path.expandvars(path))
    if found.startswith("~"):
        raise ValueError("nobody here has that home; write the path itself")
    return found


Whole = Annotated[int, Strict(), BeforeValidator(_whole)]
Natural = Annotated[Whole, Field(ge=1)]
Seed = Annotated[Whole, Field(ge=0, le=2**32 - 1)]  # all that numpy's first generator takes
Number = Annotated[float, Strict(), AllowInfNan(False), BeforeValidator(_unsigned)]
Positive = Annotated[Number, Field(gt=0)]
Share = Annotated[Number, Field(ge=0, lt=1)]
Text = Annotated[str, Strict(), Field(min_length=1)]
Location = Annotated[Text, AfterValidator(_expanded)]  # a path, or the name of a hub repository
Flag = Annotated[bool, Strict()]
PINNED = "pinned in code"  # marks a path whose file the code refuses if it is another than it knows
PinnedPath = Annotated[Location, PINNED]
_OWN = (AfterValidator(_expanded), AfterValidator(from_here), BESIDE)  # a user's own file
OwnRows = Annotated[Text, Field(pattern=r"\.jsonl(\.gz|\.xz)?$"), *_OWN]
OwnFunction = Annotated[
    Text,
    Field(pattern=r"^(.+\.py|[A-Za-z_]\w*(\.[A-Za-z_]\w*)*):[A-Za-z_]\w*$"),
    *_OWN,
]
Placement = Literal["same_gpu", "second_gpu", "cpu_offload"]


class Settings(BaseModel):
    """A section: it refuses keys that it does not know, and does not change once it is made."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class KindSettings(Settings):
    """An entry whose `kind` names the file that implements it; each kind has keys of its own."""

    kind: Text
    """The name of a file of the room."""


class OperationSettings(Settings):
    """How jobs run. Enters no key, since it changes no result."""

    checkpoint_minutes: Positive = 10
    """Between checkpoints."""
    report_to: tuple[Literal["tensorboard", "wandb"], ...] = ()
    """Live trackers of transformers' Trainer, for example [tensorboard] or [wandb].

    Mend: choose among tensorboard and wandb, or leave it empty."""
    cache_gib: Positive = 4
    """Memory for the keys and values of responses that are decoded at once, in GiB; on a GPU at most
    three quarters of what is free."""
    processes: Natural = 1
    """Processes of a training job, one per GPU; batches have the same content for any number, and results
    agree to rounding (where LoRA's dropout is on, each process draws its own)."""
    oracle_placement: Placement = "same_gpu"
    """Where model oracles are while a policy is trained: same_gpu; second_gpu, one more GPU per process;
    cpu_offload, in host memory, and on the GPU only while they score."""
