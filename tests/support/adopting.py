"""What the tests of adopting share."""

from moa.runtime.publishing import is_published
from moa.tools.adopt import adopt, survey

WHY = 'only a log line: it says "step", not "batch"'
TRAINER = "train_sft.py"  # at the start of every chain, and imported by nothing


def found(plan, store):
    return survey(plan.entries.values(), store)


def adopt_all(plan, store, why=WHY):
    adoptions = found(plan, store).adoptions
    for adoption in adoptions:
        adopt(adoption, store, why)
    return adoptions


def one(plan, stage, name=""):
    return next(a for a in plan.entries.values() if a.stage == stage and a.name.startswith(name))


def missing(plan, store):
    return {a.rel for a in plan.entries.values() if not is_published(store / a.rel)}


def stages(entries):
    return {entry.stage for entry in entries}
