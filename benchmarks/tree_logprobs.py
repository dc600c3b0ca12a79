"""Shared-prefix log-probabilities against one row per (condition, response), in one run.

    python benchmarks/tree_logprobs.py [MODEL_FOLDER]

Without a folder: a random Llama of SmolLM2-135M's shape. Prints seconds and ratios for the reference
pass (no gradient) and the policy pass (forward and backward) of one online step.
"""

import statistics
import sys
import time

import torch
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

from moa.logprobs import sequence_logprobs, tree_logprobs

PROMPTS, PREFIX, CONDITION, RESPONSE, REPEATS = 4, 200, 16, 48, 3


def main() -> None:
    torch.manual_seed(0)
    model = load(sys.argv[1] if len(sys.argv) > 1 else None).eval()

    def ids(n):
        return torch.randint(0, model.config.vocab_size, (n,))

    prefixes = [ids(PREFIX) for _ in range(PROMPTS)]
    conditions = [[ids(CONDITION) for _ in range(2)] for _ in range(PROMPTS)]
    responses = [[ids(RESPONSE) for _ in range(2)] for _ in range(PROMPTS)]
    rows = [
        torch.cat([prefixes[b], conditions[b][c], responses[b][r]])
        for b in range(PROMPTS)
        for c in range(2)
        for r in range(2)
    ]
    stacked = torch.stack(rows)
    completion = torch.zeros_like(stacked)
    completion[:, -RESPONSE:] = 1

    def plain():
        return sequence_logprobs(model, stacked, torch.ones_like(stacked), completion)

    def tree():
        return tree_logprobs(model, prefixes, conditions, responses)

    with torch.no_grad():
        difference = (plain() - tree().flatten()).abs().max().item()
    print(f"{PROMPTS} prompts, {PREFIX}+{CONDITION} prompt and {RESPONSE} response tokens,")
    print(f"{torch.get_num_threads()} threads; largest difference {difference:.1e} nats")
    for title, grad in (("reference pass", False), ("policy pass", True)):
        timed = {name: measure(f, model, grad) for name, f in (("plain", plain), ("tree", tree))}
        ratio = timed["tree"] / timed["plain"]
        print(
            f"{title}: plain {timed['plain']:.2f} s, tree {timed['tree']:.2f} s, ratio {ratio:.2f}"
        )


def load(folder):
    if folder:
        return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    shape = {"hidden_size": 576, "intermediate_size": 1536, "num_hidden_layers": 30}
    heads = {"num_attention_heads": 9, "num_key_value_heads": 3}
    return LlamaForCausalLM(
        LlamaConfig(vocab_size=49152, tie_word_embeddings=True, **shape, **heads)
    )


def measure(function, model, grad):
    """Median seconds of a call, with its backward pass if grad."""
    seconds = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        if grad:
            function().sum().backward()
            model.zero_grad()
        else:
            with torch.no_grad():
                function()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


if __name__ == "__main__":
    main()
