"""Spark's loggers are off while its tasks are cancelled, and as they were after it."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from sparkml_track.executors._spark.quiet import LOGGERS, Quiet, hush


class Log4j:
    """As much of it as is used: levels by name, those of loggers without one come from the root."""

    def __init__(self, **levels: str) -> None:
        self.levels: dict[str, str] = {LOGGERS[0]: "DEBUG", "org.other": "INFO"}
        config = SimpleNamespace(
            getLoggers=lambda: SimpleNamespace(containsKey=self.levels.__contains__),
            getLoggerConfig=lambda name: SimpleNamespace(getLevel=lambda: self.levels.get(name, "ERROR")),
            removeLogger=lambda name: self.levels.pop(name, None),
        )
        context = SimpleNamespace(getConfiguration=lambda: config, updateLoggers=lambda: None)
        self.LogManager = SimpleNamespace(getContext=lambda _: context)
        self.Level = SimpleNamespace(OFF="OFF")
        self.core = SimpleNamespace(
            config=SimpleNamespace(Configurator=SimpleNamespace(setLevel=self.levels.__setitem__))
        )


def quiet() -> tuple[Quiet, dict[str, str], list[Callable[[], None]]]:
    log4j, waiting = Log4j(), []
    jvm = SimpleNamespace(org=SimpleNamespace(apache=SimpleNamespace(logging=SimpleNamespace(log4j=log4j))))
    return Quiet(jvm, lambda _, call: waiting.append(call)), log4j.levels, waiting


def test_the_loggers_are_off_while_tasks_are_cancelled_and_restored_after() -> None:
    hushed, levels, waiting = quiet()
    before = dict(levels)
    hushed.hush()
    assert {levels[name] for name in LOGGERS} == {"OFF"}
    assert levels["org.other"] == "INFO"
    waiting[0]()
    assert levels == before


def test_a_later_cancel_keeps_them_off_and_the_first_levels_are_restored() -> None:
    hushed, levels, waiting = quiet()
    before = dict(levels)
    hushed.hush()
    hushed.hush()
    waiting[0]()
    assert {levels[name] for name in LOGGERS} == {"OFF"}
    waiting[1]()
    assert levels == before


def test_a_jvm_that_is_gone_costs_messages_only() -> None:
    class Gone:
        @property
        def _jvm(self) -> Any:
            raise ConnectionRefusedError

    hush(Gone())
