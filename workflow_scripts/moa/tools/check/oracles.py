"""Whether each oracle prefers what its objective is about, and tells responses apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module

import numpy as np
import pandas as pd

from moa.oracles import module_name
from moa.oracles.base import Oracle, score_all
from moa.oracles.pairs import PAIRS, Pair
from moa.oracles.scale import RewardScale
from moa.runtime.checks import Check

MANY_TIES = 0.5  # a share of pairs that is worth knowing: a tie teaches nothing


def pairs_of(kind: str, objective: str, own: Mapping[str, Sequence[Pair]]) -> Sequence[Pair]:
    """The config's pairs for the objective, or the kind's, or the built-in ones of its name."""
    if objective in own:
        return own[objective]
    known = getattr(import_module(module_name(kind)), "known_pairs", None)
    return known(objective) if known else PAIRS.get(objective, [])


def check_sign(oracle: Oracle, pairs: Sequence[Pair], section: str = "oracles") -> Check:
    """Whether an oracle prefers the better responses of pairs of known order. section: of the task."""
    what = f"{oracle.objective}: sign"
    if not pairs:
        mend = f"list some under the task's pairs.{oracle.objective}"
        return Check(what, "no pairs of known order to try", "note", mend)
    better, worse = (
        score_all([oracle], [p.prompt for p in pairs], [getattr(p, side) for p in pairs])[:, 0]
        for side in ("better", "worse")
    )
    right, wrong = int((better > worse).sum()), int((better < worse).sum())
    found = f"{right} of {len(pairs)} pairs of known order are right"
    if right > wrong:
        return Check(what, found, "ok" if right == len(pairs) else "note")
    at = int(np.argmin(better - worse))
    return Check(
        what,
        f"{found}: to {pairs[at].prompt!r}, {pairs[at].better[:60]!r} scores {better[at]:.3g} and "
        f"{pairs[at].worse[:60]!r} {worse[at]:.3g}",
        "fails",
        f"A model whose lower output is better needs negate: true under {section}.{oracle.objective}; "
        "otherwise look at its template",
    )


def check_spread(offline: pd.DataFrame, scale: RewardScale, objective: str) -> list[Check]:
    """What normalises an objective's rewards, and how often the responses to a prompt tie.

    offline: rewards of the dataset's responses, with row, candidate and raw_<objective>.
    """
    own = scale.of(objective)
    raw = offline.pivot(index="row", columns="candidate", values=own.raw_columns[0])
    low, middle, high = np.quantile(offline[own.raw_columns[0]], [0.05, 0.5, 0.95])
    checks = [
        Check(
            f"{objective}: scale",
            f"mean {own.mean[0]:.3g}, std {own.std[0]:.3g}; 5 %, 50 %, 95 % of the dataset's responses: "
            f"{low:.3g}, {middle:.3g}, {high:.3g}",
        )
    ]
    both = raw.dropna()
    if raw.shape[1] < 2 or both.empty:
        return checks
    first, second = both.iloc[:, 0], both.iloc[:, 1]
    ties = float((first == second).mean())
    found = f"chosen above rejected {float((first > second).mean()):.0%}, ties {ties:.0%}"
    checks.append(
        Check(f"{objective}: the dataset's pairs", found, "note" if ties > MANY_TIES else "ok")
    )
    return checks
