"""States of tasks and runs, as system tables have them."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["RunState", "TaskState"]


class TaskState(StrEnum):
    """What became of a task."""

    WAITING = "waiting"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    #: The run was interrupted while it ran, or before it could.
    INTERRUPTED = "interrupted"
    #: It did not run, because others failed.
    UPSTREAM_FAILED = "upstream_failed"
    #: It did not run, and nothing is wrong: it is for failures that did not come.
    EXCLUDED = "excluded"

    @property
    def ended(self) -> bool:
        """Whether nothing more comes."""
        return self not in (TaskState.WAITING, TaskState.RUNNING)

    @property
    def well(self) -> bool:
        """Whether a repair leaves it as it is."""
        return self in (TaskState.SUCCEEDED, TaskState.EXCLUDED)


class RunState(StrEnum):
    """What became of a run."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    #: Its process ended without a word.
    LOST = "lost"
    #: Its time came while another run of the job was under way.
    SKIPPED = "skipped"
