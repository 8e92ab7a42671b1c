"""What else runs in a Spark application: seen through its status tracker, a call or two for each stage."""

from __future__ import annotations

from typing import Any

from sparkml_track.executors._launchers import Others

__all__ = ["MARK", "SparkOthers"]

#: How the stages of workers are called, before the executor's token.
MARK = "sparkml worker"


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
