"""Names of methods as people write them."""

from __future__ import annotations

METHOD_LABELS = {
    "sft": "SFT",
    "rlhf": "RLHF (single reward)",
    "rewarded_soups": "Rewarded Soups",
    "ric": "RiC",
    "mo_odpo_scalarised": "MO-ODPO (scalarised)",
    "mo_odpo": "MO-ODPO",
    "mi_epo": "MI-EPO",
}


SWEPT = "beta_w_"


def run_label(name: str) -> str:
    """The method's name for a run that is named as one (the config checks it is); else its own.

    A run of a sweep, `beta_w_0_003`, is "beta_w = 0.003".
    """
    if name.startswith(SWEPT):
        return f"beta_w = {name.removeprefix(SWEPT).replace('_', '.')}"
    return METHOD_LABELS.get(name, name)
