"""Base models: one file per kind. `kind: some_name` means `moa/training/bases/some_name.py`.

A kind offers `build(settings, inputs, out)`, which leaves a folder that `from_pretrained` loads: model,
configuration and tokenizer, with a pad token distinct from EOS. settings: the kind's class of
`moa/training/bases/settings.py`. A kind with `READS_DATA = True` gets the task's data as an input, and
`objectives` among its settings.
"""

from __future__ import annotations


def module_name(kind: str) -> str:
    """The module that implements a kind."""
    return f"moa.training.bases.{kind}"
