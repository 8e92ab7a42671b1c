"""What every executor must do with opaque bytes: those that an attempt is given, and those that it gives back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from sparkml_track.executors import Ended
from sparkml_track.testing._attempts import attempt, events_until, outcomes
from sparkml_track.testing._executor_limits import LimitsCase
from sparkml_track.trial import State

__all__ = ["PayloadsCase"]

_LARGE = 3 << 20


class PayloadsCase(LimitsCase):
    """The cases; mixed into ``ExecutorCase``."""

    def test_bytes_go_with_an_attempt_and_come_back_with_its_outcome(self) -> None:
        """Whatever they hold and however many: none, a few, or more than one message takes."""

        def objective(trial: object) -> float:
            given = trial.payload  # type: ignore[attr-defined]
            trial.give(b"not this")  # type: ignore[attr-defined]
            trial.give(memoryview(given[::-1]))  # type: ignore[attr-defined]
            return float(len(given))

        given = [b"", b"\0\xff few", bytes(range(256)) * (_LARGE // 256) + b"end", b"x" * (1 << 20)]
        with self.opened(objective) as executor:
            for number, data in enumerate(given):
                executor.submit(replace(attempt(number), payload=data))
            ended = outcomes(executor, len(given))
        for number, data in enumerate(given):
            assert (ended[number].state, ended[number].metrics) == (State.FINISHED, {"loss": float(len(data))})
            assert ended[number].payload == data[::-1]

    def test_nothing_is_given_back_unless_an_attempt_gives_it(self) -> None:
        """Nor what the attempt before it gave, in the same process."""

        def objective(trial: object) -> float:
            if trial.number == 0:  # type: ignore[attr-defined]
                trial.give(b"mine")  # type: ignore[attr-defined]
            return float(len(trial.payload))  # type: ignore[attr-defined]

        with self.opened(objective, parallelism=1) as executor:
            executor.submit(replace(attempt(0), payload=b"yours"))
            executor.submit(attempt(1))
            ended = outcomes(executor, 2)
        assert [(ended[n].payload, ended[n].metrics["loss"]) for n in (0, 1)] == [(b"mine", 5.0), (b"", 0.0)]

    @pytest.mark.parametrize("size", [1001, 3 << 20])
    def test_a_payload_that_is_too_large_fails_its_attempt_in_the_slot(self, size: int) -> None:
        """With the limit and the setting's name; so does one that is not bytes, and the executor goes on."""

        def objective(trial: object) -> float:
            trial.give([b"x" * size, "text", b"x" * 1000][trial.number])  # type: ignore[attr-defined]
            return 1.0

        with self.opened(objective, parallelism=1, payload_limit=1000) as executor:
            for number in range(3):
                executor.submit(attempt(number))
            ended = outcomes(executor, 3)
        assert [ended[n].state for n in range(3)] == [State.FAILED, State.FAILED, State.FINISHED]
        assert f"gave a payload of {size:,} bytes; allowed are 1,000: give less" in ended[0].message
        assert "raise payload_limit" in ended[0].message
        assert ended[1].message == "gave 'text' (str) as its payload; allowed are bytes"
        assert [(ended[n].reason, ended[n].payload) for n in (0, 1)] == [("result", b"")] * 2
        assert ended[2].payload == b"x" * 1000

    def test_what_an_attempt_gave_before_it_failed_comes_back_and_before_a_crash_does_not(self) -> None:
        """A process that dies cannot have meant it."""

        def objective(trial: object) -> float:
            import os

            trial.give(b"x" * (2 << 20))  # type: ignore[attr-defined]
            if trial.number == 0:  # type: ignore[attr-defined]
                raise ValueError("after it gave")
            os._exit(1)

        with self.opened(objective, parallelism=1) as executor:
            executor.submit(attempt(0))
            isolates = executor.capabilities.isolates
            if isolates:
                executor.submit(attempt(1))
            ended = outcomes(executor, 1 + isolates)
        assert (ended[0].state, len(ended[0].payload)) == (State.FAILED, 2 << 20)
        if isolates:
            assert (ended[1].state, ended[1].reason, ended[1].payload) == (State.FAILED, "exit", b"")

    @pytest.mark.parametrize("lie", ["gap", "endless", "short", "negative"])
    def test_a_process_that_lies_about_its_payload_ends_with_its_attempt(self, lie: str) -> None:
        """Parts that do not follow each other, go on and on, or are not what the end says; the next one is well."""

        def objective(trial: object) -> float:
            import sys

            if trial.number == 1:  # type: ignore[attr-defined]
                trial.give(b"well")  # type: ignore[attr-defined]
                return 1.0
            link = trial._link  # type: ignore[attr-defined]  # noqa: SLF001
            wire = sys.modules[type(trial).__module__.rpartition(".")[0].rpartition(".")[0] + ".wire.messages"]

            def end(done: object) -> None:
                ats = {"gap": [0, 100], "short": [0], "negative": [0, -1], "endless": range(0, 1 << 30, 1000)}[lie]
                for at in ats:
                    link.send(wire.Part(done.attempt, at, done.key), b"x" * 1000)  # type: ignore[attr-defined]
                link.send(done._replace(payload=5000), b"")  # type: ignore[attr-defined]

            link.end = end
            return 1.0

        with self.opened(objective, parallelism=1, payload_limit=100_000, isolation="fresh") as executor:
            if not executor.capabilities.isolates:
                pytest.skip("does not isolate")
            for number in range(2):
                executor.submit(attempt(number))
            events = events_until(executor, 2)
        ended = {event.attempt: event.outcome for event in events if isinstance(event, Ended)}
        assert (ended["0.0.1"].state, ended["0.0.1"].reason) == (State.FAILED, "result")
        assert ended["0.0.1"].payload == b""
        assert (ended["1.0.1"].state, ended["1.0.1"].payload) == (State.FINISHED, b"well")

    def test_files_that_go_with_attempts_are_found_by_name(self, tmp_path: Path) -> None:
        """By each attempt that has them; they are as they were."""

        def objective(trial: object) -> float:
            from pathlib import Path

            trial.give(b"".join(Path(trial.file(name)).read_bytes() for name in trial.params["names"]))  # type: ignore[attr-defined]
            return 1.0

        contents = {"one": bytes(range(256)) * 9000, "two": b"second"}
        for name, content in contents.items():
            (tmp_path / name).write_bytes(content)
        given = [["one"], ["two", "one"], ["one"], []]
        with self.opened(objective) as executor:
            for number, names in enumerate(given):
                files = {name: str(tmp_path / name) for name in names}
                executor.submit(replace(attempt(number, {"names": names}), files=files))
            ended = outcomes(executor, len(given))
        for number, names in enumerate(given):
            assert ended[number].payload == b"".join(contents[name] for name in names)
