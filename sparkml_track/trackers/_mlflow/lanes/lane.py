"""The contract of lanes: the ways to write runs into one kind of store.

    find_experiment -> search -> create_run -> log, log_inputs         a parent run starts
    places -> (the tracker keeps files) -> write, batch by batch      child runs are published
    log -> location -> (files) -> end                                 a parent run ends

All lanes leave the same rows for the same calls. A lane knows nothing of files: a child run that is terminal in the
store is complete, so its files are kept between ``places`` and ``write``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import NamedTuple

from sparkml_track.adapters.mlflow.datasets import Input
from sparkml_track.adapters.mlflow.errors import translated
from sparkml_track.adapters.mlflow.uri import redacted
from sparkml_track.adapters.mlflow.values import Point
from sparkml_track.trackers._base import ChildRun, StoredChild
from sparkml_track.trackers._rows import Parent
from sparkml_track.trackers._whole import WholeRun

__all__ = ["Entry", "Lane", "Place", "StoredRun"]


class Place(NamedTuple):
    """Where the child run of a trial is, or will be.

    Attributes:
        run_id: the store's.
        location: of its artifacts.
        ended: it is there with a terminal status, and stays as it is.
        deleted: a person deleted it, and it stays so; ``verify`` reports it.
    """

    run_id: str
    location: str
    ended: bool = False
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """A child run as it is to be written.

    Attributes:
        child: the trial.
        place: where. If it has ended, files came late and tags alone are written.
        tags: all of them, with what there is to say of its files.
    """

    child: ChildRun
    place: Place
    tags: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class StoredRun:
    """A run as the store has it.

    Attributes:
        experiment_id: where it is.
        status: MLflow's.
        metrics: the latest value of each.
        params: as stored, text.
        tags: all of them.
    """

    experiment_id: str
    status: str
    metrics: Mapping[str, float]
    params: Mapping[str, str]
    tags: Mapping[str, str]


class Lane(ABC):
    """Writes runs into one store. Names and values come as they are stored.

    Ownership: the tracker that has it closes it. Threads: one at a time, as for trackers.
    Errors: everything is called inside ``translated``, and what a lane lets through becomes ours there. Retries: none;
    all but ``create_run`` may be called again with the same arguments. What was known before an error is forgotten.

    Args:
        uri: of the tracking store.

    Attributes:
        uri: without secrets, for messages.
        full_uri: as given.
        at_once: how many child runs a batch has at most. Half a batch may be written where the store has no
            transactions, so this is small for such.
    """

    at_once = 1

    def __init__(self, uri: str) -> None:
        self.uri = redacted(uri)
        self.full_uri = uri

    def translated(self) -> AbstractContextManager[None]:
        """The block in which foreign errors become ours."""
        return translated(self.full_uri)

    def check(self) -> None:  # noqa: B027  most stores say at once that they are away
        """Raises at once if the store is away, where other calls would try for minutes."""

    # ------------------------------------------------------------------------------------------------ parent runs

    @abstractmethod
    def find_experiment(self, name: str) -> str:
        """The id of an experiment, made if it is missing; ``TrackingError`` if it is deleted."""

    @abstractmethod
    def restore_nested(self, parent: Parent, ids: Collection[str]) -> int:
        """Restores runs inside those of trials, one for each id from a slot that has no active one; how many."""

    @abstractmethod
    def experiment_name(self, experiment_id: str) -> str:
        """The name of an experiment that is there."""

    @abstractmethod
    def search(self, sweep: str, experiment_id: str | None = None) -> str | None:
        """The active parent run of a sweep, in one experiment or in any; None if there is none."""

    @abstractmethod
    def create_run(self, experiment_id: str, started: int, tags: Mapping[str, str]) -> str:
        """Makes a RUNNING run; ``started`` in milliseconds. An answer may be lost: ``search`` before another try.

        Returns:
            The run id.
        """

    @abstractmethod
    def run(self, run_id: str) -> StoredRun:
        """A run; an error with its id if there is none."""

    @abstractmethod
    def log(self, run_id: str, params: Mapping[str, str], points: Iterable[Point], tags: Mapping[str, str]) -> None:
        """Adds values to an active run; params that are there must not be given again."""

    @abstractmethod
    def log_inputs(self, run_id: str, data: Sequence[Input]) -> None:
        """Adds dataset inputs."""

    @abstractmethod
    def end(self, run_id: str, status: str, ended: int | None) -> None:
        """Sets the status; ``ended`` in milliseconds, None for a run that goes on."""

    def models_root(self, experiment_id: str) -> str | None:  # noqa: ARG002
        """Where models of trials are kept; None where they stay below the artifacts of their child run."""
        return None

    @abstractmethod
    def location(self, run_id: str) -> str:
        """Where the artifacts of a run are."""

    # ------------------------------------------------------------------------------------------------- child runs

    @abstractmethod
    def places(self, parent: Parent, children: Sequence[ChildRun]) -> Mapping[int, Place]:
        """Where the child runs of a batch are, by trial; each trial is given once.

        A store that chooses ids makes those that are missing, RUNNING and with their tags.
        """

    @abstractmethod
    def write(self, parent: Parent, entries: Sequence[Entry]) -> Collection[int]:
        """Writes a batch. What a child run had while it was RUNNING may be of a lost attempt, and goes.

        Returns:
            The trials that were written; the others ended or were deleted since ``places``.
        """

    @abstractmethod
    def runs_of(self, parent: Parent, numbers: Collection[int]) -> Mapping[int, str]:
        """The run ids of active child runs of a few trials."""

    @abstractmethod
    def children(self, parent: Parent) -> Iterator[StoredChild]:
        """All active child runs, in no given order; duplicates included."""

    @abstractmethod
    def nested(self, parent: Parent) -> Mapping[str, int]:
        """Active runs inside those of trials, at any depth: how many for each id from a slot."""

    @abstractmethod
    def whole(self, experiment_id: str, tags: Mapping[str, str]) -> Iterator[WholeRun]:
        """Active runs of an experiment that have these tags, whole but for the runs inside them."""

    @abstractmethod
    def reopen(self, parent: Parent, numbers: Sequence[int]) -> None:
        """Makes terminal child runs of these trials RUNNING again; those that are not there are passed over.

        Runs inside theirs are deleted: the next attempt has its own.
        """

    @abstractmethod
    def reconcile(self, parent: Parent) -> int:
        """Leaves one child run for each trial; how many were deleted."""

    @abstractmethod
    def remove(self, parent: Parent) -> int:
        """Deletes all active runs of a sweep, the parent last; how many. MLflow can restore them."""

    @abstractmethod
    def restore(self, parent: Parent) -> int:
        """Restores what ``remove`` deleted; how many."""

    @abstractmethod
    def close(self) -> None:
        """Lets go of connections. May be called twice."""
