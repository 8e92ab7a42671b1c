"""The contract of executors: attempts go in, events come out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from sparkml_track.errors import SetupError
from sparkml_track.slot.wire.frames import PAYLOAD_LIMIT
from sparkml_track.trial import Attempt, Outcome, Report, RunLog

__all__ = [
    "WITHOUT_GANGS",
    "Capabilities",
    "Ended",
    "Event",
    "Executor",
    "Logged",
    "Lost",
    "Questioned",
    "Reported",
    "Resources",
    "SlotsChanged",
    "Started",
    "Work",
    "no_gangs",
    "refuse_gangs",
]

#: Executors whose attempts are of one process.
WITHOUT_GANGS = ("jobs", "driver", "inline")


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an executor can do; the conformance case selects by these.

    Attributes:
        kills: ``stop`` ends an attempt that does not listen, and ``timeout`` is hard.
        streams: reports and questions arrive while the attempt runs, and ``answer`` and ``reply`` reach it.
        isolates: a crash of the objective's process ends with its attempt.
        gangs: ``Work.gang`` may be more than 1.
        ships: objective and data are pickled and mapped for slots; else they are the driver's own objects.
    """

    kills: bool
    streams: bool
    isolates: bool
    gangs: bool = False
    ships: bool = True


@dataclass(frozen=True, slots=True)
class Resources:
    """What one slot has.

    Attributes:
        cpus: cores for each attempt; thread pools in it are capped to this.
        gpus: accelerators for each attempt.
        memory: bytes of data an attempt may allocate, None for no limit.
    """

    cpus: int = 1
    gpus: int = 0
    memory: int | None = None


@dataclass(frozen=True, slots=True)
class Work:
    """What all attempts of a sweep share; sent to slots once.

    Attributes:
        objective: called with a trial context.
        metric: the name a bare number is recorded under; or several.
        data: by name; ndarrays, Arrow tables, pandas or Spark data frames.
        code: folders whose modules the objective is imported from; shipped to slots.
        isolation: "recycled", "fresh", or "kept": a process executes attempts for as long as it is as it was born,
            however long they take.
        resources: of a slot.
        parallelism: how many slots at most, None for all there are.
        spool: folder on the driver that takes artifacts; it outlives the executor. None for one that does not.
        checkpoints: folder on storage that the driver and all slots have, made if missing, which takes a checkpoint
            folder for each unit; whoever gave it removes it. None for folders that stay on their host.
        artifacts: the same for each attempt's artifacts, which then are not sent: they stay where they were written.
        autolog: MLflow's flavors that log by themselves, with the options of each.
        nested: what becomes of runs that an attempt makes inside its own: "keep", "merge" or "refuse".
        payload_limit: bytes that an attempt may give back; one that gives more fails, in its slot.
        threads: that native pools of an attempt are kept to; None for the cores of a slot.
        tracked: in slots ``mlflow`` is the run of the trial; else it is as it would be without us.
        gang: slots that each attempt takes, a process in each; more than 1 where the executor has ``gangs``.
    """

    objective: Callable[[object], object]
    metric: Sequence[str] = ("loss",)
    data: Mapping[str, object] = field(default_factory=dict)
    code: Sequence[str] = ()
    isolation: str = "recycled"
    resources: Resources = field(default_factory=Resources)
    parallelism: int | None = None
    spool: str | None = None
    checkpoints: str | None = None
    artifacts: str | None = None
    autolog: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    nested: str = "keep"
    payload_limit: int = PAYLOAD_LIMIT
    threads: int | None = None
    tracked: bool = True
    gang: int = 1


@dataclass(frozen=True, slots=True)
class Started:
    """An attempt began in a slot."""

    attempt: str
    host: str
    time: float


@dataclass(frozen=True, slots=True)
class Reported:
    """An attempt reported; an executor that streams waits for ``answer(attempt, index, …)``.

    Attributes:
        index: counts the reports of the attempt, from 0.
    """

    attempt: str
    index: int
    report: Report


@dataclass(frozen=True, slots=True)
class Logged:
    """An attempt logged through MLflow; nobody waits for an answer."""

    attempt: str
    log: RunLog


@dataclass(frozen=True, slots=True)
class Questioned:
    """An attempt sent text for the front door of its sweep.

    Attributes:
        number: of the question.
        body: the text, as a user's code may have made it; of bounded length.
        waits: the attempt waits for ``reply(attempt, number, …)``.
    """

    attempt: str
    number: int
    body: str
    waits: bool


@dataclass(frozen=True, slots=True)
class Ended:
    """An attempt ended by itself, by ``stop`` or by its limits."""

    attempt: str
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Lost:
    """An attempt ended because what it ran on went away; nothing is known of it.

    Attributes:
        message: what was lost, for a person.
        charged: the attempt had begun, so a trial that kills its worker each time is found by counting these.
    """

    attempt: str
    message: str
    charged: bool = True


@dataclass(frozen=True, slots=True)
class SlotsChanged:
    """How many slots there are now; an attempt of a gang takes several."""

    slots: int


def no_gangs(name: str, gang: object) -> str:
    """Why an executor cannot execute gangs, for a person."""
    return (
        f"executor {name!r} executes attempts of one process, not gangs of {gang}; take executor='resident' on a "
        "session with a SparkContext (that of Spark Connect has none), or executor='processes', which needs no Spark"
    )


def refuse_gangs(name: str, work: Work) -> None:
    """For executors without gangs.

    Raises:
        SetupError: attempts are to be gangs.
    """
    if work.gang > 1:
        raise SetupError(no_gangs(name, work.gang))


Event = Started | Reported | Logged | Questioned | Ended | Lost | SlotsChanged


class Executor(ABC):
    """Executes attempts.

    Ownership: whoever makes an executor closes it; ``close`` ends every attempt and leaves no process, but for workers
    that wait for the next executor of their application and hold nothing of this one. Threads:
    ``submit``, ``answer``, ``stop`` and ``events`` from one thread; an executor has its own threads and speaks
    through ``events`` alone. Order: Started, then Reported in the order made, then exactly one of Ended or Lost for
    each submitted attempt; an attempt lost or ended before it began may have no Started. Answers from attempts that
    already ended are dropped and counted in ``stale``.
    Retries: none; a lost attempt is reported and the loop decides. Errors: ``submit`` never raises for a failed
    attempt. Without ``gangs`` it is not opened for them: ``SetupError``.
    ``events`` raises ``ExecutorError`` once no attempt can be executed any more, and when a thread of the
    executor died.

    Attributes:
        name: "resident", "jobs", "driver", "inline".
        capabilities: see ``Capabilities``.
        stale: late answers that were refused.
    """

    name: str
    capabilities: Capabilities
    stale: int

    @property
    @abstractmethod
    def slots(self) -> int:
        """How many attempts run at one time now, at least 1 once the executor is ready."""

    @property
    @abstractmethod
    def room(self) -> int:
        """How many more attempts are worth submitting now: free slots, and a little ahead where trials are short."""

    @abstractmethod
    def submit(self, *attempts: Attempt) -> None:
        """Takes attempts; they wait for slots."""

    @abstractmethod
    def events(self, timeout: float | None = None) -> Sequence[Event]:
        """Waits for events and takes all there are; empty after ``timeout`` seconds without any."""

    @abstractmethod
    def answer(self, attempt: str, index: int, stop: bool) -> None:
        """Gives the decision on a report to ``should_stop()`` of the attempt."""

    def reply(self, attempt: str, number: int, body: str) -> None:  # noqa: B027 - nobody asks where nothing streams
        """Gives the reply to a question; nothing where attempts cannot ask, since the executor does not stream."""

    @abstractmethod
    def stop(self, attempt: str, reason: str) -> None:
        """Ends an attempt by force where the executor kills; Ended(KILLED, reason) follows, if it had not ended."""

    @abstractmethod
    def close(self) -> None:
        """Ends everything. May be called twice."""
