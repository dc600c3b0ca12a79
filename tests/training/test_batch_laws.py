"""Laws of batches: whatever the number of processes, every step has the same rows, and each row one."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from moa.runtime.errors import JobError
from moa.training.batches import Batches

# Rows of a micro-batch, micro-batches of a process in a step, processes.
STEPS = st.tuples(st.integers(1, 5), st.integers(1, 3), st.integers(1, 4))


def steps_of(n_rows: int, batch_size: int, parts: list[Batches]) -> list[list[int]]:
    """The rows of every step, taken from the micro-batches of all processes."""
    pieces = [list(part) for part in parts]
    assert {len(found) for found in pieces} == {len(part) for part in parts}, "some would wait"
    at, steps = 0, []
    while at < len(pieces[0]):
        wanted = min(batch_size, n_rows - batch_size * len(steps))
        shares: list[list[int]] = [[] for _ in parts]
        while sum(map(len, shares)) < wanted:
            for share, found in zip(shares, pieces, strict=True):
                assert found[at], "a micro-batch is empty"
                share += found[at]
            at += 1
        steps.append([row for share in shares for row in share])
    return steps


@given(st.integers(1, 70), STEPS, st.integers(0, 99), st.integers(0, 3))
def test_all_numbers_of_processes_share_the_same_steps(n_rows, sizes, seed, epoch):
    micro, accumulated, world = sizes
    batch_size = micro * accumulated * world
    left = n_rows % batch_size
    assume(not 0 < left < world)

    def parts(micro: int, world: int) -> list[Batches]:
        made = [Batches(n_rows, batch_size, micro, seed, rank, world) for rank in range(world)]
        for part in made:
            part.set_epoch(epoch)
        return made

    shared, alone = parts(micro, world), parts(batch_size, 1)
    steps = steps_of(n_rows, batch_size, shared)
    assert steps == steps_of(n_rows, batch_size, alone)
    assert [len(step) for step in steps] == [
        min(batch_size, n_rows - start) for start in range(0, n_rows, batch_size)
    ]
    assert sorted(row for step in steps for row in step) == list(range(n_rows))
    # The last step may have two rows to a micro-batch of one: too few rows for one more of each process.
    most = max(micro, 2) if left else micro
    assert max(len(piece) for part in shared for piece in part) <= most


@given(STEPS, st.integers(0, 3), st.data())
def test_a_last_step_that_processes_cannot_share_is_refused(sizes, full, data):
    micro, accumulated, world = sizes
    assume(world > 1)
    batch_size = micro * accumulated * world
    n_rows = full * batch_size + data.draw(st.integers(1, world - 1))
    with pytest.raises(JobError, match="use fewer processes"):
        Batches(n_rows, batch_size, micro, 0, 0, world)
