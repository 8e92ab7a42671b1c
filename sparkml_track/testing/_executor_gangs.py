"""What every executor with gangs must do: attempts of several processes that run at one time, and have one end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sparkml_track.errors import SetupError
from sparkml_track.executors import Ended, Executor, Lost, Reported, SlotsChanged, Started, Work
from sparkml_track.testing._attempts import attempt, events_until, outcomes
from sparkml_track.testing._executor_payloads import PayloadsCase
from sparkml_track.trial import State

__all__ = ["GangsCase", "RanksCase", "next_loss"]


def next_loss(executor: Executor, seconds: float = 30.0) -> Lost:
    """Waits for an attempt to be lost, answering every report with "go on"."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for event in executor.events(0.5):
            if isinstance(event, Reported):
                executor.answer(event.attempt, event.index, stop=False)
            if isinstance(event, Lost):
                return event
            assert not isinstance(event, Ended), event
    raise AssertionError(f"no attempt was lost within {seconds} s")


class RanksCase(PayloadsCase):
    """What all executors must do, with gangs or without; mixed into ``ExecutorCase``."""

    @contextmanager
    def ganged(self, objective: Callable[..., object], **fields: object) -> Iterator[Executor]:
        """Opens an executor whose attempts have two ranks; skips where there are no gangs."""
        with self.opened(lambda _: 1.0) as alone:
            able = alone.capabilities.gangs
        if not able:
            pytest.skip("attempts are of one process")
        with self.opened(objective, gang=2, **fields) as executor:
            yield executor

    def test_gangs_are_refused_by_name_where_there_are_none(self) -> None:
        """With what has them."""
        with self.opened(lambda _: 1.0) as alone:
            able, name = alone.capabilities.gangs, alone.name
        if not able:
            with pytest.raises(SetupError, match=rf"executor '{name}' .* not gangs of 2; take executor='resident'"):
                self.open(Work(lambda _: 1.0, gang=2))

    def test_an_attempt_of_one_process_is_a_gang_of_one(self) -> None:
        """Rank 0 of a world of 1, which has nobody to wait for."""

        def objective(trial: object) -> dict[str, float]:
            trial.barrier()  # type: ignore[attr-defined]
            given = trial.all_gather({"x": [trial.rank]})  # type: ignore[attr-defined]
            return {"loss": float(given == [{"x": [0]}]), "world": trial.world_size}  # type: ignore[attr-defined]

        with self.opened(objective) as executor:
            executor.submit(attempt(0))
            assert outcomes(executor, 1)[0].metrics == {"loss": 1.0, "world": 1.0}

    def test_ranks_find_each_other_and_the_first_speaks_for_all(self) -> None:
        """Its value, its reports and its payload count; each rank has the environment that torchrun sets."""

        def objective(trial: object) -> object:
            import os

            names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "GROUP_RANK", "MASTER_ADDR", "MASTER_PORT")
            mine = {name: os.environ[name] for name in names}
            trial.report({"loss": 10.0 + trial.rank}, step=trial.rank)  # type: ignore[attr-defined]
            trial.give(f"rank {trial.rank}".encode())  # type: ignore[attr-defined]
            found = trial.all_gather((trial.rank, os.getpid(), mine))  # type: ignore[attr-defined]
            assert [rank for rank, _, _ in found] == [0, 1]
            assert len({pid for _, pid, _ in found}) == 2
            assert [env["RANK"] for _, _, env in found] == ["0", "1"]
            assert {env["WORLD_SIZE"] for _, _, env in found} == {"2"}
            assert len({(env["MASTER_ADDR"], env["MASTER_PORT"]) for _, _, env in found}) == 1
            assert len({(env["GROUP_RANK"], env["LOCAL_RANK"]) for _, _, env in found}) == 2
            return float(trial.world_size) if trial.rank == 0 else None  # type: ignore[attr-defined]

        with self.ganged(objective) as executor:
            for number in range(3):
                executor.submit(attempt(number))
            events = events_until(executor, 3)
        ended = {event.attempt: event.outcome for event in events if isinstance(event, Ended)}
        assert sorted(ended) == ["0.0.1", "1.0.1", "2.0.1"]
        for outcome in ended.values():
            assert (outcome.state, outcome.metrics, outcome.payload) == (State.FINISHED, {"loss": 2.0}, b"rank 0"), (
                outcome
            )
        reports = [
            (event.attempt, event.report.metrics, event.report.step) for event in events if isinstance(event, Reported)
        ]
        assert sorted(reports) == [(name, {"loss": 10.0}, 0) for name in sorted(ended)]
        started = [event.attempt for event in events if isinstance(event, Started)]
        assert sorted(started) == sorted(ended), "once each"


class GangsCase(RanksCase):
    """What those with gangs must do beside that; to be mixed in with ``ExecutorCase``."""

    def test_the_environment_of_a_gang_is_gone_with_its_attempt(self) -> None:
        """Ranks are new processes, so libraries that connect them find no earlier connection."""

        def objective(trial: object) -> float:
            import builtins
            import os

            seen = hasattr(builtins, "connected")
            builtins.connected = os.environ["MASTER_PORT"]  # type: ignore[attr-defined]
            trial.barrier()  # type: ignore[attr-defined]
            return float(seen)

        with self.ganged(objective, parallelism=2) as executor:
            for number in range(3):
                executor.submit(attempt(number))
            ended = outcomes(executor, 3)
        assert [ended[n].metrics for n in range(3)] == [{"loss": 0.0}] * 3

    def test_an_all_reduce_of_numpy_gives_all_ranks_the_sum(self) -> None:
        """Arrays are copies; many rounds keep their order."""

        def objective(trial: object) -> float:
            import numpy

            weights = numpy.zeros(100)
            for step in range(30):
                gradient = numpy.full(100, float(trial.rank + step))  # type: ignore[attr-defined]
                weights += sum(trial.all_gather(gradient))  # type: ignore[attr-defined]
            return float(weights.sum())

        with self.ganged(objective) as executor:
            executor.submit(attempt(0))
            outcome = outcomes(executor, 1)[0]
        assert outcome.metrics == {"loss": 100.0 * sum(2 * step + 1 for step in range(30))}, outcome.message

    def test_what_is_too_large_to_exchange_is_refused_where_it_is_given(self) -> None:
        """With the limit and the way out."""

        def objective(trial: object) -> float:
            trial.all_gather(bytes(1 << 20))  # type: ignore[attr-defined]
            trial.all_gather(bytes(3 << 20))  # type: ignore[attr-defined]
            return 1.0

        with self.ganged(objective) as executor:
            executor.submit(attempt(0))
            outcome = outcomes(executor, 1)[0]
        assert (outcome.state, outcome.reason) == (State.FAILED, "exception")
        assert "allowed are 2,097,152 in a gang of 2" in outcome.message

    @pytest.mark.parametrize("rank", [0, 1])
    def test_a_rank_that_raises_fails_the_attempt_and_ends_the_other(self, rank: int) -> None:
        """Which is named, also where the other one fails for it; the next attempt is well."""

        def objective(trial: object) -> float:
            if trial.number == 0:  # type: ignore[attr-defined]
                if trial.rank == rank:  # type: ignore[attr-defined]
                    raise KeyError("what went wrong")
                trial.barrier()  # type: ignore[attr-defined]
            return 1.0

        with self.ganged(objective, parallelism=2) as executor:
            executor.submit(attempt(0), attempt(1))
            ended = outcomes(executor, 2)
        assert (ended[0].state, ended[0].reason) == (State.FAILED, "exception")
        assert "what went wrong" in ended[0].message
        assert ended[0].message.startswith("rank 1: ") == (rank == 1)
        assert ended[1].state is State.FINISHED

    def test_a_rank_that_dies_is_a_loss_of_the_attempt(self) -> None:
        """Charged; the other one is ended, though it hangs, and a further attempt finds the slots free."""

        def objective(trial: object) -> float:
            import os
            import time

            if trial.number == 0:  # type: ignore[attr-defined]
                if trial.rank == 1:  # type: ignore[attr-defined]
                    print("last words", flush=True)  # noqa: T201
                    os.kill(os.getpid(), 9)
                time.sleep(60)
            return 1.0

        with self.ganged(objective, parallelism=2) as executor:
            executor.submit(attempt(0))
            lost = next_loss(executor)
            executor.submit(attempt(1))
            ended = outcomes(executor, 1)
        assert (lost.attempt, lost.charged) == ("0.0.1", True)
        assert "rank 1" in lost.message
        assert "SIGKILL" in lost.message
        assert "last words" in lost.message
        assert ended[1].state is State.FINISHED

    def test_a_timeout_ends_all_ranks(self) -> None:
        """Whatever they hang in."""

        def objective(trial: object) -> float:
            import time

            if trial.number == 0:  # type: ignore[attr-defined]
                time.sleep(60) if trial.rank else trial.barrier()  # type: ignore[attr-defined]
            return 1.0

        with self.ganged(objective, parallelism=2) as executor:
            executor.submit(attempt(0, timeout=0.5), attempt(1))
            ended = outcomes(executor, 2)
        assert (ended[0].state, ended[0].reason) == (State.KILLED, "timeout")
        assert ended[1].state is State.FINISHED

    def test_stop_ends_gangs_that_run_and_that_wait(self) -> None:
        """With the reason given."""

        def objective(_: object) -> float:
            import time

            time.sleep(60)
            return 1.0

        with self.ganged(objective, parallelism=2) as executor:
            executor.submit(*(attempt(number) for number in range(3)))
            while not any(isinstance(event, Started) for event in executor.events(1.0)):
                pass
            for number in range(3):
                executor.stop(f"{number}.0.1", "cancelled")
            ended = outcomes(executor, 3)
        assert {(outcome.state, outcome.reason) for outcome in ended.values()} == {(State.KILLED, "cancelled")}

    def test_a_gang_that_is_pruned_ends_with_its_first_rank(self) -> None:
        """Others wait for it in vain, and are ended."""

        def objective(trial: object) -> float:
            import itertools

            for step in itertools.count():
                trial.report({"loss": 1.0}, step=step)  # type: ignore[attr-defined]
                if trial.should_stop():  # type: ignore[attr-defined]
                    return 0.25
                trial.barrier()  # type: ignore[attr-defined]
            raise AssertionError

        with self.ganged(objective) as executor:
            executor.submit(attempt(0))
            events = events_until(executor, 1, decide=lambda event: event.report.step >= 3)
        ended = next(event.outcome for event in events if isinstance(event, Ended))
        assert (ended.state, ended.metrics) == (State.PRUNED, {"loss": 0.25}), ended

    def test_what_the_first_rank_leaves_and_what_all_print_is_kept(self, tmp_path: Path) -> None:
        """Artifacts of the others are not; their logs have a heading."""

        def objective(trial: object) -> float:
            from pathlib import Path

            (Path(trial.artifact_dir) / "note.txt").write_text(f"of {trial.rank}")  # type: ignore[attr-defined]
            print(f"here is {trial.rank}", flush=True)  # type: ignore[attr-defined]  # noqa: T201
            return 1.0

        spool = tmp_path / "spool"
        with self.ganged(objective, spool=str(spool)) as executor:
            executor.submit(attempt(0))
            outcome = outcomes(executor, 1)[0]
        assert (Path(outcome.artifacts) / "note.txt").read_text() == "of 0"
        assert [path.name for path in spool.iterdir()] == ["0.0.1"]
        assert outcome.log.split("\n") == ["here is 0", "", "--- rank 1 ---", "here is 1", ""]

    def test_a_port_that_another_process_took_is_a_loss_that_nobody_is_charged(self) -> None:
        """A few times; from then on it is the objective that takes it twice."""

        def objective(trial: object) -> float:
            import os
            import socket

            trial.barrier()  # type: ignore[attr-defined]
            if trial.rank == 0:  # type: ignore[attr-defined]
                first = socket.create_server(("", int(os.environ["MASTER_PORT"])))
                if trial.number == 0:  # type: ignore[attr-defined]
                    socket.create_server(first.getsockname()[:2])
            trial.barrier()  # type: ignore[attr-defined]
            return 1.0

        with self.ganged(objective, parallelism=2) as executor:
            for _ in range(3):
                executor.submit(attempt(0))
                lost = next_loss(executor)
                assert not lost.charged
                assert "took the port" in lost.message
            executor.submit(attempt(0), attempt(1))
            ended = outcomes(executor, 2)
        assert (ended[0].state, ended[0].reason) == (State.FAILED, "exception")
        assert ended[1].state is State.FINISHED

    def test_gangs_take_slots_at_once_or_none(self) -> None:
        """Two gangs on three slots come one after the other; slots are counted as slots, attempts as gangs."""

        def objective(trial: object) -> float:
            trial.barrier()  # type: ignore[attr-defined]
            return 1.0

        with self.ganged(objective, parallelism=3) as executor:
            executor.submit(*(attempt(number) for number in range(6)))
            events = events_until(executor, 6)
            assert executor.slots == 1
        assert all(event.outcome.state is State.FINISHED for event in events if isinstance(event, Ended))
        assert max(event.slots for event in events if isinstance(event, SlotsChanged)) == 2
