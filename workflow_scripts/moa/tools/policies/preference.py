"""What people say that they want: a preference vector, or none where there is nothing to choose."""

from __future__ import annotations

import math
from collections.abc import Sequence

from moa.runtime.errors import JobError
from moa.tools.policies.described import Policy


def check_preferences(policy: Policy, asked: Sequence[Sequence[str]]) -> list[list[float]]:
    """The vectors w to ask a policy under, from what was typed; of single experts, each one's own.

    Raises: JobError that names the objectives, for what is no preference vector of theirs, for none at all,
    and for experts that hear none.
    """
    if not policy.told["conditioned"]:
        if asked:
            raise JobError(
                f"{policy.title} is one policy per objective, and none of them hears w: leave out --w, and "
                f"the experts of {_listed(policy.objectives)} answer side by side"
            )
        return policy.told["vectors"]
    if not asked:
        raise JobError(f"say what is wanted, such as {example(policy.objectives)}")
    for w in asked:
        if len(w) == len(policy.objectives) + 1:
            raise JobError(
                f"w is {' '.join(w)}: {len(w)} numbers, but the policy has {len(w) - 1} objectives, "
                f"{_listed(policy.objectives)}. A prompt that is a number stands before --w"
            )
    decimals = policy.told["generation"]["decimals"]
    return [check_preference(w, policy.objectives, decimals) for w in asked]


def check_preference(
    w: Sequence[str | float], objectives: Sequence[str], decimals: int
) -> list[float]:
    """w as K numbers from 0 that sum to 1, to as many decimals as prompts have: 0.33 0.33 0.33 is one.

    Raises: JobError that names the objectives and what is wrong.
    """
    shown = f"w is {' '.join(map(str, w))}"
    if len(w) != len(objectives):
        raise JobError(
            f"{shown}: {len(w)} number{'s' * (len(w) != 1)}, but the policy has {len(objectives)} "
            f"objectives, {_listed(objectives)}, in this order; say {example(objectives)}"
        )
    try:
        numbers = [float(value) for value in w]
    except ValueError:
        raise JobError(f"{shown}: these are no numbers; say {example(objectives)}") from None
    for name, number in zip(objectives, numbers, strict=True):
        if not (math.isfinite(number) and number >= 0):
            raise JobError(f"{shown}: the weight of {name} is {number:g}, but must be 0 or more")
    total, room = sum(numbers), len(numbers) * 0.5 * 10**-decimals
    if abs(total - 1) > room + 1e-9:
        raise JobError(
            f"{shown}: the weights of {_listed(objectives)} sum to {total:g}, but must sum to 1; "
            f"say {example([*objectives], [n / total for n in numbers] if total > 0 else None)}"
        )
    return numbers


def example(objectives: Sequence[str], w: Sequence[float] | None = None) -> str:
    """How to say it."""
    numbers = w or [1 / len(objectives)] * len(objectives)
    return f"--w {' '.join(f'{n:.2f}' for n in numbers)} for {_listed(objectives)}"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)
