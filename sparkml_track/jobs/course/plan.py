"""The tasks of one attempt at a run: what begins now, what is tried again, what is left out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sparkml_track.config.sections.jobs import TaskSettings
from sparkml_track.jobs.course.rules import verdict
from sparkml_track.jobs.course.states import TaskState

__all__ = ["Plan", "Progress"]


@dataclass
class Progress:
    """How far a task is.

    Attributes:
        state: of the task.
        tries: begun in this attempt.
        not_before: on the clock of the run, when a task that failed may be tried again.
        kept: from an earlier attempt, which is not done again.
    """

    state: TaskState = TaskState.WAITING
    tries: int = 0
    not_before: float = 0.0
    kept: bool = False


class Plan:
    """The tasks of one attempt. Times are seconds of any clock that does not go back.

    Args:
        tasks: by name, without a circle.
        kept: what became of tasks that an earlier attempt has done.
    """

    def __init__(self, tasks: Mapping[str, TaskSettings], kept: Mapping[str, TaskState] | None = None) -> None:
        self.tasks = dict(tasks)
        self.progress = {name: Progress() for name in tasks}
        for name, state in (kept or {}).items():
            self.progress[name] = Progress(state, kept=True)

    def settle(self) -> Iterator[tuple[str, TaskState]]:
        """Marks tasks that will not run, and gives each with its state; as often as one follows from another."""
        moved = True
        while moved:
            moved = False
            for name in self._waiting():
                state = verdict(self.tasks[name].when, self._needed(name))
                if state is not None and state.ended:
                    self.progress[name].state, moved = state, True
                    yield name, state

    def ready(self, now: float) -> tuple[str, ...]:
        """Tasks that may begin, in the order of the file."""
        return tuple(
            name
            for name in self._waiting()
            if self.progress[name].not_before <= now
            and verdict(self.tasks[name].when, self._needed(name)) is TaskState.WAITING
        )

    def begin(self, name: str) -> int:
        """A try begins; gives its number, from 1."""
        one = self.progress[name]
        one.state, one.tries = TaskState.RUNNING, one.tries + 1
        return one.tries

    def end(self, name: str, well: bool, now: float) -> bool:
        """A try has ended; gives whether there will be another."""
        one, task = self.progress[name], self.tasks[name]
        if well or one.tries > task.retries:
            one.state = TaskState.SUCCEEDED if well else TaskState.FAILED
            return False
        one.state, one.not_before = TaskState.WAITING, now + task.retry_wait
        return True

    def interrupt(self) -> tuple[str, ...]:
        """Nothing more begins; gives the tasks that had not begun or were to be tried again."""
        left = self._waiting()
        for name in left:
            self.progress[name].state = TaskState.INTERRUPTED
        return left

    def wake(self) -> float | None:
        """When the next retry may begin; None where none waits for the clock."""
        times = [one.not_before for one in self.progress.values() if one.state is TaskState.WAITING and one.tries]
        return min(times, default=None)

    @property
    def ended(self) -> bool:
        """Whether every task has."""
        return all(one.state.ended for one in self.progress.values())

    @property
    def states(self) -> dict[str, TaskState]:
        """Of all tasks."""
        return {name: one.state for name, one in self.progress.items()}

    def _waiting(self) -> tuple[str, ...]:
        return tuple(name for name, one in self.progress.items() if one.state is TaskState.WAITING)

    def _needed(self, name: str) -> list[TaskState]:
        return [self.progress[each].state for each in self.tasks[name].needs]
