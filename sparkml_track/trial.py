"""What travels: a trial, the attempts at it, what they report and how they end.

All values are frozen and picklable. Times are seconds since the epoch (UTC); durations are seconds by a
monotonic clock.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

__all__ = [
    "NESTED",
    "UNMEASURED",
    "Attempt",
    "AttemptId",
    "Counts",
    "LoggedMetric",
    "NestedRun",
    "Outcome",
    "Params",
    "Report",
    "RunLog",
    "State",
    "Trial",
    "Unit",
    "Usage",
]

#: Nested runs that a trial may keep.
NESTED = 100
#: Parameters in the shape of the space: plain values and nested mappings.
Params = Mapping[str, object]


class State(str, Enum):
    """Where a trial stands. All but ``RUNNING`` are terminal."""

    RUNNING = "running"
    FINISHED = "finished"
    PRUNED = "pruned"
    FAILED = "failed"
    KILLED = "killed"

    @property
    def terminal(self) -> bool:
        """Whether nothing more will come."""
        return self is not State.RUNNING


@dataclass(frozen=True, slots=True)
class Counts:
    """How many trials are where; ``planned`` is the sum of all others."""

    planned: int
    finished: int = 0
    pruned: int = 0
    failed: int = 0
    killed: int = 0
    running: int = 0
    not_started: int = 0


@dataclass(frozen=True, slots=True)
class Trial:
    """One parameter set.

    Attributes:
        number: from 0, in the order of asking.
        params: shaped like the space.
        seed: for the objective's own randomness, below 2**31; a function of the sweep's seed and ``number``.
    """

    number: int
    params: Params
    seed: int = 0


@dataclass(frozen=True, slots=True, order=True)
class Unit:
    """What is executed at one time: a whole trial, or one fold of it.

    Attributes:
        trial: the trial's number.
        index: from 0; the fold.
    """

    trial: int
    index: int = 0

    @property
    def name(self) -> str:
        """Names it, for what is kept across its attempts."""
        return f"{self.trial}.{self.index}"


@dataclass(frozen=True, slots=True, order=True)
class AttemptId:
    """Names an attempt inside its sweep; as text "7.0.2", in the journal, on the wire and in names of folders.

    Attributes:
        trial: the trial's number.
        unit: the index of the unit in it.
        number: from 1; counts the tries at this unit.
    """

    trial: int
    unit: int
    number: int

    def __str__(self) -> str:
        return _id(self.trial, self.unit, self.number)

    @classmethod
    def parse(cls, text: str) -> AttemptId:
        """The inverse of ``str``.

        Raises:
            ValueError: it is none.
        """
        found = _ATTEMPT.fullmatch(text)
        if found is None:
            raise ValueError(f"{text[:40]!r} is not an attempt's id; allowed is text such as 7.0.2")
        return cls(*map(int, found.groups()))


def _id(trial: int, unit: int, number: int) -> str:
    return f"{trial}.{unit}.{number}"


_ATTEMPT = re.compile(r"(\d{1,18})\.(\d{1,18})\.(\d{1,18})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at a unit, as an executor takes it.

    Attributes:
        trial: the trial.
        unit: which part of it.
        number: from 1; counts the tries at this unit.
        timeout: hard limit in seconds, None for none.
        along: JSON that a front door gives along.
        payload: opaque bytes for the objective of a front door, ``trial.payload`` there; of any size.
        files: paths on the driver by names, each of one content for as long as the executor is open; a host has one
            copy, which ``trial.file`` finds there.
        rank: of a gang, which of its processes; an executor makes the attempts of the ranks, whoever submits knows one.
        world: how many processes there are.
        id: ``attempt_id`` as text, and the rank behind it where that is not 0; a late answer under another one is
            stale.
    """

    trial: Trial
    unit: Unit
    number: int = 1
    timeout: float | None = None
    along: object = None
    payload: bytes = field(default=b"", repr=False, compare=False)
    files: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)
    rank: int = 0
    world: int = 1
    id: str = field(init=False, compare=False)

    def __post_init__(self) -> None:
        name = _id(self.unit.trial, self.unit.index, self.number)
        object.__setattr__(self, "id", f"{name}.{self.rank}" if self.rank else name)

    @property
    def attempt_id(self) -> AttemptId:
        """Names this attempt inside its sweep."""
        return AttemptId(self.unit.trial, self.unit.index, self.number)


@dataclass(frozen=True, slots=True)
class Report:
    """Metrics an attempt gave while it ran.

    Attributes:
        metrics: names to numbers.
        step: as the objective counts (epochs, iterations).
        time: when it was made.
    """

    metrics: Mapping[str, float]
    step: int
    time: float


class LoggedMetric(NamedTuple):
    """One value of a metric that an attempt logged through MLflow; ``time`` in seconds since the epoch."""

    name: str
    value: float
    step: int
    time: float


@dataclass(frozen=True, slots=True)
class RunLog:
    """What an attempt logged through MLflow, beside what it reported.

    Attributes:
        params: names to text; the first value of a name counts.
        metrics: in the order they came.
        tags: names to text; the last value of a name counts.
        inputs: data sets, with MLflow's names of their fields and of their tags.
        models: that it logged, as MLflow describes them; their files are among its artifacts.
        nested: runs inside the trial's, in the order they began.
    """

    params: Mapping[str, str] = field(default_factory=dict)
    metrics: Sequence[LoggedMetric] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    inputs: Sequence[Mapping[str, object]] = ()
    models: Sequence[Mapping[str, object]] = ()
    nested: Sequence[NestedRun] = ()

    @classmethod
    def joined(cls, parts: Sequence[RunLog]) -> RunLog:
        """All of them, in their order; of nested runs those that began, up to ``NESTED``."""
        if not parts:  # as of most trials
            return cls()
        params: dict[str, str] = {}
        tags: dict[str, str] = {}
        for part in parts:
            params = {**part.params, **params}
            tags |= part.tags
        metrics = [one for part in parts for one in part.metrics]
        models = {one["id"]: one for part in parts for one in part.models}
        nested: dict[str, list[NestedRun]] = {}
        for one in (one for part in parts for one in part.nested):
            nested.setdefault(one.id, []).append(one)
        runs = [run for run in map(NestedRun.joined, nested.values()) if run.parent][:NESTED]
        inputs = [one for part in parts for one in part.inputs]
        return cls(params, metrics, tags, inputs, list(models.values()), tuple(runs))


@dataclass(frozen=True, slots=True)
class NestedRun:
    """A run that an attempt made inside its own, as ``GridSearchCV`` under autologging does; or what came of one.

    Attributes:
        id: as long as it is in the slot.
        name: shown in the UI.
        parent: the id of the run that it is in: the trial's, or another nested one; empty until that is known.
        started: seconds since the epoch.
        ended: likewise; 0 if it did not end.
        status: MLflow's; empty if it did not end.
        log: what it has.
    """

    id: str
    name: str = ""
    parent: str = ""
    started: float = 0.0
    ended: float = 0.0
    status: str = ""
    log: RunLog = field(default_factory=RunLog)

    @classmethod
    def joined(cls, parts: Sequence[NestedRun]) -> NestedRun:
        """All that came of one run, at least one part; the first word on a field counts."""
        name, parent, status = ("".join([getattr(one, each) for one in parts if getattr(one, each)][:1])
                                for each in ("name", "parent", "status"))  # fmt: skip
        started, ended = (max(getattr(one, each) for one in parts) for each in ("started", "ended"))
        return cls(parts[0].id, name, parent, started, ended, status, RunLog.joined([one.log for one in parts]))


class Usage(NamedTuple):
    """What attempts took of their hosts; None for what is not known.

    Attributes:
        cpu: seconds of processors, with child processes that have ended.
        memory: bytes of the process at its peak, with what it had before the attempt.
    """

    cpu: float | None = None
    memory: int | None = None

    @classmethod
    def of_all(cls, each: Iterable[Usage]) -> Usage:
        """Of several attempts: the sum of seconds, and the highest peak."""
        known = [*each]
        seconds = [one.cpu for one in known if one.cpu is not None]
        peaks = [one.memory for one in known if one.memory is not None]
        return cls(math.fsum(seconds) if seconds else None, max(peaks, default=None))


#: Of an attempt that did not come to its end, and of any that nobody measured.
UNMEASURED = Usage()


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt ended.

    Attributes:
        state: a terminal state.
        metrics: what the objective returned, names to numbers; empty unless finished or pruned.
        reason: one of ``schema.REASONS`` unless finished.
        message: for a person; at most 4 KB.
        log: the kept head and tail of stdout and stderr.
        started: when it began.
        duration: seconds it took.
        host: where.
        artifacts: folder with what it left, empty for nothing; whoever takes the outcome owns it.
        in_place: the folder is on storage that outlives the sweep, and stays; else it is on the driver.
        payload: opaque bytes that the attempt gave back by ``trial.give``, for front doors that return objects; no
            journal keeps them, and nobody else loads them.
        usage: what it took of the host.
    """

    state: State
    metrics: Mapping[str, float] = field(default_factory=dict)
    reason: str = ""
    message: str = ""
    log: str = ""
    started: float = 0.0
    duration: float = 0.0
    host: str = ""
    artifacts: str = ""
    in_place: bool = False
    payload: bytes = field(default=b"", repr=False)
    usage: Usage = UNMEASURED
