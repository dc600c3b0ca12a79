"""What the heads of each objective are fitted on."""

from moa.oracles.fitting.assistant import harmlessness, helpfulness
from moa.oracles.fitting.humor import humor

LABELS = {"helpfulness": helpfulness, "harmlessness": harmlessness, "humor": humor}
