"""What is left of a LoRA change that is merged into bfloat16 weights, at the paper's learning rates.

    .venv/bin/python studies/merge_rounding.py

A bfloat16 weight w moves in steps of about |w|/256, so a change that is smaller than half a step is lost.
One linear layer of the size of normal weights (standard deviation 0.02) learns a random map with AdamW, a
cosine schedule and LoRA's usual initialisation; printed is how the merged weights differ from the old ones.
"""

import math

import torch

WIDTH, RANK, ALPHA, BATCH = 1024, 64, 128, 64
STD = 0.02  # of a trained 7B model's weights, about
RUNS = {  # steps: of 8,000 prompts in batches of 64
    "SFT, safety": (1e-6, 375),
    "SFT, assistants": (2e-5, 375),
    "online, assistants": (4e-5, 250),
    "online, safety": (1e-4, 250),
}


def learned_change(learning_rate: float, steps: int) -> torch.Tensor:
    """alpha/r B A after training, (WIDTH, WIDTH)."""
    target = torch.randn(WIDTH, WIDTH) * STD
    a, b = (
        torch.nn.Parameter(torch.empty(RANK, WIDTH)),
        torch.nn.Parameter(torch.zeros(WIDTH, RANK)),
    )
    torch.nn.init.kaiming_uniform_(a, a=math.sqrt(5))
    optimizer = torch.optim.AdamW([a, b], lr=learning_rate, weight_decay=0.0)
    warmup = steps // 10
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda i: (
            i / warmup
            if i < warmup
            else 0.5 * (1 + math.cos(math.pi * (i - warmup) / (steps - warmup)))
        ),
    )
    for _ in range(steps):
        x = torch.randn(BATCH, WIDTH)
        loss = -(x @ (ALPHA / RANK * b @ a).T * (x @ target.T)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return (ALPHA / RANK * b @ a).detach()


def main() -> None:
    torch.manual_seed(0)
    print("| stage | learning rate | change, std | entries that move | kept along it | cosine |")
    print("|---|---|---|---|---|---|")
    for stage, (learning_rate, steps) in RUNS.items():
        weights = (torch.randn(WIDTH, WIDTH) * STD).bfloat16()
        change = learned_change(learning_rate, steps)
        merged = (weights.float() + change).bfloat16().float() - weights.float()
        along = (merged * change).sum() / change.square().sum()
        cosine = along * change.norm() / merged.norm()
        print(
            f"| {stage} | {learning_rate:g} | {change.std():.1e} | {(merged != 0).float().mean():.0%} "
            f"| {along:.0%} | {cosine:.2f} |"
        )


if __name__ == "__main__":
    main()
