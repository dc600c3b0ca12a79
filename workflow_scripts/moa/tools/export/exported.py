"""What is exported: a policy, whole or as adapters, for one preference or for all."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moa.models.policies import ADAPTER
from moa.runtime.errors import JobError
from moa.tools.policies.described import Policy
from moa.tools.policies.preference import check_preference, example

BASE = "base"  # the subfolder that holds the base, where it is no model of the hub
ADAPTERS = "adapters"


@dataclass(frozen=True)
class Exported:
    """merged: one model with all adapters in its weights. w: of a merged model that is one per w, the one
    that it answers under; None where w is said with the prompt.
    """

    policy: Policy
    merged: bool
    w: list[float] | None

    @property
    def told(self) -> dict[str, Any]:
        return self.policy.told

    @property
    def is_soup(self) -> bool:
        """Whether each w has weights of its own, mixed of several adapters."""
        return self.told["merge"] is not None

    @property
    def hub_base(self) -> tuple[str, str] | None:
        """The base's id on the hub and its commit; None if it was made in the workflow or is a folder."""
        base = spec_of(self.policy.inputs["base"])["params"]["base"]
        return (base["model"], base["commit"]) if base.get("commit") else None

    @property
    def adapters(self) -> dict[str, Path]:
        """Name -> folder as PEFT saved it: `sft` first, then what the run trained on it."""
        roles = {"sft": self.policy.inputs["sft"], **self.policy.trained}
        return {role.rpartition("/")[2]: entry / ADAPTER for role, entry in roles.items()}


def what_to_export(policy: Policy, merged: bool, w: list[str] | None) -> Exported:
    """Raises: JobError if w is needed and not given, or given and not needed, or none of this policy's."""
    plan = Exported(policy, merged, None)
    if not plan.is_soup or not merged:
        if w is not None:
            why = "w is said with each prompt" if not plan.is_soup else "adapters serve every w"
            raise JobError(f"{policy.title}: {why}, so leave out --w")
        if plan.is_soup and policy.told["merge"] != "exact":
            raise JobError(
                f"{policy.title}: experts merged by {policy.told['merge']} are no sum of adapters, so "
                f"export one preference: --merged {example(policy.objectives)}"
            )
        return plan
    if w is None:
        raise JobError(
            f"{policy.title}: each w has weights of its own, so a merged model needs one, such as "
            f"{example(policy.objectives)}; without --merged all of them are exported"
        )
    found = check_preference(w, policy.objectives, policy.told["generation"]["decimals"])
    if not policy.told["conditioned"] and found not in policy.told["vectors"]:
        raise JobError(
            f"{policy.title}: single experts are not mixed, so w must have one weight of 1, the others 0"
        )
    return Exported(policy, merged, found)


def spec_of(entry: Path) -> dict[str, Any]:
    return json.loads((entry / "spec.json").read_text())
