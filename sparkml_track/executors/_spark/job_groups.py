"""Spark jobs of a driver thread: in a group and a pool of their own, or under a tag on Spark Connect."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from typing_extensions import override

from sparkml_track.errors import SlotsLost
from sparkml_track.executors._driver.scope import Scope
from sparkml_track.executors._spark.application import check_running, telling_of_its_end
from sparkml_track.executors._spark.job_submitters import Interrupter, is_connect
from sparkml_track.executors._spark.quiet import hush

__all__ = ["scope_of"]


def scope_of(session: Any) -> Scope:
    """The scope for a session."""
    return _Tags(session) if is_connect(session) else _Groups(session.sparkContext)


class _Groups(Scope):
    """On a classic session. A pool counts where spark.scheduler.mode is FAIR, and is made when it is first named."""

    def __init__(self, context: Any) -> None:
        self._context = context

    @override
    def enter(self, key: str) -> None:
        self._context.setJobGroup(key, f"sparkml_track attempt {key.rpartition('-')[2]}", interruptOnCancel=True)
        self._context.setLocalProperty("spark.scheduler.pool", key)

    @override
    def cancel(self, key: str) -> None:
        hush(self._context)
        with suppress(SlotsLost), telling_of_its_end(self._context):
            self._context.cancelJobGroup(key)

    @override
    def check(self) -> None:
        check_running(self._context)


class _Tags(Scope):
    """On Spark Connect."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self._interrupt = Interrupter(session)

    @override
    def enter(self, key: str) -> None:
        self._session.addTag(key)

    @override
    def cancel(self, key: str) -> None:
        self._interrupt(key)
