"""How much there is to move at a scale: tokens and entropy of a response under the SFT policy.

    .venv/bin/python studies/entropy.py [--config config/synthetic.yaml] [--task safety]

Of the first seed's SFT policy, which has to be in the store: responses to 100 train prompts under equal
weights, at temperature 1, of as many tokens as the config allows; the entropy of every token's distribution
along them. Prints nats per token and per response; docs/scale_model.md lists them.
"""

import argparse
from pathlib import Path

import numpy as np
import torch

from moa.datasets.splits import read_split
from moa.models.policies import load_policy, load_tokenizer
from moa.models.prompts import encode
from moa.models.sampling import Sampling, generate, sample_streams
from moa.preferences import build_prompt, uniform
from moa.workflow.plan import read_plan

PROMPTS = 100


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config", type=Path, default=Path("config/synthetic.yaml"))
    parser.add_argument("--task", default="safety")
    args = parser.parse_args()
    plan = read_plan(args.config)
    task = plan.config.tasks[args.task]
    name = f"{task.name}-s{plan.config.seeds[0]}"
    sft = next(a for a in plan.entries.values() if a.stage == "sft" and a.name == name)
    folder = {role: Path(plan.config.store) / a.rel for role, a in sft.inputs.items()}
    model = load_policy(folder["base"], [Path(plan.config.store) / sft.rel])
    tokenizer = load_tokenizer(folder["base"])
    prompts = read_split(folder["data"], "train").drop_duplicates("prompt_id")["prompt"][:PROMPTS]
    equal = uniform(len(task.objectives))
    ids = encode([build_prompt(x, task.objectives, equal) for x in prompts], tokenizer)
    new = task.policy.max_new_tokens
    how = Sampling(new, 1.0, 1.0, tokenizer.eos_token_id, 10**6)
    answers = [
        one
        for (one,) in generate(
            model, ids, sample_streams([(7, i) for i in range(len(ids))], 1, new), how
        )
    ]
    nats = [entropies(model, prompt, answer) for prompt, answer in zip(ids, answers, strict=True)]
    tokens, response = np.mean([len(n) for n in nats]), np.mean([n.sum() for n in nats])
    print(f"{len(nats)} responses of {tokens:.1f} tokens, {new} at most")
    print(f"entropy: {response / tokens:.2f} nats per token, {response:.1f} per response")
    print()


@torch.no_grad()
def entropies(model, prompt: torch.Tensor, answer: torch.Tensor) -> np.ndarray:
    """Of the distribution that each token of an answer was drawn from, in nats."""
    row = torch.cat([prompt, answer])[None]
    logits = model(input_ids=row.to(model.device)).logits[0, len(prompt) - 1 : -1]
    logps = logits.double().log_softmax(dim=-1)
    return -(logps.exp() * logps).sum(dim=-1).cpu().numpy()


if __name__ == "__main__":
    main()
