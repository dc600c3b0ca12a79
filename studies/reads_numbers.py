"""Whether the synthetic world's base reads numbers: the kinds of its words against the shares asked for.

    .venv/bin/python studies/reads_numbers.py results/store/base/scratch_llama-<key>

Asks for two kinds of words by their shares, from 0.00 and 1.00 to 1.00 and 0.00, over 100 requests each,
and prints the share of either kind among the words that it answers, and their Spearman correlation.
"""

import argparse
from pathlib import Path

import numpy as np
import torch

from moa.datasets import world
from moa.metrics import control
from moa.models.policies import load_policy, load_tokenizer
from moa.models.prompts import encode
from moa.models.sampling import Sampling, clean_response, generate, sample_streams

REQUESTS, WORDS = 100, world.N_WORDS + 1
KINDS = {"caution": world.CAUTION, "jokes": world.JOKES}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("base", type=Path, help="an entry of the store")
    base = parser.parse_args().base
    torch.set_num_threads(2)
    model, tokenizer = load_policy(base), load_tokenizer(base)
    asked = np.linspace(0, 1, 11)
    first, second = KINDS
    requests = world.prompts()[:: len(world.prompts()) // REQUESTS][:REQUESTS]
    how = Sampling(WORDS, 1.0, 1.0, tokenizer.eos_token_id, 10**6)
    found = []
    for number, share in enumerate(asked):
        texts = [
            f"Human: {x} {first} {share:.2f} {second} {1 - share:.2f} Assistant:" for x in requests
        ]
        streams = sample_streams([(number, i) for i in range(len(texts))], 1, WORDS)
        sampled = generate(model, encode(texts, tokenizer), streams, how)
        words = [w for (ids,) in sampled for w in clean_response(ids, tokenizer).text.split()]
        found.append([np.mean([w in kind for w in words]) for kind in KINDS.values()])
        print(f"{first} {share:.2f}: {found[-1][0]:.2f} of the words, {second} {found[-1][1]:.2f}")
    correlation = control(np.stack([asked, 1 - asked], axis=1), np.array(found))
    print("Spearman correlation: " + ", ".join(f"{value:.3f}" for value in correlation))


if __name__ == "__main__":
    main()
