"""The contract of trackers: one parent run, one child run for each started trial."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sparkml_track import schema
from sparkml_track.refs import DataRef
from sparkml_track.trackers._content import Content
from sparkml_track.trackers._whole import WholeRun
from sparkml_track.trial import UNMEASURED, Report, RunLog, State, Usage

__all__ = ["Aggregate", "ChildRun", "ParentEnd", "ParentRun", "StoredChild", "StoredParent", "Tracker"]


@dataclass(frozen=True, slots=True)
class ParentRun:
    """What is known of a sweep when it starts.

    Attributes:
        sweep: the sweep id; a tracker finds the run again by it.
        name: shown in the UI.
        experiment: the experiment's name; made if missing.
        params: the flattened spec, shown as the run's params.
        tags: code version, environment, Spark facts.
        data: logged as dataset inputs.
        inputs: dataset inputs beside those, as another store has them.
        artifacts: artifact path to content: what is searched, by what code, in what environment.
        started: seconds since the epoch.
    """

    sweep: str
    name: str
    experiment: str
    params: Mapping[str, object] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    data: Sequence[DataRef] = ()
    inputs: Sequence[Mapping[str, object]] = ()
    artifacts: Mapping[str, Content] = field(default_factory=dict)
    started: float = 0.0


@dataclass(frozen=True, slots=True)
class ChildRun:
    """A trial as it is published.

    Attributes:
        number: the trial's.
        params: flattened with dots, plain values.
        state: RUNNING shows the trial while it runs; a terminal state ends the run.
        metrics: the final metrics.
        reports: metrics by step with true times, in the order they came.
        logged: through MLflow, beside those.
        started: seconds since the epoch.
        duration: seconds; 0 while running.
        attempts: how many there were.
        reason: one of ``schema.REASONS``, empty if finished.
        message: for a person; at most 4 KB.
        log: kept as the artifact ``log.txt`` when not empty.
        host: of the accepted attempt.
        artifacts: folder on the driver with what the attempt left, None for nothing; removed once the store has it.
        in_place: the folder is on storage that outlives the sweep; a tag names it, it is neither copied nor removed.
        usage: what the accepted attempt took of its host.
    """

    number: int
    params: Mapping[str, object]
    state: State
    metrics: Mapping[str, float] = field(default_factory=dict)
    reports: Sequence[Report] = ()
    logged: RunLog = field(default_factory=RunLog)
    started: float = 0.0
    duration: float = 0.0
    attempts: int = 1
    reason: str = ""
    message: str = ""
    log: str = ""
    host: str = ""
    artifacts: Path | None = None
    in_place: bool = False
    usage: Usage = UNMEASURED

    @property
    def log_file(self) -> dict[str, str]:
        """The log by its path, nothing if it is empty; a ``log.txt`` that the trial left stays as it is."""
        if not self.log:
            return {}
        left = self.artifacts is not None and not self.in_place and (self.artifacts / schema.ARTIFACT_LOG).exists()
        return {schema.ARTIFACT_LOG_BESIDE if left else schema.ARTIFACT_LOG: self.log}


@dataclass(frozen=True, slots=True)
class Aggregate:
    """One child metric over all finished trials; p05 to p95 are percentiles, linear between two values."""

    count: int
    mean: float
    std: float
    min: float
    p05: float
    p25: float
    p50: float
    p75: float
    p95: float
    max: float


@dataclass(frozen=True, slots=True)
class ParentEnd:
    """How a sweep ended.

    Attributes:
        state: FINISHED only if the accounting invariants hold; KILLED when a person ended it.
        metrics: the best value, counts and aggregates, flattened.
        tags: the digest, the best trial.
        artifacts: artifact path to content (JSON, HTML).
        ended: seconds since the epoch.
        reports: metrics by step with true times, the curves of the sweep; for a metric that ``metrics`` has too the
            last step has the same value.
    """

    state: State
    metrics: Mapping[str, float] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    artifacts: Mapping[str, Content] = field(default_factory=dict)
    ended: float = 0.0
    reports: Sequence[Report] = ()


@dataclass(frozen=True, slots=True)
class StoredChild:
    """A child run as the store has it, for ``verify``.

    Attributes:
        run_id: the store's.
        number: the trial's.
        state: from ``sparkml.state``.
        status: MLflow's, which its UI shows: RUNNING, FINISHED, FAILED or KILLED.
        metrics: the latest value of each.
        params: as stored, text.
        attempts: as stored.
        reason: as stored, one of ``schema.REASONS`` or empty.
        artifacts: the folder that is named because its files stay where they are; else empty.
        message: as stored, for a person.
        host: as stored.
        started: seconds since the epoch.
        duration: seconds; 0 while running.
        usage: as stored.
    """

    run_id: str
    number: int
    state: State
    status: str
    metrics: Mapping[str, float]
    params: Mapping[str, str]
    attempts: int
    reason: str = ""
    artifacts: str = ""
    message: str = ""
    host: str = ""
    started: float = 0.0
    duration: float = 0.0
    usage: Usage = UNMEASURED


@dataclass(frozen=True, slots=True)
class StoredParent:
    """A parent run as the store has it, for ``verify``.

    Attributes:
        run_id: the store's.
        experiment_id: where it is.
        sweep: the sweep id.
        status: MLflow's: RUNNING, FINISHED, FAILED or KILLED.
        metrics: the latest value of each.
        params: as stored, text.
        tags: all of them.
    """

    run_id: str
    experiment_id: str
    sweep: str
    status: str
    metrics: Mapping[str, float]
    params: Mapping[str, str]
    tags: Mapping[str, str]


class Tracker(ABC):
    """Writes runs to a tracking store. Only the driver has one.

    Ownership: whoever makes a tracker closes it. Threads: one thread at a time (the publisher's, after ``start``).
    Idempotence: every method may be called again with the same values after a failure whose outcome is unknown,
    and leaves the store as if it had been called once. ``start`` finds the parent by the sweep id, ``publish`` finds
    child runs by ``sparkml.key``; a child that is terminal in the store stays as it is, but that what ``artifacts`` has
    is added to it.
    Errors: ``TrackingUnavailable`` (try again), ``TrackingDenied``, ``TrackingSchemaError``, else ``TrackingError``.
    Never anything foreign.

    Attributes:
        uri: of the store, without secrets, for messages.
    """

    uri: str

    @abstractmethod
    def start(self, parent: ParentRun) -> tuple[str, str]:
        """Creates or finds the parent run, RUNNING.

        Returns:
            The run id and the experiment id.
        """

    @abstractmethod
    def publish(self, run_id: str, children: Sequence[ChildRun]) -> Mapping[int, str]:
        """Creates or brings up to date the child runs of one parent, all or those before an error.

        Returns:
            Trial number to run id, for those given.
        """

    @abstractmethod
    def finish(self, run_id: str, end: ParentEnd) -> None:
        """Writes the summary to the parent run, then ends it."""

    @abstractmethod
    def children(self, run_id: str) -> Iterator[StoredChild]:
        """All active child runs of a parent, by complete paging, in no given order; duplicates included."""

    @abstractmethod
    def nested(self, run_id: str) -> Mapping[str, int]:
        """Active runs inside those of a parent's trials, at any depth: how many there are for each id from a slot."""

    @abstractmethod
    def restore_nested(self, run_id: str, ids: Collection[str]) -> int:
        """Brings back deleted runs inside those of a parent's trials, by their ids from a slot; how many.

        Of one id one run comes back, and none where one is active.
        """

    @abstractmethod
    def runs_of(self, run_id: str, numbers: Collection[int]) -> Mapping[int, str]:
        """The run ids of the child runs of some trials, by number; those without one are left out."""

    @abstractmethod
    def find(self, sweep: str) -> str | None:
        """The parent run of a sweep id, None if there is none."""

    @abstractmethod
    def parent(self, run_id: str) -> StoredParent:
        """A parent run as it is stored; ``TrackingError`` if there is none, or it is not a sweep."""

    @abstractmethod
    def whole_parent(self, run_id: str) -> WholeRun:
        """A parent run with all that was written to it; errors as of ``parent``."""

    @abstractmethod
    def whole_children(self, run_id: str) -> Iterator[WholeRun]:
        """All active child runs of a parent, with all that was written to them and to the runs inside them."""

    @abstractmethod
    def fetch(self, run: WholeRun, folder: Path) -> None:
        """Copies the files of a run and of its models to a folder, as a trial leaves them: models below ``models``.

        The folder is made; what is there goes. Where the store keeps no files of a run, it is empty.
        """

    @abstractmethod
    def reopen(self, run_id: str, numbers: Sequence[int]) -> None:
        """Makes terminal child runs of these trials RUNNING again, because they are to be executed again.

        Trials without a child run are passed over. The next ``publish`` may end them anew.
        """

    @abstractmethod
    def reconcile(self, run_id: str) -> int:
        """Leaves one child run for each trial where requests that were thought lost made several.

        Returns:
            How many were deleted.
        """

    @abstractmethod
    def remove(self, run_id: str) -> int:
        """Deletes a parent run and all of its child runs, the parent last; ``restore`` brings them back.

        Returns:
            How many runs were deleted.
        """

    @abstractmethod
    def restore(self, run_id: str) -> int:
        """Brings back what ``remove`` deleted.

        Returns:
            How many runs there are again.
        """

    @abstractmethod
    def close(self) -> None:
        """Lets go of connections. May be called twice."""
