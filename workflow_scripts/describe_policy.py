"""Say all that is needed to ask a trained policy, in one place.

In:  base, sft, and what the run trained (policy, or expert/<objective>, or nothing); data, oracle_stats,
     oracle/<objective>; spec.params: what the run is (config, task, run, label, method, conditioned), how
     its policy is told w (conditioning, merge), and how it is asked (objectives, generation, vectors).
Out: <run>-s<seed>/policy.json, which the stable path leads to: all of these, a prompt with equal
     weights, RiC's goals, what normalises rewards, and the entries that it is made of.
"""

import json

from moa.models.goals import GOALS
from moa.oracles.scale import RewardScale
from moa.preferences import build_prompt, uniform
from moa.runtime.files import write_json
from moa.runtime.job import run
from moa.runtime.publishing import Job


def main(job: Job) -> None:
    p, objectives = job.params, job.params["objectives"]
    scale = RewardScale.read(job.inputs["oracle_stats"], objectives)
    goals = job.inputs.get("policy", job.out) / GOALS
    folder = job.out / f"{p['run']}-s{job.seed}"
    folder.mkdir()
    write_json(
        folder / "policy.json",
        {
            **p,
            "seed": job.seed,
            "prompt": build_prompt(
                "{x}", objectives, uniform(len(objectives)), p["generation"]["decimals"]
            ),
            "goals": json.loads(goals.read_text()) if goals.exists() else None,
            "normalisation": {"mean": scale.mean.tolist(), "std": scale.std.tolist()},
            "entries": job.spec["inputs"],
        },
    )


if __name__ == "__main__":
    run(main, __doc__)
