"""What flows read: their functions run once on a stand-in for data frames, which needs no Spark and reads nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sparkml_track.adapters.spark.stand_in import StandIn, without_session
from sparkml_track.errors import InvalidInput
from sparkml_track.pipelines.declared.doors import reading
from sparkml_track.pipelines.declared.values import Query

__all__ = ["Reads", "recorded"]


@dataclass(frozen=True, slots=True)
class Reads:
    """What one query reads.

    Attributes:
        tables: names of tables and views that are read whole, as the query names them.
        streams: names of tables of which the new rows are read, with whether changes are passed over.
        outside: whether it reads rows through the session itself, which have no versions.
        outside_stream: whether it reads a stream through the session.
        problem: what the function raised on the stand-in; then it may read more than is known.
    """

    tables: Sequence[str] = ()
    streams: dict[str, bool] = field(default_factory=dict)
    outside: bool = False
    outside_stream: bool = False
    problem: str = ""


class _Recorder:
    def __init__(self) -> None:
        self.tables: dict[str, None] = {}
        self.streams: dict[str, bool] = {}
        self.uses: set[str] = set()

    def table(self, name: str) -> Any:
        self.tables[name] = None
        return StandIn()

    def stream(self, name: str, *, skip_changes: bool) -> Any:
        self.streams[name] = skip_changes
        return StandIn()

    def session(self, use: str) -> Any:
        self.uses.add(use)
        return StandIn()


def recorded(query: Query) -> Reads:
    """Runs a query on a stand-in.

    Raises:
        InvalidInput: the query is wrong whatever it reads.
    """
    recorder, problem = _Recorder(), ""
    try:
        with reading(recorder), without_session(StandIn()):
            query()
    except InvalidInput:
        raise
    except Exception as error:  # noqa: BLE001  # the stand-in is no data frame, and a user's mistake shows when it runs
        problem = f"{type(error).__name__}: {str(error)[:200]}"
    return Reads(tuple(recorder.tables), recorder.streams, "read" in recorder.uses, "stream" in recorder.uses, problem)
