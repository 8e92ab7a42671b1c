"""A sweep as it was at one look: columns that do not change any more, and what follows from them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sparkml_track.engine.records.types import Ended, Parent, Plan
from sparkml_track.engine.results.costs import Costs
from sparkml_track.engine.results.curves import Curve
from sparkml_track.goal import Goal
from sparkml_track.trial import Counts, Report, State

__all__ = ["STATES", "UNSET", "Seen"]

#: States by their code in a column; the first is that of a trial without an outcome.
STATES = (State.RUNNING, State.FINISHED, State.PRUNED, State.FAILED, State.KILLED)
_FINISHED, _FAILED, _KILLED = (STATES.index(state) for state in (State.FINISHED, State.FAILED, State.KILLED))


class _Unset:
    """Stands for a parameter that a trial does not have."""

    def __repr__(self) -> str:
        return "not set"


UNSET = _Unset()


@dataclass(frozen=True)
class Seen:
    """A sweep at one look. A row is a trial, in the order of asking; arrays of numbers have nan where there is none.

    Attributes:
        sweep: its id.
        plan: None before it was durable.
        parent: the newest one.
        ended: None while it has not.
        limit: how many trials it may have; 0 for any number.
        numbers: of the trials.
        states: codes, places in ``STATES``.
        params: flattened, by name; ``UNSET`` where a trial has none.
        metrics: of outcomes, by name.
        started: seconds since the epoch.
        duration: seconds.
        busy: seconds of slots.
        cpu: seconds of processors.
        memory: bytes.
        attempts: how many there were.
        hosts: where accepted attempts ran.
        reasons: why trials did not finish.
        messages: the same for a person, by trial.
        logs: trials of which the journal has a log.
        order: rows that have an outcome, in the order of acceptance.
        at_work: attempts that were submitted and have not ended.
        most: how many these were at most.
        lost: attempts.
        late: answers that were refused.
        idle: slot seconds, None if that is not known.
        curves: of the best, of others, and how many trials reported.
        reports: of trials without an outcome.
    """

    sweep: str
    plan: Plan | None
    parent: Parent | None
    ended: Ended | None
    limit: int
    numbers: Any
    states: Any
    params: Mapping[str, Sequence[object]]
    metrics: Mapping[str, Any]
    started: Any
    duration: Any
    busy: Any
    cpu: Any
    memory: Any
    attempts: Any
    hosts: Sequence[str]
    reasons: Sequence[str]
    messages: Mapping[int, str]
    logs: frozenset[int]
    order: Any
    at_work: int
    most: int
    lost: int
    late: int
    idle: float | None
    curves: tuple[Sequence[Curve], Sequence[Curve], int]
    reports: Mapping[int, Sequence[Report]]

    @property
    def goals(self) -> tuple[Goal, ...]:
        """One for each objective; a plan that is not there has one."""
        return (Goal(),) if self.plan is None else self.plan.spec.goals

    @property
    def name(self) -> str:
        """Of the sweep."""
        return self.sweep if self.plan is None else self.plan.name

    @property
    def described(self) -> Mapping[str, object]:
        """The spec as JSON."""
        return {} if self.plan is None else self.plan.spec.described

    def numbers_of(self, name: str) -> Any:
        """A parameter of all rows as numbers, nan where a trial has none; None if it is anything else anywhere."""
        if name not in self._numbers:
            self._numbers[name] = _as_numbers(self.params.get(name))
        return self._numbers[name]

    @cached_property
    def _numbers(self) -> dict[str, Any]:
        return {}

    @cached_property
    def counts(self) -> Counts:
        """Trials by state."""
        import numpy as np

        asked = len(self.states)
        planned = max(self.limit if self.ended is None else self.ended.counts.planned, asked)
        by_code = np.bincount(self.states, minlength=len(STATES))
        found = {state.value: int(by_code[code]) for code, state in enumerate(STATES)}
        return Counts(planned, not_started=planned - asked, **found)

    @property
    def limited(self) -> bool:
        """Whether it is known how many trials it will have; a sweep may go on until its time is over."""
        return self.ended is not None or self.limit > 0

    @property
    def over(self) -> int:
        """Trials with an outcome."""
        return len(self.order)

    def values(self, goal: Goal) -> Any:
        """The values of an objective by row; nan where there is none."""
        import numpy as np

        found = self.metrics.get(goal.metric)
        return np.full(len(self.states), math.nan) if found is None else found

    def finished(self, goal: Goal) -> Any:
        """Rows of finished trials with a finite value, by number."""
        import numpy as np

        return np.flatnonzero((self.states == _FINISHED) & np.isfinite(self.values(goal)))

    def ranked(self, goal: Goal) -> Any:
        """The same, the best first; of equals the lowest number."""
        import numpy as np

        rows = self.finished(goal)
        return rows[np.argsort(goal.loss(1.0) * self.values(goal)[rows], kind="stable")]

    def best(self, goal: Goal) -> int | None:
        """The row of the best trial."""
        rows = self.finished(goal)
        if not len(rows):
            return None
        loss = goal.loss(1.0) * self.values(goal)[rows]
        return int(rows[loss.argmin()])

    def improved(self, goal: Goal) -> Any:
        """Rows, in the order of acceptance, at which the best so far became better."""
        import numpy as np

        finished = np.zeros(len(self.states), dtype=bool)
        finished[self.finished(goal)] = True
        rows = self.order[finished[self.order]]
        loss = goal.loss(1.0) * self.values(goal)[rows]
        before = np.minimum.accumulate(np.concatenate(([math.inf], loss)))[:-1]
        return rows[loss < before]

    def params_of(self, row: int) -> dict[str, object]:
        """The parameters of a trial."""
        return {name: column[row] for name, column in self.params.items() if column[row] is not UNSET}

    def metrics_of(self, row: int) -> dict[str, float]:
        """The metrics of its outcome."""
        return {name: float(column[row]) for name, column in self.metrics.items() if not math.isnan(column[row])}

    def row_of(self, number: int) -> int | None:
        """The row of a trial; None if there is none."""
        import numpy as np

        found = np.flatnonzero(self.numbers == number)
        return int(found[0]) if len(found) else None

    @property
    def ends(self) -> Any:
        """When trials ended, in the order of acceptance; nan for those that never began."""
        return (self.started + self.duration)[self.order]

    def rate(self, now: float, window: float = 60.0) -> float:
        """Trials that ended per second, of the last ``window`` seconds before ``now``."""
        ends = self.ends
        began = self._began
        span = min(window, max(now - began, 1.0)) if began else window
        return float(((ends > now - span) & (ends <= now + 1)).sum()) / span

    @property
    def _began(self) -> float:
        if self.parent is not None and self.parent.time:
            return self.parent.time
        return 0.0 if self.plan is None else self.plan.time

    @cached_property
    def failures(self) -> Mapping[str, int]:
        """Trials that failed or were killed, by reason, the most common first."""
        bad = [row for row in self.order.tolist() if self.states[row] in (_FAILED, _KILLED)]
        return dict(Counter(self.reasons[row] or "unknown" for row in bad).most_common())

    @cached_property
    def costs(self) -> Costs:
        """As ``results.costs`` has them."""
        import numpy as np

        rows = self.order[self.started[self.order] > 0]
        ends, bad = self.started[rows] + self.duration[rows], np.isin(self.states[rows], (_FAILED, _KILLED))
        rows_by_number = rows[np.argsort(self.numbers[rows], kind="stable")]
        slowest = int(rows_by_number[self.duration[rows_by_number].argmax()]) if len(rows) else None
        cpu, memory = self.cpu[np.isfinite(self.cpu)], self.memory[np.isfinite(self.memory)]
        price = None if self.plan is None else self.plan.spec.tracking.slot_hour_price
        return Costs(
            wall=float(ends.max() - self.started[rows].min()) if len(rows) else 0.0,
            used=float(self.busy[rows].sum()),
            wasted=float(self.busy[rows][bad].sum()),
            lost=int(self.attempts[self.order].sum()) - len(self.order),
            slowest=0.0 if slowest is None else float(self.duration[slowest]),
            slowest_trial=None if slowest is None else int(self.numbers[slowest]),
            idle=self.idle,
            price=price,
            cpu=float(cpu.sum()) if len(cpu) else None,
            memory=int(memory.max()) if len(memory) else None,
        )

    def rows(self) -> Iterator[int]:
        """All of them."""
        return iter(range(len(self.states)))


def _as_numbers(column: Sequence[object] | None) -> Any:
    import numpy as np

    kinds = {*map(type, column or ())}
    if column is None or not kinds <= {int, float, _Unset}:
        return None
    given: Any = [math.nan if value is UNSET else value for value in column] if _Unset in kinds else column
    try:
        return np.array(given, dtype=float)
    except OverflowError:
        return None
