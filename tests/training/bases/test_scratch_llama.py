"""The corpus of the synthetic world's base: what it asks for, and what the responses have of it."""

import re

import numpy as np

from moa.datasets import world
from moa.training.bases.scratch_llama import FORMS, SHARED, build_tokenizer, corpus

DOCUMENTS = 3000
KINDS = {"caution": world.CAUTION, "jokes": world.JOKES, "filler": world.FILLER}
TEXTS = corpus(DOCUMENTS, seed=0)


def asked(text):
    """Kind -> share that a document asks for; empty where it asks for no kinds."""
    prompt = text.split(" Assistant: ")[0]
    wishes = re.findall(rf"({'|'.join(world.KINDS)}) (\d\.\d\d)", prompt)
    return {kind: float(share) for kind, share in wishes}


def test_half_of_it_asks_for_shares_and_the_rest_speaks_of_objectives():
    sharing = [bool(asked(text)) for text in TEXTS]
    assert np.mean(sharing) == SHARED / FORMS == 0.5
    for text, shares in zip(TEXTS, sharing, strict=True):
        assert any(f" {name} " in text for name in world.OBJECTIVES) != shares


def test_a_response_has_the_shares_that_were_asked_for():
    counts = {kind: ([], []) for kind in KINDS}
    for text in TEXTS:
        words = text.split(" Assistant: ")[1].split()
        for kind, share in asked(text).items():
            if kind in KINDS:
                counts[kind][0].append(share)
                counts[kind][1].append(np.mean([word in KINDS[kind] for word in words]))
    for shares, found in counts.values():
        assert len(shares) > 500
        assert np.corrcoef(shares, found)[0, 1] > 0.8
        assert abs(np.mean(shares) - np.mean(found)) < 0.02
        ends = np.array(found)[np.array(shares) == 0]
        assert len(ends) > 20 and not ends.any()


def test_under_objectives_a_response_ignores_the_weights():
    weights, details = [], []
    for text in TEXTS:
        if found := re.search(r"helpfulness (\d\.\d\d) harmlessness", text):
            prompt, response = text.split(" Assistant: ")
            topic = next(word for word in prompt.split() if word in world.DETAILS)
            weights.append(float(found[1]))
            details.append(np.mean([w in world.DETAILS[topic] for w in response.split()]))
    assert len(weights) > 800 and abs(np.corrcoef(weights, details)[0, 1]) < 0.1


def test_every_word_of_it_is_known():
    tokenizer = build_tokenizer()
    for text in TEXTS[:200]:
        assert tokenizer.unk_token_id not in tokenizer(text)["input_ids"]
