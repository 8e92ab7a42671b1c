"""What travels: a trial, the attempts at it, what they report and how they end.

All values are frozen and picklable. Times are seconds since the epoch (UTC); durations are seconds by a
monotonic clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

__all__ = ["Attempt", "Outcome", "Params", "Report", "State", "Trial", "Unit"]

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


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at a unit, as an executor takes it.

    Attributes:
        trial: the trial.
        unit: which part of it.
        number: from 1; counts the tries at this unit.
        timeout: hard limit in seconds, None for none.
    """

    trial: Trial
    unit: Unit
    number: int = 1
    timeout: float | None = None

    @property
    def id(self) -> str:
        """Names this attempt inside its sweep; a late answer under another id is stale."""
        return f"{self.unit.trial}.{self.unit.index}.{self.number}"


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
        payload: opaque bytes for front doors that return objects; loaded by nobody else.
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
    payload: bytes | None = None
