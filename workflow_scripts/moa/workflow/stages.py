"""The stages of the workflow, in the order in which data flows: one table.

The DAG, keys, cluster resources, status and estimates derive from it; a test holds the rules and both
profiles against it. A stage's rule has the name of its script; a part of another stage has none.
"""

from __future__ import annotations

from dataclasses import dataclass

MODELS = ("torch", "transformers", "peft", "numpy")  # numpy draws every stream of random numbers
TRAINERS = (*MODELS, "accelerate", "trl")


@dataclass(frozen=True)
class Stage:
    """script: of workflow_scripts/. label: for people. libraries: those whose versions enter its keys.

    gpu: it runs a model. trains: it may have several processes, and leaves an adapter. with_oracles: it
    asks oracles while it trains. told: where its spec's params say what it is told of prompts and sampling.
    remade: seconds on any machine, so that it is always made again and never adopted.
    parts: stages whose entries its job makes in turn; its own entry is the receipt that they are there.
    """

    script: str
    label: str
    libraries: tuple[str, ...] = ()
    gpu: bool = False
    trains: bool = False
    with_oracles: bool = False
    told: str = "settings"
    remade: bool = False
    parts: tuple[str, ...] = ()


STAGES: dict[str, Stage] = {
    "data": Stage("prepare_data", "data", ("datasets", "numpy")),
    "base": Stage("build_base", "base", (*MODELS, "accelerate")),
    "answers": Stage("answer_prompts", "answers", MODELS, gpu=True, told="answers"),
    "oracle": Stage("fit_oracle", "oracle"),
    "oracle_stats": Stage("score_offline", "scoring", gpu=True),
    "sft": Stage("train_sft", "SFT", TRAINERS, gpu=True, trains=True),
    "online": Stage(
        "train_online", "online", (*MODELS, "accelerate"), gpu=True, trains=True, with_oracles=True
    ),
    "expert": Stage(
        "train_expert",
        "RLOO",
        TRAINERS,
        gpu=True,
        trains=True,
        with_oracles=True,
    ),
    "ric": Stage(
        "train_ric",
        "RiC",
        TRAINERS,
        gpu=True,
        trains=True,
        with_oracles=True,
    ),
    "responses": Stage("read_responses", "responses"),
    "generate": Stage("generate_responses", "generate", MODELS, gpu=True, told="generation"),
    "likelihoods": Stage("compute_likelihoods", "likelihoods", MODELS, gpu=True, told="generation"),
    "reference": Stage("compute_reference", "reference", MODELS, gpu=True, told="generation"),
    "score": Stage("score_responses", "scoring", gpu=True),
    "evaluate": Stage(
        "evaluate_block",
        "evaluate",
        gpu=True,
        parts=("generate", "likelihoods", "reference", "score"),
    ),
    "policy": Stage("describe_policy", "policy", remade=True),
    "metrics": Stage("compute_metrics", "metrics", ("pymoo", "numpy", "scipy"), remade=True),
    "figure": Stage("draw_figure", "figure", ("matplotlib", "seaborn"), remade=True),
    "table": Stage("write_tables", "table", remade=True),
    "explorer": Stage("write_explorer", "explorer", remade=True),
}
PARTS = {part for stage in STAGES.values() for part in stage.parts}  # made by another stage's job
