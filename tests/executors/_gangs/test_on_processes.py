"""Gangs on plain processes: workers that are killed or frozen, ranks that lie, gangs side by side."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sparkml_track.errors import PreflightError
from sparkml_track.executors import Ended, Started, Work
from sparkml_track.executors._gangs.executor import GangExecutor
from sparkml_track.executors._resident.fleet import Fleet
from sparkml_track.executors._resident.launcher import LocalLauncher
from sparkml_track.executors._resident.slot import Limits
from sparkml_track.testing._executor_gangs import next_loss
from sparkml_track.testing.executors import attempt, events_until, outcomes
from sparkml_track.trial import State
from tests.clusters import alive, wait_until

pytestmark = pytest.mark.slow


@contextmanager
def opened(
    objective: Callable[[Any], object], slots: int = 2, gang: int = 2, limits: Limits = Limits()
) -> Iterator[tuple[GangExecutor, LocalLauncher]]:
    launcher = LocalLauncher(slots)
    fleet = Fleet(launcher, f"test-{os.urandom(4).hex()}", limits)
    executor = GangExecutor(Work(objective, gang=gang), fleet)
    try:
        yield executor, launcher
    finally:
        executor.close()


def waits(folder: Path) -> Callable[[Any], float]:
    """Both ranks of trial 0 leave their pids and wait."""
    marks = str(folder)

    def objective(trial: Any) -> float:
        import os
        import time
        from pathlib import Path

        if trial.number == 0:
            part = Path(marks, f"part.{trial.rank}")
            part.write_text(str(os.getpid()))
            part.rename(Path(marks, f"pid.{trial.rank}"))
            time.sleep(60)
        trial.barrier()
        return 1.0

    return objective


def pids(executor: GangExecutor, folder: Path) -> list[int]:
    files = [folder / f"pid.{rank}" for rank in range(2)]
    until = time.monotonic() + 30
    while not all(path.exists() for path in files):
        assert time.monotonic() < until
        executor.events(0.05)
    return [int(path.read_text()) for path in files]


@pytest.mark.parametrize(("number", "said"), [(signal.SIGKILL, "connection"), (signal.SIGSTOP, "no sign of life")])
def test_a_worker_that_is_gone_ends_all_ranks(number: int, said: str, tmp_path: Path) -> None:
    limits = Limits(silent=3.0)
    with opened(waits(tmp_path), limits=limits) as (executor, launcher):
        executor.submit(attempt(0))
        ranks = pids(executor, tmp_path)
        worker = launcher.pid(1)
        os.kill(worker, number)
        lost = next_loss(executor)
        assert lost.charged
        assert "rank " in lost.message
        assert said in lost.message
        executor.submit(attempt(1))
        assert outcomes(executor, 1)[1].state is State.FINISHED
    wait_until(lambda: not any(map(alive, [*ranks, worker])), 10)


def test_two_gangs_run_side_by_side_where_there_is_room() -> None:
    def objective(trial: Any) -> float:
        import time

        return time.sleep(0.5) or float(trial.world_size)

    with opened(objective, slots=5) as (executor, _):
        assert (executor.slots, executor.room) == (2, 2)
        executor.submit(*(attempt(number) for number in range(4)))
        assert executor.room <= 0
        events = events_until(executor, 4)
    ends = [at for at, event in enumerate(events) if isinstance(event, Ended)]
    starts = [at for at, event in enumerate(events) if isinstance(event, Started)]
    assert starts[1] < ends[0], "both were placed at once"


def test_a_rank_that_lies_ends_its_attempt_alone() -> None:
    """About where the gang meets, or about what it gives to the others; the next attempt is well."""

    def objective(trial: Any) -> float:
        import sys

        link = trial._link
        wire = sys.modules[type(trial).__module__.rpartition(".")[0].rpartition(".")[0] + ".wire.messages"]
        if trial.rank == 1 and trial.number == 0:
            link.send(wire.Gather(link.attempt, 7), b"of another round")
        if trial.rank == 1 and trial.number == 1:
            link.send(wire.Met(link.attempt, "nowhere", 1))
            link.send(wire.Gather("9.9.9", 1), b"of another attempt")
        trial.barrier()
        return 1.0

    with opened(objective) as (executor, _):
        executor.submit(*(attempt(number) for number in range(3)))
        ended = outcomes(executor, 3)
    assert (ended[0].state, ended[0].reason) == (State.FAILED, "result")
    assert "allowed is one in round 1" in ended[0].message
    assert [ended[n].state for n in (1, 2)] == [State.FINISHED] * 2, "its worker drops what is not for it to say"


def test_more_ranks_than_processes_are_refused_before_any_is_started() -> None:
    with pytest.raises(PreflightError, match="a gang of 3 needs 3 slots, has 2"), opened(lambda _: 1.0, gang=3):
        pass
