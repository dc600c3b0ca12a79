"""What a run still takes is told by similar jobs that are done, and by nothing else."""

import json
import time

import pytest

from moa.runtime.attempts import ATTEMPTS
from moa.runtime.files import timestamp
from moa.tools.durations import Durations, Left, left, left_note
from moa.tools.status import Status
from support.tiny_store import begin, locked, publish, tiny_plan

HEADER = "s\th:m:s\tmax_rss"


@pytest.fixture
def logs(store):
    return store.parent / "logs"


def take(store, seconds, *entries, starts=1):
    """Publish entries that took so long, in so many attempts."""
    publish(store, entries)
    for entry in entries:
        path = store / entry.rel / "manifest.json"
        attempts = [{"attempt": n + 1, "started": "2026-01-01T00:00:00Z"} for n in range(starts)]
        took = {"wall_seconds": seconds, "attempts": attempts}
        path.write_text(json.dumps({**json.loads(path.read_text()), **took}))


def find(plan, stage, name=""):
    return next(a for a in plan.entries.values() if a.stage == stage and a.name.startswith(name))


def before(store, plan, *entries, seconds=1.0):
    """Publish all that these are made from."""
    for entry in entries:
        for i in entry.inputs.values():
            before(store, plan, i, seconds=seconds)
            if not (store / i.rel).exists():
                take(store, seconds, i)


class Job:
    def __init__(self, rel, *reads):
        self.rel, self.reads = rel, reads


def of(*jobs, **seconds):
    return left(jobs, lambda job: job.reads, {job.rel: seconds.get(job.rel) for job in jobs})


def test_what_is_left_is_the_longest_chain_or_the_work_shared_among_those_at_once():
    a = Job("a")
    b, c = Job("b", a), Job("c", a)
    d = Job("d", b, c)
    rest = of(a, b, c, d, a=10, b=5, c=50, d=1)
    assert rest == Left(chain=61, work=66, unknown=0)
    assert [rest.seconds(n) for n in (1, 2, 64)] == [66, 61, 61]
    wide = of(*(Job(name) for name in "efgh"), e=10, f=10, g=10, h=10)
    assert [wide.seconds(n) for n in (1, 2, 4, 8)] == [40, 20, 10, 10]


def test_a_job_that_is_done_holds_nobody_up_and_one_of_unknown_length_is_counted():
    done = Job("done")
    a = Job("a", done)
    b = Job("b", a)
    assert of(a, b, a=3) == Left(chain=3, work=3, unknown=1)
    assert of() == Left(chain=0, work=0, unknown=0)


def test_people_are_told_about_how_long_or_the_least_of_it_or_nothing():
    rest = Left(chain=300, work=1200, unknown=0)
    assert left_note(rest, at_once=2) == "about 10m left"
    assert left_note(Left(300, 1200, 3), at_once=8) == "more than 5m left"
    assert left_note(Left(0, 0, 3), at_once=8) == left_note(Left(0, 0, 0)) == ""
    assert left_note(rest) == (
        "left: about 20m of jobs one after the other, 5m if all that can run at once do"
    )


def test_a_job_takes_as_long_as_the_most_similar_ones_did(store, logs):
    """Another seed is the same; another setting is nearer than two others."""
    known = tiny_plan(store, seeds=[0, 1, 2])
    trained = [find(known, "online", f"mi_epo-safety-s{seed}") for seed in range(3)]
    other = find(known, "online", "mo_odpo-safety-s0")
    before(store, known, *trained, other)
    for entry, seconds in zip(trained, (10.0, 60.0, 20.0), strict=True):
        take(store, seconds, entry)
    take(store, 500.0, other)
    plan = tiny_plan(store, seeds=[3])
    durations = Durations(plan, logs).look()
    assert durations.expected(find(plan, "online", "mi_epo")) == 20.0
    assert durations.expected(find(plan, "online", "mo_odpo")) == 500.0
    assert durations.expected(find(plan, "ric")) is None


def test_a_job_with_another_base_model_tells_nothing(store, logs):
    small = tiny_plan(store)
    entry = find(small, "online", "mi_epo")
    before(store, small, entry)
    take(store, 10.0, entry)
    policy = json.loads(json.dumps(small.config.tasks["safety"].policy.model_dump(mode="json")))
    policy["base"]["layers"] = 3
    large = tiny_plan(store, policy={k: policy[k] for k in ("base", "max_prompt_tokens", "lora")})
    durations = Durations(large, logs).look()
    assert durations.expected(find(large, "online", "mi_epo")) is None
    assert Durations(small, logs).look().expected(entry) == 10.0


def test_a_benchmark_knows_the_start_of_python_and_a_resumed_job_tells_nothing(store, logs):
    plan = tiny_plan(store, seeds=[0, 1])
    first, second = (find(plan, "sft", f"safety-s{seed}") for seed in (0, 1))
    before(store, plan, first, second)
    take(store, 10.0, first)
    (logs / "sft").mkdir(parents=True)
    (logs / f"{first.rel}.tsv").write_text(f"{HEADER}\n17.5\t0:00:17\t400\n")
    take(store, 1.0, second, starts=2)
    assert Durations(plan, logs).look().expected(second) == 17.5


def test_a_block_takes_what_its_parts_took_less_those_that_are_there(store, logs):
    plan = tiny_plan(store)
    done, todo = (plan.ends["safety", run, 0][0] for run in ("mo_odpo", "mi_epo"))
    before(store, plan, done, todo.inputs["generate"], seconds=4.0)
    take(store, 0.0, done)
    durations = Durations(plan, logs).look()
    assert durations.remaining(todo, 0.0) == 4 * 4.0
    take(store, 5.0, todo.inputs["generate"])
    assert durations.remaining(todo, 0.0) == 11.0
    assert durations.remaining(todo, 12.0) == 4.0  # of an attempt that made that part itself
    assert durations.remaining(todo, 99.0) == 0.0


def test_jobs_of_this_run_are_taken_in_as_they_end(store, logs):
    plan = tiny_plan(store, seeds=[0, 1])
    first, second = (find(plan, "sft", f"safety-s{seed}") for seed in (0, 1))
    before(store, plan, first, second)
    durations = Durations(plan, logs).look()
    assert durations.expected(second) is None
    take(store, 10.0, first)
    assert durations.look().expected(second) == 10.0


def test_of_a_running_job_only_the_rest_is_left(store, logs):
    plan = tiny_plan(store, seeds=[0, 1])
    first, second = (find(plan, "sft", f"safety-s{seed}") for seed in (0, 1))
    before(store, plan, first, second)
    take(store, 100.0, first)
    now = time.time()
    work = begin(store, second)
    started = {"attempt": 1, "started": timestamp(now - 70)}
    (work / ATTEMPTS).write_text(json.dumps(started) + "\n")
    with locked(work):
        rest = Status(plan, now).left(Durations(plan, logs), [second])
    assert rest.work == pytest.approx(30, abs=1.5)
    rest = Status(plan, now).left(Durations(plan, logs), [second])  # it was killed since
    assert rest.work == 100.0


def test_all_that_is_missing_is_left_and_nothing_else(store, logs):
    plan = tiny_plan(store)
    take(store, 2.0, *plan.entries.values())
    durations = Durations(plan, logs)
    assert Status(plan, 0.0).left(durations) == Left(0, 0, 0)
    receipt = plan.ends["safety", "mi_epo", 0][0]
    (store / receipt.inputs["score"].rel / "manifest.json").unlink()
    assert [job.rel for job in Status(plan, 0.0).unfinished()] == [receipt.rel]
