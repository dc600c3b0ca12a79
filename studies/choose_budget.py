"""The trials behind config/synthetic.yaml's budgets: one method, seeds of its own, train prompts.

    make setup && .venv/bin/python studies/choose_budget.py mo_odpo learning_rate=1e-3,epochs=8 ...

Each further argument is one budget: overrides of the method's section. Trains it through the workflow
with seeds that are not reported, asks the policy for every evaluation vector on 150 *train* prompts,
and prints what docs/protocol.md lists, each seed and the mean. Test prompts are not touched.
"""

import argparse
import copy
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch
import yaml

from moa.datasets.splits import read_split
from moa.metrics import control, hypervolume, mean_inner_product
from moa.models.conditioning import load_conditioned
from moa.models.policies import load_tokenizer
from moa.models.prompts import encode
from moa.models.sampling import Sampling, clean_response, generate, sample_streams
from moa.models.settings import GenerationStage
from moa.oracles.base import load_oracles, score_all
from moa.oracles.scale import RewardScale
from moa.runtime.settings import OperationSettings
from moa.workflow.config import resolve
from moa.workflow.inherit import read_config
from moa.workflow.plan import Plan

PROMPTS = 150


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("method")
    parser.add_argument("budgets", nargs="+", help="key=value,key=value of the method's section")
    parser.add_argument("--config", type=Path, default=Path("config/synthetic.yaml"))
    parser.add_argument("--task", default="safety")
    parser.add_argument("--seeds", type=int, nargs="+", default=[100, 101])
    parser.add_argument("--cores", default="1")
    args = parser.parse_args()
    torch.set_num_threads(1)
    raw = read_config(args.config)
    raw |= {
        "seeds": args.seeds,
        "generation": {**raw.get("generation", {}), "vectors_per_job": None},
        "tasks": {args.task: {**raw["tasks"][args.task], "beta_w_sweep": []}},
    }
    raw["runs"] = [
        {"name": f"budget{i}", "method": args.method, "overrides": overrides(budget)}
        for i, budget in enumerate(args.budgets)
    ]
    plan = Plan(resolve(copy.deepcopy(raw)))
    found = {a.name: a for a in plan.entries.values() if a.stage == "generate"}
    train(raw, [a for g in found.values() for a in g.inputs.values()], plan, args.cores)
    store = Path(plan.config.store)
    for i, budget in enumerate(args.budgets):
        print(f"{args.method} {budget}")
        results = []
        for seed in args.seeds:
            entry = found[f"budget{i}-{args.task}-s{seed}"]
            vectors = np.array(entry.spec["params"]["vectors"])
            points = reward_points(store, entry)
            volume = hypervolume(points, [-1] * vectors.shape[1])
            results.append([*control(vectors, points), volume, mean_inner_product(vectors, points)])
            shown = " ".join("(" + ", ".join(f"{v:.2f}" for v in p) + ")" for p in points)
            print(f"  seed {seed}: {summary(results[-1])}\n    {shown}")
        print(f"  mean: {summary(np.mean(results, axis=0))}", flush=True)


def summary(result) -> str:
    """Control per objective, HV and MIP in words."""
    *controls, volume, mip = result
    return f"control {', '.join(f'{c:.2f}' for c in controls)}, HV {volume:.2f}, MIP {mip:.2f}"


def overrides(budget: str) -> dict:
    """`learning_rate=5e-4,epochs=10` as a dictionary; values as in YAML, numbers as numbers."""
    pairs = [item.split("=") for item in budget.split(",")]
    number = {key: value.replace(".", "", 1).replace("e-", "", 1).isdigit() for key, value in pairs}
    return {k: float(v) if number[k] and not v.isdigit() else yaml.safe_load(v) for k, v in pairs}


def train(raw: dict, needed: list, plan: Plan, cores: str) -> None:
    """Have the workflow make the entries that the responses need."""
    config = Path("results/work/budget.yaml")
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text(yaml.safe_dump(raw))
    command = [sys.executable, "-m", "snakemake", "--profile", "profiles/local", "--cores", cores]
    command += ["--configfile", str(config), "--quiet", "all", "--"]
    targets = sorted({f"{plan.config.store}/{a.rel}/manifest.json" for a in needed})
    subprocess.run([*command, *targets], check=True, stdout=sys.stderr)


def reward_points(store: Path, entry) -> np.ndarray:
    """Mean normalised rewards of a policy on train prompts, per vector: (M, K)."""
    params = entry.spec["params"]
    inputs = {role: store / a.rel for role, a in entry.inputs.items()}
    settings = GenerationStage.model_validate(params["generation"])
    objectives = params["objectives"]
    policy = load_conditioned(inputs, params)
    tokenizer = load_tokenizer(inputs["base"])
    data = read_split(inputs["data"], "train")
    prompts = data.drop_duplicates("prompt_id")["prompt"].tolist()[:PROMPTS]
    trained = next(a for role, a in entry.inputs.items() if role.startswith(("policy", "exp")))
    scale = RewardScale.read(store / trained.inputs["oracle_stats"].rel, objectives)
    specs = trained.spec["params"]["oracles"]
    oracles = load_oracles(
        objectives, {o: specs.get(o, next(iter(specs.values()))) for o in objectives}, {}
    )
    points = []
    for v, w in enumerate(params["vectors"]):
        sampled = generate(
            policy.at(w),
            encode([policy.prompt(x, w) for x in prompts], tokenizer),
            sample_streams([(9, v, i) for i in range(len(prompts))], 1, settings.max_new_tokens),
            Sampling.of(settings, tokenizer, policy.at(w), OperationSettings().cache_gib),
        )
        answers = [clean_response(one[0], tokenizer).text for one in sampled]
        points.append(scale.normalise(score_all(oracles, prompts, answers)).mean(axis=0))
    return np.array(points)


if __name__ == "__main__":
    main()
