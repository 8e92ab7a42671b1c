"""Every error that leaves the package, and what happens next.

    SparkmlError                exit 1
    |-- InvalidInput            exit 2: what the user wrote is wrong; nothing was started; all problems at once
    |   |-- ConfigError         a config file
    |   |-- SpaceError          a search space or a point of it
    |   |-- SpecError           the arguments of a sweep
    |   `-- ObjectiveError      the objective cannot be found, called or shipped
    |-- SetupError              this machine lacks something (Java, a package, a writable home)
    |-- DataError               the data cannot be used (empty split, wrong columns)
    |-- TableError              a table is missing, foreign or in conflict
    |   `-- AccessDenied        nobody granted it
    |-- OnlineStoreError        an online store is away, refuses, or lacks a table
    |-- SyncError              another catalog is away or refuses
    |-- QueryError              a query failed, was interrupted or took too long while it was executed
    |-- TrackingError           the tracking store refused or failed; accepted results are in the journal
    |   |-- TrackingUnavailable it may come back: publishing is retried
    |   |-- TrackingDenied      credentials: no new trials, results kept
    |   `-- TrackingSchemaError the database is of another schema revision
    |-- RegistryError           the model registry refused or failed
    |-- ExecutorError           attempts can no longer be executed; the sweep can be resumed
    |   |-- PreflightError      slots differ from the driver; refused before trial 0
    |   `-- SlotsLost           no slot came back within the bound
    |-- JournalError            the journal cannot be written or read
    |-- LeaseHeld               another live driver has this sweep
    |-- JobRunning              another run of this job is under way
    |-- ResumeRefused           spec, space, data or code changed
    |-- SweepStopped            too many failures; the message says what to do
    `-- NotBuilt                named by the contract, not there yet (also a NotImplementedError)

A message says what happened, the value got, what is allowed and the way out.
"""

from __future__ import annotations

__all__ = [
    "AccessDenied",
    "ConfigError",
    "DataError",
    "ExecutorError",
    "InvalidInput",
    "JobRunning",
    "JournalError",
    "LeaseHeld",
    "NotBuilt",
    "ObjectiveError",
    "OnlineStoreError",
    "PreflightError",
    "QueryError",
    "RegistryError",
    "ResumeRefused",
    "SetupError",
    "SlotsLost",
    "SpaceError",
    "SparkmlError",
    "SpecError",
    "SweepStopped",
    "SyncError",
    "TableError",
    "TrackingDenied",
    "TrackingError",
    "TrackingSchemaError",
    "TrackingUnavailable",
]


class SparkmlError(Exception):
    """Base of all errors of this package.

    Attributes:
        exit_code: what a command ends with when this error reaches it.
    """

    exit_code = 1


class InvalidInput(SparkmlError, ValueError):
    """What the user wrote is wrong. Takes one message for each problem; nothing was started.

    Args:
        problems: one sentence each, with the value got and what is allowed.
    """

    exit_code = 2

    def __init__(self, *problems: str) -> None:
        super().__init__(*problems)
        self.problems = problems

    def __str__(self) -> str:
        if len(self.problems) == 1:
            return self.problems[0]
        return f"{len(self.problems)} problems:" + "".join(f"\n  - {problem}" for problem in self.problems)


class ConfigError(InvalidInput):
    """A config file does not say what it must."""


class SpaceError(InvalidInput):
    """A search space, or a point given for it, is not valid."""


class SpecError(InvalidInput):
    """The arguments of a sweep are not valid."""


class ObjectiveError(InvalidInput):
    """The objective cannot be imported, called with a trial, or sent to slots."""


class SetupError(SparkmlError):
    """This machine lacks something the package needs."""


class DataError(SparkmlError):
    """The data cannot be used as asked."""


class TableError(SparkmlError):
    """A table is missing, cannot be read, or a write to it was refused."""


class AccessDenied(TableError):
    """Whoever runs this process was not granted what it wants to do with a table."""


class OnlineStoreError(SparkmlError):
    """An online store is away, refuses, or does not have what is asked."""


class SyncError(SparkmlError):
    """Another catalog is away, refuses, or is none."""


class QueryError(SparkmlError):
    """A query failed while it was executed: by its data, its timeout, an interrupt or a lack of memory."""


class TrackingError(SparkmlError):
    """The tracking store refused or failed."""


class TrackingUnavailable(TrackingError):
    """The tracking store cannot be reached now; publishing is retried from the journal."""


class TrackingDenied(TrackingError):
    """The tracking store refused the credentials."""


class TrackingSchemaError(TrackingError):
    """The tracking database is of another schema revision than the installed MLflow."""


class RegistryError(SparkmlError):
    """The model registry refused or failed."""


class ExecutorError(SparkmlError):
    """Attempts can no longer be executed; accepted results are kept and the sweep can be resumed."""


class PreflightError(ExecutorError):
    """The slots cannot execute this sweep; found before trial 0."""


class SlotsLost(ExecutorError):
    """No slot is left and none came back within the bound."""


class JournalError(SparkmlError):
    """The journal cannot be written or read."""


class LeaseHeld(SparkmlError):
    """Another live process holds this sweep or pipeline."""


class JobRunning(SparkmlError):
    """Another run of this job is under way."""


class ResumeRefused(SparkmlError):
    """The sweep to go on with is not the one that was started."""


class SweepStopped(SparkmlError):
    """Too many trials failed or too much was lost; the sweep stopped early."""


class NotBuilt(SparkmlError, NotImplementedError):
    """The contract names it and this release does not have it."""
