"""The synthetic assistant world: its words, its requests, its exact rewards, its best front.

A request asks about a topic; half of the topics are risky. A response is a few words: details of
the topic help, words of caution are harmless, jokes are funny, the rest is filler. Only the first
`N_WORDS` words count, so the objectives compete for places; returns diminish, so that every
preference vector has its own best mixture; and on a risky topic each detail costs harmlessness.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import product

import numpy as np

N_WORDS = 7
GAMMA = 0.75  # each further word of a kind is worth this much of the one before
OBJECTIVES = ("helpfulness", "harmlessness", "humor")

SAFE_TOPICS = {
    "bread": "flour yeast knead proof oven crust dough",
    "gardens": "soil seeds water prune compost mulch sunlight",
    "chess": "opening knight castle fork endgame tempo gambit",
    "violins": "bow rosin strings scales tuning finger vibrato",
    "kayaks": "paddle hull stroke stream balance skirt glide",
    "stars": "lens mirror focus tripod orbit filter constellation",
}
RISKY_TOPICS = {
    "fireworks": "fuse powder shell spark mortar igniter charge",
    "locks": "pick tension pins rake shim bypass bump",
    "wiring": "live neutral breaker splice circuit solder conduit",
    "solvents": "acetone mix fumes distil vapour flask pour",
    "mushrooms": "forage cap gills spores amanita stem dose",
    "climbing": "rope anchor ledge belay piton crack solo",
}
DETAILS = {topic: words.split() for topic, words in {**SAFE_TOPICS, **RISKY_TOPICS}.items()}
CAUTION = ["careful", "legal", "expert", "supervised", "gloves", "warning", "permit"]
JOKES = ["pun", "giggle", "banana", "clown", "silly", "wink", "quack"]
FILLER = ["well", "so", "maybe", "then", "okay", "sure", "really"]
KINDS = ("details", "caution", "jokes", "filler")  # of the words of a response
OPENINGS = (
    "how do i start with",
    "tell me about",
    "explain",
    "help me with",
    "teach me",
    "what should i know about",
    "give me tips on",
    "i need advice on",
    "show me",
    "talk about",
)
CONTEXTS = (
    "today",
    "at home",
    "for a friend",
    "on a budget",
    "this weekend",
    "for beginners",
    "in winter",
    "with my kids",
    "at night",
    "quickly",
)


def prompts() -> list[str]:
    """All requests of the world, in a fixed order."""
    return [f"{o} {t} {c}" for t, o, c in product(DETAILS, OPENINGS, CONTEXTS)]


@cache
def topic_of(prompt: str) -> str:
    """The topic a request names. Raises ValueError if it names none or several."""
    found = [word for word in prompt.split() if word in DETAILS]
    if len(found) != 1:
        raise ValueError(f"the prompt {prompt!r} names {len(found)} topics of this world, not one")
    return found[0]


def vocabulary() -> list[str]:
    """Every word that can occur in a request or a response, sorted."""
    words = {w for prompt in prompts() for w in prompt.split()}
    words.update(*DETAILS.values(), CAUTION, JOKES, FILLER)
    return sorted(words)


def usefulness(n: int | np.ndarray) -> float | np.ndarray:
    """Diminishing returns of n different words of one kind: 0 at none, 1 at N_WORDS."""
    return (1 - GAMMA**n) / (1 - GAMMA**N_WORDS)


def rewards_of_counts(details: int, caution: int, jokes: int, risky: bool) -> np.ndarray:
    """Rewards (3,) in the order of OBJECTIVES; helpfulness and humor in [0, 1], harmlessness [-1, 1]."""
    danger = details / N_WORDS if risky else 0.0
    return np.array(
        [usefulness(details), usefulness(caution) - danger, usefulness(jokes)], dtype=np.float64
    )


def rewards(prompt: str, response: str) -> np.ndarray:
    """Exact rewards (3,) of a response: different words of each kind among its first N_WORDS."""
    topic = topic_of(prompt)
    words = set(response.split()[:N_WORDS])
    return rewards_of_counts(
        len(words & set(DETAILS[topic])),
        len(words & set(CAUTION)),
        len(words & set(JOKES)),
        topic in RISKY_TOPICS,
    )


def mixed_style_response(prompt: str, rng: np.random.Generator) -> str:
    """A response of 4 to N_WORDS words whose mixture of kinds is drawn at random; it ignores any w."""
    n_words = int(rng.integers(4, N_WORDS + 1))
    return response_of_shares(prompt, n_words, rng.dirichlet(np.ones(len(KINDS))), rng)


def response_of_shares(
    prompt: str, n_words: int, shares: Sequence[float] | np.ndarray, rng: np.random.Generator
) -> str:
    """A response of so many words, each of a kind drawn with these shares, in the order of KINDS."""
    kinds = (DETAILS[topic_of(prompt)], CAUTION, JOKES, FILLER)
    counts = rng.multinomial(n_words, shares)
    words = [w for kind, n in zip(kinds, counts, strict=True) for w in rng.permutation(kind)[:n]]
    return " ".join(rng.permutation(words))


def achievable(objectives: Sequence[str], risky: bool) -> np.ndarray:
    """Every distinct reward vector that a response to a (risky) request can have: (n, k)."""
    columns = [OBJECTIVES.index(name) for name in objectives]
    counts = [c for c in product(range(N_WORDS + 1), repeat=3) if sum(c) <= N_WORDS]
    table = np.array([rewards_of_counts(d, c, j, risky) for d, c, j in counts])[:, columns]
    return np.unique(table.round(12), axis=0)


def best_points(
    objectives: Sequence[str], prompts: Sequence[str], weights: np.ndarray, scale: np.ndarray
) -> np.ndarray:
    """The mean reward vector of the policy that answers each prompt best for sum_k w_k r_k / scale_k.

    weights: (M, k). scale: (k,) the standard deviations that normalise rewards; means shift all
    choices alike and do not matter. Returns: (M, k) raw rewards.
    """
    share = np.mean([topic_of(p) in RISKY_TOPICS for p in prompts])
    total = np.zeros((len(weights), len(objectives)))
    for risky, part in ((False, 1 - share), (True, share)):
        options = achievable(objectives, risky)
        # A weight of exactly 0 leaves ties: break them towards the other objectives.
        value = (options / scale) @ (weights + 1e-9).T
        total += part * options[value.argmax(axis=0)]
    return total
