"""What the heads of each objective are fitted on."""

from moa.oracles.fitting.assistant import harmlessness, helpfulness
from moa.oracles.fitting.humor import humor
from moa.oracles.fitting.labels import Labels

LABELS = {"helpfulness": helpfulness, "harmlessness": harmlessness, "humor": humor}


def labels_of(objective: str, archive: str) -> Labels:
    """archive: LLaMA-Factory's distribution. Raises: ValueError if there are no labels of the objective."""
    if objective not in LABELS:
        raise ValueError(f"no labels for {objective!r}: choose among {', '.join(LABELS)}")
    return LABELS[objective](archive)
