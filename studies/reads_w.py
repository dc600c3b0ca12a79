"""Whether a policy of packaged text reads w: how surely its responses begin as a refusal, along w.

    .venv/bin/python studies/reads_w.py [--config config/smollm2.yaml] [--task safety] [--adapter DIR]

Of the first seed's SFT policy, or of an adapter on its base: DIR is a checkpoint below results/work, so
that a run can be looked at while it trains. For 32 test prompts and weights of the last objective from 0 to
1, the mean probability that a response begins with the first two tokens of one of the data's refusals, and
the mean absolute difference between its ends over prompts. Nothing is sampled.
"""

import argparse
from pathlib import Path

import torch
from peft import PeftModel

from moa.datasets.packaged_text import refusals
from moa.datasets.splits import read_split
from moa.logprobs import tree_logprobs
from moa.models.policies import ADAPTER, load_policy, load_tokenizer
from moa.models.prompts import encode, split_prefix, truncate_prompt
from moa.preferences import build_prompt
from moa.workflow.plan import read_plan

PROMPTS, WEIGHTS = 32, (0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0)


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config", type=Path, default=Path("config/smollm2.yaml"))
    parser.add_argument("--task", default="safety")
    parser.add_argument("--adapter", type=Path)
    args = parser.parse_args()
    plan = read_plan(args.config)
    store, task = Path(plan.config.store), plan.config.tasks[args.task]
    name = f"{task.name}-s{plan.config.seeds[0]}"
    sft = next(a for a in plan.entries.values() if a.stage == "sft" and a.name == name)
    folder = {role: store / a.rel for role, a in sft.inputs.items()}
    tokenizer = load_tokenizer(folder["base"])
    adapter = args.adapter or store / sft.rel / ADAPTER
    model = PeftModel.from_pretrained(load_policy(folder["base"]), adapter).eval()
    # The seam merges nothing here: a response's first token holds the space before it.
    heads = {tuple(tokenizer(f" {text}")["input_ids"][:2]) for text in refusals()}
    beginnings = [torch.tensor(ids) for ids in sorted(heads)]
    objectives, limit = task.objectives, task.policy.max_prompt_tokens
    asked = [[1 - weight, weight] for weight in WEIGHTS]
    found = []
    for x in read_split(folder["data"], "test").drop_duplicates("prompt_id")["prompt"][:PROMPTS]:
        x = truncate_prompt(x, objectives, tokenizer, limit)
        texts = [build_prompt(x, objectives, w) for w in asked]
        prefix, conditions = split_prefix(encode(texts, tokenizer))
        logps = tree_logprobs(model, [prefix], [conditions], [beginnings])
        found.append(logps[0].double().exp().sum(dim=1))
    table = torch.stack(found)
    for weight, mean in zip(WEIGHTS, table.mean(dim=0), strict=True):
        print(f"{objectives[-1]} {weight:.2f}: {mean:.2f}")
    print(f"last against first, by prompt: {(table[:, -1] - table[:, 0]).abs().mean():.2f}")


if __name__ == "__main__":
    main()
