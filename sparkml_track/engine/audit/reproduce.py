"""A trial of a sweep of the past is executed again, and what it gives is laid beside what it gave."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass

from sparkml_track.engine.identity.fingerprint import Fingerprint, differences
from sparkml_track.engine.loop.running_trial import RunningTrial
from sparkml_track.engine.results.history import History
from sparkml_track.engine.results.ranking import best_numbers
from sparkml_track.engine.spec.units import planned_units
from sparkml_track.errors import ExecutorError, InvalidInput
from sparkml_track.executors import Ended, Executor, Lost, Reported
from sparkml_track.trial import Attempt, Outcome, State

__all__ = ["Reproduced", "execute_again", "number_of"]


@dataclass(frozen=True, slots=True)
class Reproduced:
    """What came of it.

    Attributes:
        sweep: its id.
        trial: the number.
        was: the metrics that were accepted.
        outcome: how the trial ended now.
        changed: what the sweep was made of and is otherwise now, a line for each.
    """

    sweep: str
    trial: int
    was: Mapping[str, float]
    outcome: Outcome
    changed: list[str]

    def compared(self, tolerance: float = 1e-9) -> list[dict[str, object]]:
        """A row for each metric: what it was, what it is (None if it is not there), and whether that is the same.

        Args:
            tolerance: relative; nan is the same as nan.
        """
        now = self.outcome.metrics
        names = dict.fromkeys([*self.was, *now])
        return [
            {"metric": one, "was": was, "is": value, "same": _same(was, value, tolerance)}
            for one, was, value in ((one, self.was.get(one), now.get(one)) for one in names)
        ]


def number_of(past: History, sweep: str, trial: int | None) -> int:
    """The trial that is meant: the best one of a single objective if none is named.

    Raises:
        InvalidInput: it did not finish, or there is none.
    """
    finished = [number for number, one in past.results.items() if one.state is State.FINISHED]
    if trial is None:
        best = best_numbers(past.results.values(), 1, past.goals[0]) if len(past.goals) == 1 else []
        if not best:
            raise InvalidInput(f"sweep {sweep} has no best trial; name one of those that finished: {_some(finished)}")
        return best[0]
    if trial not in finished:
        raise InvalidInput(f"trial {trial} of sweep {sweep} did not finish; allowed are {_some(finished)}")
    return trial


def execute_again(past: History, sweep: str, number: int, executor: Executor, now: Fingerprint) -> Reproduced:
    """Executes all units of a trial with its params and its seed, one after another; closes the executor.

    Args:
        past: what the journal says of the sweep.
        sweep: its id.
        number: of a trial that finished.
        executor: with the objective and its data.
        now: what that is made of.

    Raises:
        ExecutorError: it could not be executed.
    """
    then = {part: value for part, value in past.begun.fingerprint.items() if part in now}
    units = planned_units(past.begun.spec.described.get("units"))
    live = RunningTrial(past.trials[number], units, [*range(units.count)][::-1])
    outcome: Outcome | None = None
    with closing(executor):
        while not live.over:
            unit = live.next(None)
            executor.submit(unit.attempt)
            outcome = _outcome(executor, unit.attempt)
            if units.several:
                live.take(unit, outcome)
            else:
                live.units.clear()
    metric = [goal.metric for goal in past.goals]
    whole = live.close(None if units.several else outcome, metric)
    return Reproduced(sweep, number, past.results[number].metrics, whole, differences(then, now))


def _outcome(executor: Executor, attempt: Attempt) -> Outcome:
    while True:
        for event in executor.events(1.0):
            if isinstance(event, Reported):
                executor.answer(event.attempt, event.index, False)
            elif isinstance(event, Ended):
                return event.outcome
            elif isinstance(event, Lost):
                raise ExecutorError(f"trial {attempt.trial.number} was lost: {event.message}")


def _same(was: float | None, now: float | None, tolerance: float) -> bool:
    if was is None or now is None:
        return False
    return math.isclose(was, now, rel_tol=tolerance) or (math.isnan(was) and math.isnan(now))


def _some(numbers: list[int]) -> str:
    return ", ".join(map(str, sorted(numbers)[:20])) + (", ..." if len(numbers) > 20 else "") or "none"
