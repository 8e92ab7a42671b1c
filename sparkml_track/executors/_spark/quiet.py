"""Spark prints a stack trace for each task that a sweep cancels: while we do, the loggers that print them are off."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

__all__ = ["LOGGERS", "Quiet", "hush"]

_log = logging.getLogger(__name__)
#: Who prints when a task is ended by force.
LOGGERS = (
    "org.apache.spark.api.python.BasePythonRunner",
    "org.apache.spark.api.python.PythonRunner",
    "org.apache.spark.executor.Executor",
    "org.apache.spark.scheduler.DAGScheduler",
    "org.apache.spark.scheduler.TaskSchedulerImpl",
    "org.apache.spark.scheduler.TaskSetManager",
    "org.apache.spark.util.Utils",
)
#: Seconds in which tasks that were cancelled have ended; nothing says when the last one has. Spark itself waits two
#: (spark.python.task.killTimeout) before it ends a task's Python process and prints.
_LASTS = 5.0


class Quiet:
    """The loggers of one JVM. Threads: any.

    Args:
        jvm: py4j's view of it.
        later: calls something after some seconds.
    """

    def __init__(self, jvm: Any, later: Callable[[float, Callable[[], None]], None]) -> None:
        self._jvm = jvm
        self._later = later
        self._lock = threading.Lock()
        self._levels: dict[str, Any] = {}
        self._cancels = 0

    def hush(self) -> None:
        """Sets the loggers off; they come back when ``_LASTS`` seconds have passed since the last call."""
        with self._lock:
            if not self._levels:
                self._set_off()
            self._cancels += 1
            mine = self._cancels
        self._later(_LASTS, lambda: self._restore_after(mine))

    def _set_off(self) -> None:
        log4j = self._jvm.org.apache.logging.log4j
        config = log4j.LogManager.getContext(False).getConfiguration()
        own = {name: config.getLoggers().containsKey(name) for name in LOGGERS}
        levels = {name: config.getLoggerConfig(name).getLevel() if own[name] else None for name in LOGGERS}
        self._levels = levels
        for name in LOGGERS:
            log4j.core.config.Configurator.setLevel(name, log4j.Level.OFF)

    def _restore_after(self, call: int) -> None:
        with self._lock:
            if call == self._cancels and self._levels:
                levels, self._levels = self._levels, {}
                _bravely(lambda: self._restore(levels))

    def _restore(self, levels: dict[str, Any]) -> None:
        log4j = self._jvm.org.apache.logging.log4j
        context = log4j.LogManager.getContext(False)
        for name, level in levels.items():
            if level is None:  # it had no level of its own
                context.getConfiguration().removeLogger(name)
            else:
                log4j.core.config.Configurator.setLevel(name, level)
        context.updateLoggers()


_quiets: dict[int, Quiet] = {}
_lock = threading.Lock()


def hush(context: Any) -> None:
    """Keeps the console of an application quiet while its tasks are cancelled; costs only messages if it cannot.

    Args:
        context: the SparkContext.
    """
    _bravely(lambda: _quiet_of(context).hush())


def _quiet_of(context: Any) -> Quiet:
    jvm = context._jvm  # noqa: SLF001
    with _lock:
        if id(jvm) not in _quiets:
            _quiets.clear()  # one JVM at a time; an earlier one is gone
            _quiets[id(jvm)] = Quiet(jvm, _after)
        return _quiets[id(jvm)]


def _after(seconds: float, call: Callable[[], None]) -> None:
    timer = threading.Timer(seconds, call)
    timer.daemon = True
    timer.start()


def _bravely(call: Callable[[], None]) -> None:
    try:
        call()
    except Exception as error:  # another logging library, or the JVM is gone
        _log.debug("Spark's loggers are left as they are: %s", error)
