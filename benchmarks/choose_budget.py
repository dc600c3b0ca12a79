"""The grid behind config/synthetic.yaml's budget: MO-ODPO alone, on train prompts, with seed 100.

    make run && python benchmarks/choose_budget.py 5e-4:10 1e-3:8

Each argument is learning_rate:epochs. Starts from seed 0's SFT policy in the store and prints what
docs/decisions.md lists; nothing is written. Two runs with equal arguments print the same.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import yaml

from moa.artefacts import Plan
from moa.config import resolve, task_sections
from moa.generation import clean_response, generate, sample_streams
from moa.metrics import control, hypervolume, mean_inner_product
from moa.oracles.base import load_oracles, score_all
from moa.policies import add_adapter, load_policy, load_tokenizer
from moa.preferences import build_prompt
from moa.store import is_published
from moa.tasks import read_stats
from moa.trainers.common import train
from moa.trainers.online import OnlineTrainer, training_rows

SEED, PROMPTS, TASK = 100, 150, "safety"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("budgets", nargs="+", help="learning_rate:epochs")
    parser.add_argument("--config", type=Path, default=Path("config/synthetic.yaml"))
    args = parser.parse_args()
    torch.set_num_threads(1)
    config = resolve(yaml.safe_load(args.config.read_text()))
    sections, folders = task_sections(config, TASK), {}
    for artefact in Plan(config).artefacts.values():
        if artefact.name in (TASK, f"{TASK}-s0") or artefact.stage == "base":
            folders[artefact.stage] = Path(config["store"]) / artefact.rel
    if not is_published(folders["sft"]):
        sys.exit(f"{folders['sft']} is not there: run `make run CONFIG={args.config}` first")
    for budget in args.budgets:
        rate, epochs = map(float, budget.split(":"))
        points = reward_points(config, sections, folders, rate, epochs)
        vectors = np.array(sections["evaluation_vectors"])
        print(
            f"{rate:g} x {epochs:g} epochs: control {control(vectors, points).round(2)}, "
            f"HV {hypervolume(points, [-1, -1]):.2f}, MIP {mean_inner_product(vectors, points):.2f}"
        )
        print("  " + " ".join(f"({a:.2f}, {b:.2f})" for a, b in points), flush=True)


def reward_points(config, sections, folders, rate, epochs):
    """Train MO-ODPO with one budget; mean normalised rewards per vector on train prompts: (M, K)."""
    objectives = sections["objectives"]
    online = next(r["online"] for r in sections["runs"] if r["method"] == "mo_odpo")
    tokenizer = load_tokenizer(folders["base"])
    data = pd.read_parquet(folders["data"] / "data.parquet").query("split == 'train'")
    mean, std = read_stats(folders["oracle_stats"], objectives)
    oracles = load_oracles(objectives, sections["oracles"], {})
    policy = load_policy(folders["base"], [folders["sft"]])
    with tempfile.TemporaryDirectory() as checkpoints:
        trainer = OnlineTrainer(
            add_adapter(policy, sections["policy"]["lora"], SEED),
            tokenizer,
            training_rows(
                data.to_dict("records"), objectives, tokenizer, online["max_prompt_tokens"]
            ),
            objectives,
            oracles,
            mean,
            std,
            {**online, "learning_rate": rate, "epochs": epochs},
            config["operation"],
            Path(checkpoints),
            SEED,
        )
        train(trainer, Path(checkpoints), "budget", 60)
    prompts = data.drop_duplicates("prompt_id")["prompt"].tolist()[:PROMPTS]
    length, points = online["max_new_tokens"], []
    for v, w in enumerate(sections["evaluation_vectors"]):
        texts = [build_prompt(x, objectives, w) for x in prompts]
        sampled = generate(
            trainer.model,
            [torch.tensor(ids) for ids in tokenizer(texts)["input_ids"]],
            sample_streams([(9, v, i) for i in range(len(prompts))], 1, length),
            max_new_tokens=length,
            temperature=sections["generation"]["temperature"],
            top_p=sections["generation"]["top_p"],
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
            batch_size=PROMPTS,
        )
        answers = [clean_response(one[0], tokenizer).text for one in sampled]
        points.append(((score_all(oracles, prompts, answers) - mean) / std).mean(axis=0))
    return np.array(points)


if __name__ == "__main__":
    main()
