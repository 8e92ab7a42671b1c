"""The summary of a sweep: a pure function of its accepted results, in whatever order they are given.

A parent run can therefore be recomputed and verified at any time. ``Tally`` is the same, one result at a time.
"""

from __future__ import annotations

import hashlib
import json
import math
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sparkml_track.engine.results.pareto import Front
from sparkml_track.goal import Goal
from sparkml_track.space import flatten
from sparkml_track.trackers import Aggregate
from sparkml_track.trial import UNMEASURED, Counts, Params, State, Usage

__all__ = ["Result", "Summary", "Tally", "summarise", "trials_table"]


@dataclass(frozen=True, slots=True)
class Result:
    """A trial with its accepted outcome.

    Attributes:
        number: the trial's.
        params: shaped like the space.
        state: a terminal state.
        metrics: the final ones.
        value: one for each objective, in the user's direction; None if there is none.
        attempts: how many there were; of several units, at the one that took most.
        started: seconds since the epoch.
        duration: seconds.
        reason: one of ``schema.REASONS``, empty if finished.
        message: for a person.
        host: where the accepted attempt ran; of several units, all hosts.
        artifacts: folder under ``artifact_root`` with what the accepted attempt left; empty where the child run has it.
        busy: seconds of slots, of trials that may have several at one time; None for those of one unit and slot.
        failed_units: index and message of each unit that failed, where trials have several.
        usage: what the accepted attempt took of its host; of several units all of them.
    """

    number: int
    params: Params
    state: State
    metrics: Mapping[str, float] = field(default_factory=dict)
    value: tuple[float, ...] | None = None
    attempts: int = 1
    started: float = 0.0
    duration: float = 0.0
    reason: str = ""
    message: str = ""
    host: str = ""
    artifacts: str = ""
    busy: float | None = None
    failed_units: tuple[tuple[int, str], ...] = ()
    usage: Usage = UNMEASURED

    @property
    def slot_seconds(self) -> float:
        """What it took of slots."""
        return self.duration if self.busy is None else self.busy

    @property
    def interrupted(self) -> bool:
        """Whether an interrupt or the loss of all slots ended it: a resumed sweep executes it again."""
        return self.state is State.KILLED and self.reason == "cancelled"


@dataclass(frozen=True, slots=True)
class Summary:
    """What the parent run says of its children.

    Attributes:
        counts: of trials by state.
        goals: one for each objective.
        best: of a single objective: the finished trial with the best finite value, the lowest number among equals;
            None if there is none, and with several objectives.
        pareto: of several objectives: the finished trials that no other one beats (as good in all and better in one; of
            equals the lowest number stays), by number; None with a single objective.
        aggregates: of each metric over the finished trials, without values that are nan or infinite; ``std`` is that of
            the population.
        digest: over (trial, state, value) of all results.
    """

    counts: Counts
    goals: tuple[Goal, ...]
    best: Result | None
    pareto: tuple[Result, ...] | None
    aggregates: Mapping[str, Aggregate]
    digest: str

    @property
    def metric(self) -> tuple[str, ...]:
        """The names of the objectives."""
        return tuple(goal.metric for goal in self.goals)


class Tally:
    """Adds up results one at a time; ``summary`` may be asked at any time.

    ``add`` takes constant time with one or two objectives (logarithmic in the Pareto front with two, linear in it with
    more); ``summary`` passes over the metrics once. One thread at a time.

    Args:
        goals: one for each objective.
    """

    def __init__(self, goals: Sequence[Goal]) -> None:
        self.goals = tuple(goals)
        self._states: Counter[State] = Counter()
        self._seen: set[int] = set()
        self._metrics: dict[str, array[float]] = {}
        self._digest = 0
        self._front: Front[Result] = Front(len(self.goals))

    def add(self, result: Result) -> None:
        """Adds a result.

        Raises:
            ValueError: it is not terminal, or its trial was added before.
        """
        if not result.state.terminal or result.number in self._seen:
            raise ValueError(f"trial {result.number} is {result.state.value}, or was added before")
        self._seen.add(result.number)
        self._states[result.state] += 1
        # A sum of hashes is the same in any order.
        self._digest = (self._digest + _hash(result)) % 2**256
        if result.state is State.FINISHED:
            self._add_finished(result)

    def summary(self, planned: int, running: int = 0) -> Summary:
        """The summary of what was added.

        Args:
            planned: how many trials there will be.
            running: how many have started and not ended.

        Raises:
            ValueError: there are more trials than planned.
        """
        front = tuple(self._front)
        several = len(self.goals) > 1
        return Summary(
            counts=self._counts(planned, running),
            goals=self.goals,
            best=None if several or not front else front[0],
            pareto=front if several else None,
            aggregates={name: _aggregate(values) for name, values in sorted(self._metrics.items())},
            digest=f"{self._digest:064x}",
        )

    def _add_finished(self, result: Result) -> None:
        for name, value in result.metrics.items():
            if math.isfinite(value):
                self._metrics.setdefault(name, array("d")).append(value)
        if result.value is not None and all(map(math.isfinite, result.value)):
            losses = tuple(goal.loss(value) for goal, value in zip(self.goals, result.value, strict=True))
            self._front.add(losses, result.number, result)

    def _counts(self, planned: int, running: int) -> Counts:
        states = {state.value: self._states[state] for state in State if state.terminal}
        left = planned - len(self._seen) - running
        if left < 0:
            raise ValueError(f"{planned} trials are planned, but {len(self._seen)} ended and {running} are running")
        return Counts(planned, running=running, not_started=left, **states)


def summarise(results: Iterable[Result], planned: int, running: int, goals: Sequence[Goal]) -> Summary:
    """Summarises accepted results, each trial once, in any order.

    Args:
        results: all of them.
        planned: how many trials there were to be, at least as many as started.
        running: how many have no result yet.
        goals: one for each objective.

    Raises:
        ValueError: a trial comes twice, or there are more than planned.
    """
    tally = Tally(goals)
    for result in results:
        tally.add(result)
    return tally.summary(planned, running)


def trials_table(results: Iterable[Result]) -> str:
    """All trials as JSON in the format of MLflow's tables (``mlflow.load_table``, the UI's table view).

    Columns: number, state, value (value_0, ... with several objectives), ``params.*``, ``metrics.*``, attempts, started
    (seconds since the epoch), duration (seconds), reason, message, host, cpu (seconds) and memory (bytes at the peak)
    where they are known, and artifacts, the folder, if any trial left one under ``artifact_root``. What is not there,
    nan and infinite is null.
    """
    rows = [_row(result) for result in sorted(results, key=lambda one: one.number)]
    seen = dict.fromkeys(name for row in rows for name in row)
    groups = ("number", "state", "value", "params.", "metrics.", "")
    columns = sorted(seen, key=lambda name: next(i for i, prefix in enumerate(groups) if name.startswith(prefix)))
    data = [[row.get(name) for name in columns] for row in rows]
    return json.dumps({"columns": columns, "data": data}, separators=(",", ":"))


def _row(result: Result) -> dict[str, object]:
    value = result.value or ()
    values = {"value" if len(value) == 1 else f"value_{i}": _finite(one) for i, one in enumerate(value)}
    return {
        "number": result.number,
        "state": result.state.value,
        **values,
        **{f"params.{name}": _plain(one) for name, one in flatten(result.params).items()},
        **{f"metrics.{name}": _finite(one) for name, one in result.metrics.items()},
        "attempts": result.attempts,
        "started": result.started,
        "duration": result.duration,
        "reason": result.reason,
        "message": result.message,
        "host": result.host,
        **{name: value for name, value in result.usage._asdict().items() if value is not None},
        **({"artifacts": result.artifacts} if result.artifacts else {}),
    }


def _plain(value: object) -> object:
    if isinstance(value, float):
        return _finite(value)
    return value if value is None or isinstance(value, bool | int | str) else str(value)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _hash(result: Result) -> int:
    value = None if result.value is None else [repr(float(one)) for one in result.value]
    line = json.dumps([result.number, result.state.value, value])
    return int.from_bytes(hashlib.sha256(line.encode()).digest(), "big")


def _aggregate(values: array[float]) -> Aggregate:
    # fsum rounds once, at the end: the order of the results does not show.
    mean = _mean(values)
    # In units of the widest gap: the square of a diverged loss would be beyond the largest float.
    widest = max(abs(value / 2 - mean / 2) for value in values) * 2
    unit = widest if 0 < widest < math.inf else 1.0
    spread = [(value / unit - mean / unit) ** 2 for value in values] if widest < math.inf else [math.inf]
    ordered = sorted(values)
    low, *inner, high = (_percentile(ordered, share) for share in (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0))
    p05, p25, p50, p75, p95 = inner
    return Aggregate(len(values), mean, unit * math.sqrt(_mean(spread)), low, p05, p25, p50, p75, p95, high)


def _percentile(ordered: Sequence[float], share: float) -> float:
    """Linear between the two values beside it, as numpy's (Hyndman and Fan 1996, type 7)."""
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    low, high, part = ordered[below], ordered[min(below + 1, len(ordered) - 1)], place - below
    return max(low, min(high, low * (1 - part) + high * part))


def _mean(values: Sequence[float]) -> float:
    try:
        return math.fsum(values) / len(values)
    except OverflowError:  # of values near the largest float
        return math.fsum(value / len(values) for value in values)
