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


def run_label(name: str, method: str) -> str:
    """The method's own name for its plain run; the run's name for a variant of it."""
    return METHOD_LABELS.get(method, method) if name == method else name
