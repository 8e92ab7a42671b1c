"""What every executor must do with what nobody can record, from an objective or from a slot that lies."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from sparkml_track.executors import Ended, Reported
from sparkml_track.testing._attempts import attempt, events_until, outcomes
from sparkml_track.testing._executor_roots import RootsCase
from sparkml_track.trial import State

__all__ = ["LimitsCase"]


class LimitsCase(RootsCase):
    """The cases; mixed into ``ExecutorCase``."""

    @pytest.mark.parametrize(
        ("metrics", "said"),
        [
            ("{f'm{n}': 0.0 for n in range(40_000)}", "40000 metrics; allowed are 1000"),
            ("{'x' * 9_000_000: 1.0}", "allowed are 1 to 250 characters"),
            ("{'\\udc80': 1.0}", "allowed are 1 to 250 characters"),
        ],
    )
    @pytest.mark.parametrize("how", ["report", "return"])
    def test_what_is_too_much_fails_its_trial_with_the_limit(self, metrics: str, said: str, how: str) -> None:
        """Reported or returned; the trial beside it goes on."""

        def objective(trial: object) -> object:
            if trial.number == 1:  # type: ignore[attr-defined]
                return 1.0
            made = eval(metrics)  # noqa: S307
            if how == "report":
                trial.report(made, step=0)  # type: ignore[attr-defined]
            return {"loss": 1.0, **made}

        with self.opened(objective, parallelism=1) as executor:
            for number in range(2):
                executor.submit(attempt(number))
            ended = outcomes(executor, 2)
        assert (ended[0].state, ended[0].reason) == (State.FAILED, "result")
        assert said.replace("40000", "40001" if how == "return" else "40000") in ended[0].message
        assert ended[1].state is State.FINISHED

    def test_a_step_that_is_not_whole_is_refused_and_other_numbers_count(self) -> None:
        """Of numpy, decimals, and arrays with one element."""

        def objective(trial: object) -> dict[str, object]:
            from decimal import Decimal

            import numpy

            trial.report({"loss": Decimal("0.5")}, step=numpy.int64(1))  # type: ignore[attr-defined]
            trial.report({"loss": numpy.array([0.25])}, step=2.0)  # type: ignore[attr-defined]
            if trial.number == 0:  # type: ignore[attr-defined]
                trial.report({"loss": 1.0}, step=0.5)  # type: ignore[attr-defined]
            return {"loss": Decimal("0.125"), "one": numpy.array([[2]])}

        with self.opened(objective, parallelism=1) as executor:
            for number in range(2):
                executor.submit(attempt(number))
            events = events_until(executor, 2)
        steps = [event.report.step for event in events if isinstance(event, Reported)]
        ended = {event.attempt: event.outcome for event in events if isinstance(event, Ended)}
        assert steps == [1, 2, 1, 2]
        assert "reported step is 0.5" in ended["0.0.1"].message
        assert ended["1.0.1"].metrics == {"loss": 0.125, "one": 2.0}

    def test_params_are_the_objectives_own(self) -> None:
        """What it does to them, deep inside too, stays with the attempt."""
        params: Mapping[str, object] = {"x": 1.0, "deep": {"y": [1, 2]}}

        def objective(trial: object) -> float:
            trial.params["deep"]["y"].append(3)  # type: ignore[attr-defined]
            return float(trial.params.pop("x"))  # type: ignore[attr-defined]

        with self.opened(objective) as executor:
            executor.submit(attempt(0, params))
            assert outcomes(executor, 1)[0].metrics == {"loss": 1.0}
        assert params == {"x": 1.0, "deep": {"y": [1, 2]}}

    @pytest.mark.parametrize("what", ["report", "metrics", "duration"])
    def test_what_a_slot_says_that_cannot_be_ends_that_attempt_alone(self, what: str) -> None:
        """It is checked where the objective has no hand in it."""

        def objective(trial: object) -> float:
            import sys

            if trial.number == 1:  # type: ignore[attr-defined]
                return 1.0
            if what == "report":
                trial._link.report(0, {"loss": "low"}, 10**30, float("inf"))  # type: ignore[attr-defined]  # noqa: SLF001
            package = type(trial).__module__.rpartition(".")[0]
            execute, returned = (sys.modules[f"{package}.{name}"] for name in ("execute", "returned"))
            if what == "metrics":
                returned.number_of = lambda *_: "low"  # type: ignore[attr-defined]
            if what == "duration":
                execute.time = type("clock", (), {"perf_counter": lambda: float("inf"), "time": lambda: 1.0})  # type: ignore[attr-defined]
            return 1.0

        with self.opened(objective, parallelism=1, isolation="fresh") as executor:
            if not executor.capabilities.isolates:
                pytest.skip("does not isolate")
            for number in range(2):
                executor.submit(attempt(number))
            events = events_until(executor, 2)
        ended = {event.attempt: event.outcome for event in events if isinstance(event, Ended)}
        assert (ended["0.0.1"].state, ended["0.0.1"].reason) == (State.FAILED, "result")
        assert "sent a message that is refused" in ended["0.0.1"].message
        assert ended["1.0.1"].state is State.FINISHED
        assert not any(isinstance(event, Reported) for event in events)
