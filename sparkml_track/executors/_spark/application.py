"""What else runs in a Spark application, seen through its status tracker, a call or two for each stage; if it runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sparkml_track.errors import SlotsLost
from sparkml_track.executors._resident.launcher import Others

__all__ = ["MARK", "SparkOthers", "any_decommissioned", "check_running", "on_decommissioned", "telling_of_its_end"]

#: How the stages of workers are called, before the executor's token.
MARK = "sparkml worker"


def _has_ended(context: Any) -> bool:
    """Whether the application was stopped, or its JVM has died."""
    try:
        return context._jsc is None or bool(context._jsc.sc().isStopped())  # noqa: SLF001
    except Exception:  # of py4j, or of a socket: depends on where the call was
        return True


def check_running(context: Any) -> None:
    """Looks whether the application still runs.

    Raises:
        SlotsLost: it has ended.
    """
    if _has_ended(context):
        raise SlotsLost(
            "the Spark application has ended: somebody stopped it, or its JVM died; results so far are kept: resume "
            "the sweep in a new application"
        )


@contextmanager
def telling_of_its_end(context: Any) -> Iterator[None]:
    """What fails because the application has ended says so: py4j has a dozen ways to say it.

    Raises:
        SlotsLost: it has ended. Other errors are left as they are.
    """
    try:
        yield
    except SlotsLost:
        raise
    except Exception:
        check_running(context)
        raise


def any_decommissioned(context: Any) -> bool:
    """Whether any Spark executor is being decommissioned."""
    scala = context._jsc.sc()  # noqa: SLF001
    ids, scheduler = scala.getExecutorIds(), scala.taskScheduler()
    return any(scheduler.getExecutorDecommissionState(ids.apply(i)).isDefined() for i in range(ids.size()))


def on_decommissioned(context: Any, group: str) -> bool:
    """Whether a task of a job group runs on a Spark executor that is being decommissioned."""
    scala, tracker = context._jsc.sc(), context.statusTracker()  # noqa: SLF001
    jobs = map(tracker.getJobInfo, tracker.getJobIdsForGroup(group))
    for stage in [stage for job in jobs if job is not None for stage in job.stageIds]:
        tasks = scala.statusStore().taskList(stage, 0, 100)
        for task in (tasks.apply(i) for i in range(tasks.size())):
            leaving = scala.taskScheduler().getExecutorDecommissionState(task.executorId())
            if task.status() == "RUNNING" and leaving.isDefined():
                return True
    return False


class SparkOthers:
    """Looks at the active stages of an application.

    Args:
        context: the SparkContext.
        token: of this executor; its own stages do not count.
    """

    def __init__(self, context: Any, token: str) -> None:
        self._tracker = context.statusTracker()
        self._own = f"{MARK} {token}"
        self._names: dict[int, str] = {}

    def look(self) -> Others:
        """Who else wants slots now."""
        active = waiting = sweeps_waiting = 0
        sweeps: set[str] = set()
        for stage in self._tracker.getActiveStageIds():
            if self._names.get(stage, "") == self._own:
                continue
            info = self._tracker.getStageInfo(stage)
            if info is None:
                continue
            self._names[stage] = info.name
            missing = info.numTasks - info.numActiveTasks - info.numCompletedTasks
            if info.name.startswith(MARK):
                if info.name != self._own:
                    sweeps.add(info.name)
                    sweeps_waiting += missing
            else:
                active += 1
                waiting += missing
        return Others(active, waiting, len(sweeps), sweeps_waiting)
