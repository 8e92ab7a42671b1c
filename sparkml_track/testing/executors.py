"""What every executor must do. Subclass ``ExecutorCase`` with a way to open one."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from sparkml_track.errors import DataError, ObjectiveError
from sparkml_track.executors import Ended, Questioned, Reported, SlotsChanged, Started, Work
from sparkml_track.testing._attempts import attempt, events_until, outcomes
from sparkml_track.testing._executor_gangs import GangsCase, RanksCase
from sparkml_track.trial import Outcome, State

__all__ = ["ExecutorCase", "GangsCase", "attempt", "events_until", "outcomes"]


def _folders() -> set[str]:
    base = Path(tempfile.gettempdir()) / f"sparkml-{os.getuid()}"
    return {path.name for path in base.iterdir()} if base.exists() else set()


class ExecutorCase(RanksCase):
    """The cases. Objectives are nested, so that they travel by value."""

    def only_if_ships(self) -> None:
        """Skips a case of what is sent to slots, where nothing is."""
        with self.opened(lambda _: 1.0) as executor:
            if not executor.capabilities.ships:
                pytest.skip("slots have the driver's own objects")

    def one(self, objective: Callable[..., object], params: Mapping[str, object] | None = None) -> Outcome:
        """The outcome of one attempt."""
        with self.opened(objective) as executor:
            executor.submit(attempt(0, params))
            return outcomes(executor, 1)[0]

    def test_a_number_is_the_value_of_the_metric(self) -> None:
        """The outcome says when and for how long."""

        def objective(trial: object) -> float:
            return trial.params["x"] * 2  # type: ignore[attr-defined,no-any-return]

        before = time.time()
        outcome = self.one(objective, {"x": 1.5})
        assert (outcome.state, outcome.metrics) == (State.FINISHED, {"loss": 3.0})
        assert before - 1 <= outcome.started <= time.time() + 1
        assert 0 <= outcome.duration < 10

    def test_many_attempts_each_end_once_with_their_own_params_and_seed(self) -> None:
        """Started comes once, before Ended; whether attempts are submitted together or one by one."""

        def objective(trial: object) -> dict[str, float]:
            return {"loss": trial.params["x"], "seed": trial.seed, "number": trial.number}  # type: ignore[attr-defined]

        with self.opened(objective) as executor:
            # Where that costs little, so many that short trials are seen to be short, and wait at the slots.
            first = 50 if executor.capabilities.streams else 10
            executor.submit(*(attempt(number, {"x": number / 4}) for number in range(first)))
            events = list(events_until(executor, first))
            for number in range(first, first + 10):
                executor.submit(attempt(number, {"x": number / 4}))
            events += events_until(executor, 10)
        ended = [event for event in events if isinstance(event, Ended)]
        assert sorted(event.attempt for event in ended) == sorted(f"{n}.0.1" for n in range(first + 10))
        for event in ended:
            number = int(event.attempt.split(".")[0])
            assert event.outcome.metrics == {"loss": number / 4, "seed": number + 7, "number": number}
            (started,) = (i for i, e in enumerate(events) if isinstance(e, Started) and e.attempt == event.attempt)
            assert started < events.index(event)

    def test_a_question_waits_for_its_reply_and_a_note_does_not(self) -> None:
        """In the order made, with what came along; replies to other questions are not taken."""

        def objective(trial: object) -> float:
            door = trial.door  # type: ignore[attr-defined]
            door.note("first")
            return float(door.ask("second")) + float(door.ask("third")) + door.along["x"]  # type: ignore[no-any-return]

        with self.opened(objective) as executor:
            if not executor.capabilities.streams:
                pytest.skip("attempts cannot ask")
            executor.submit(replace(attempt(0), along={"x": 100}))
            asked: list[Questioned] = []
            ended: list[Ended] = []
            while not ended:
                for event in executor.events(10.0):
                    if isinstance(event, Questioned):
                        asked.append(event)
                        executor.reply(event.attempt, event.number - 1, "7")
                        executor.reply(event.attempt, event.number, str(len(asked)))
                    ended += [event] if isinstance(event, Ended) else []
        assert [(one.number, one.body, one.waits) for one in asked] == [
            (1, "first", False),
            (2, "second", True),
            (3, "third", True),
        ]
        assert ended[0].outcome.metrics == {"loss": 105.0}

    def test_slots_are_reported(self) -> None:
        """At least one, by the first event of that kind."""
        with self.opened(lambda _: 1.0) as executor:
            executor.submit(attempt(0))
            events = events_until(executor, 1)
            assert any(isinstance(event, SlotsChanged) and event.slots >= 1 for event in events)
            assert executor.slots >= 1

    @pytest.mark.parametrize(
        ("error", "reason"),
        [("ValueError('no')", "exception"), ("SystemExit(3)", "exception"), ("MemoryError()", "memory")],
    )
    def test_what_an_objective_raises_is_a_failed_outcome(self, error: str, reason: str) -> None:
        """With its type in the message, and the executor goes on."""

        def objective(trial: object) -> float:
            if trial.number == 0:  # type: ignore[attr-defined]
                raise eval(error)  # noqa: S307
            return 1.0

        with self.opened(objective) as executor:
            executor.submit(attempt(0))
            executor.submit(attempt(1))
            ended = outcomes(executor, 2)
        assert (ended[0].state, ended[0].reason) == (State.FAILED, reason)
        assert error.split("(", maxsplit=1)[0] in ended[0].message
        assert ended[1].state is State.FINISHED

    @pytest.mark.parametrize("value", [None, True, "0.5", b"x" * 1000, {"other": 1.0}, {"loss": "low"}, object()])
    def test_what_is_no_metric_is_a_failed_outcome(self, value: object) -> None:
        """The message says what came and what is allowed."""
        kind = value if type(value) is not object else "object"

        def objective(_: object) -> object:
            return object() if kind == "object" else kind

        outcome = self.one(objective)
        assert (outcome.state, outcome.reason) == (State.FAILED, "result")
        assert "loss" in outcome.message or "allowed" in outcome.message

    def test_numbers_of_numpy_count(self) -> None:
        """Scalars and arrays of no dimension."""

        def objective(_: object) -> dict[str, object]:
            import numpy

            return {"loss": numpy.float32(0.5), "n": numpy.int64(3), "zero": numpy.array(2.0)}

        assert self.one(objective).metrics == {"loss": 0.5, "n": 3.0, "zero": 2.0}

    def test_nan_and_infinity_arrive_as_they_are(self) -> None:
        """They are finished; that they are never best is for the summary to see."""
        metrics = self.one(lambda _: {"loss": float("nan"), "worst": float("-inf")}).metrics
        assert metrics["loss"] != metrics["loss"]
        assert metrics["worst"] == float("-inf")

    def test_data_is_read_by_name(self) -> None:
        """Arrays are mapped read-only, Arrow tables stay Arrow, pandas stays pandas; masks, sparse, objects go too."""
        import pandas as pd
        from scipy import sparse

        def objective(trial: object) -> dict[str, float]:
            data = trial.data  # type: ignore[attr-defined]
            total = {"loss": float(data["array"].sum()), "table": float(data["table"].num_rows)}
            total["frame"] = float(data["frame"]["b"].sum())
            total["series"] = float(data["series"].loc["y"]) + float(data["series"].name == 7)
            total["masked"] = float(data["masked"].sum()) + float(data["sparse"].sum()) + data["rows"][-1]["x"]
            return total | {"writeable": float(data["array"].flags.writeable), "names": float(len(data))}

        given = {"array": np.arange(10.0), "table": pa.table({"a": [1, 2]}), "frame": pd.DataFrame({"b": [1, 2, 4]})}
        given["series"] = pd.Series([1.0, 2.0], index=["x", "y"], name=7)
        given["masked"] = np.ma.MaskedArray([1.0, 50.0], [False, True])
        given["sparse"] = sparse.eye(2, format="csr")
        given["rows"] = ["text", {"x": 4.0}]
        with self.opened(objective, data=given) as executor:
            executor.submit(attempt(0))
            metrics = dict(outcomes(executor, 1)[0].metrics)
        assert metrics.pop("masked") == 7.0
        assert metrics == {"loss": 45.0, "table": 2.0, "frame": 7.0, "series": 3.0, "writeable": 0.0, "names": 7.0}

    def test_data_that_cannot_be_pickled_is_refused_by_name(self) -> None:
        """Before anything starts, and nothing stays behind."""
        import threading

        self.only_if_ships()
        before = _folders()
        with pytest.raises(DataError, match=r"'rows' is a list that cannot be pickled .*lock.*; pass what it is made"):
            self.open(Work(lambda _: 1.0, data={"rows": [threading.Lock()]}))
        assert _folders() <= before

    def test_an_objective_that_cannot_be_pickled_is_refused_with_the_reason(self) -> None:
        """Before anything starts; the captured object is named."""
        import threading

        self.only_if_ships()
        lock = threading.Lock()

        def objective(_: object) -> float:
            with lock:
                return 1.0

        with pytest.raises(ObjectiveError, match="captures 'lock'"):
            self.open(Work(objective))

    def test_reports_arrive_and_the_answer_reaches_the_objective(self) -> None:
        """An objective that learns it is to stop has the state pruned, with what it returned."""

        def objective(trial: object) -> float:
            for step in range(5):
                trial.report({"loss": 1.0 - step / 10}, step=step)  # type: ignore[attr-defined]
                if trial.should_stop():  # type: ignore[attr-defined]
                    return 0.5
            return 0.1

        with self.opened(objective) as executor:
            if not executor.capabilities.streams:
                pytest.skip("reports arrive with the outcome")
            executor.submit(attempt(0))
            events = events_until(executor, 1, decide=lambda event: event.report.step == 2)
        reports = [event for event in events if isinstance(event, Reported)]
        assert [(event.index, event.report.step, event.report.metrics["loss"]) for event in reports] == [
            (0, 0, 1.0),
            (1, 1, 0.9),
            (2, 2, 0.8),
        ]
        ended = next(event for event in events if isinstance(event, Ended))
        assert (ended.outcome.state, ended.outcome.metrics) == (State.PRUNED, {"loss": 0.5})

    def test_a_hung_attempt_ends_at_its_timeout_and_its_slot_goes_on(self) -> None:
        """Whatever it hangs in."""

        def objective(trial: object) -> float:
            if trial.number == 0:  # type: ignore[attr-defined]
                import ctypes

                ctypes.PyDLL(None).sleep(60)  # holds the GIL
            return 1.0

        with self.opened(objective, parallelism=1) as executor:
            if not executor.capabilities.kills:
                pytest.skip("cannot kill")
            executor.submit(attempt(0, timeout=0.3))
            executor.submit(attempt(1))
            ended = outcomes(executor, 2, seconds=20)
        assert (ended[0].state, ended[0].reason) == (State.KILLED, "timeout")
        assert 0.3 <= ended[0].duration < 15
        assert "0.3 s" in ended[0].message
        assert ended[1].state is State.FINISHED

    def test_stop_ends_what_runs_and_what_waits(self) -> None:
        """With the reason given."""

        def objective(_: object) -> float:
            import time

            time.sleep(60)
            return 1.0

        with self.opened(objective, parallelism=1) as executor:
            if not executor.capabilities.kills:
                pytest.skip("cannot kill")
            for number in range(3):
                executor.submit(attempt(number))
            while not any(isinstance(event, Started) for event in executor.events(1.0)):
                pass
            for number in range(3):
                executor.stop(f"{number}.0.1", "cancelled")
            ended = outcomes(executor, 3, seconds=20)
        assert {(outcome.state, outcome.reason) for outcome in ended.values()} == {(State.KILLED, "cancelled")}

    @pytest.mark.parametrize(
        ("crash", "reason", "said"),
        [
            ("os.abort()", "signal", "SIGABRT"),
            ("os._exit(0)", "exit", "status 0"),
            ("os.kill(os.getpid(), 9)", "signal", "9"),
        ],
    )
    def test_a_crash_ends_with_its_attempt(self, crash: str, reason: str, said: str) -> None:
        """And is never a success."""

        def objective(trial: object) -> float:
            import os  # noqa: F401

            if trial.number == 0:  # type: ignore[attr-defined]
                print("last words", flush=True)  # noqa: T201
                eval(crash)  # noqa: S307
            return 1.0

        with self.opened(objective, parallelism=1) as executor:
            if not executor.capabilities.isolates:
                pytest.skip("does not isolate")
            for number in range(3):
                executor.submit(attempt(number))
            ended = outcomes(executor, 3)
        assert (ended[0].state, ended[0].reason) == (State.FAILED, reason)
        assert said in ended[0].message
        assert "last words" in ended[0].log
        assert [ended[n].state for n in (1, 2)] == [State.FINISHED] * 2

    def test_what_an_attempt_leaves_in_its_artifact_folder_outlives_the_executor(self, tmp_path: Path) -> None:
        """Files and folders, in the spool, also of an attempt that failed; one that left nothing has none."""

        def objective(trial: object) -> float:
            from pathlib import Path

            if trial.number < 2:  # type: ignore[attr-defined]
                folder = Path(trial.artifact_dir)  # type: ignore[attr-defined]
                (folder / "deep").mkdir()
                (folder / "deep" / "note.txt").write_text(f"trial {trial.number}")  # type: ignore[attr-defined]
                (folder / "large.bin").write_bytes(bytes(range(256)) * 6_000)
            if trial.number == 1:  # type: ignore[attr-defined]
                raise ValueError("after it wrote")
            return 1.0

        spool = tmp_path / "spool"
        with self.opened(objective, spool=str(spool)) as executor:
            for number in range(3):
                executor.submit(attempt(number))
            ended = outcomes(executor, 3)
        assert [ended[n].state for n in range(3)] == [State.FINISHED, State.FAILED, State.FINISHED]
        for number in range(2):
            folder = Path(ended[number].artifacts)
            assert folder.parent == spool
            assert (folder / "deep" / "note.txt").read_text() == f"trial {number}"
            assert (folder / "large.bin").read_bytes() == bytes(range(256)) * 6_000
        assert ended[2].artifacts == ""

    def test_close_may_be_called_twice_and_leaves_no_folder(self) -> None:
        """Nothing of ours stays behind."""
        with self.opened(lambda _: 1.0) as executor:
            executor.submit(attempt(0))
            outcomes(executor, 1)
            folder = executor._host.folder  # type: ignore[attr-defined]  # noqa: SLF001
            assert os.path.isdir(folder)  # noqa: PTH112
            executor.close()
        self.let_go()
        assert not os.path.exists(folder)  # noqa: PTH110

    def let_go(self) -> None:
        """Ends what a member keeps for the next executor; most keep nothing."""
