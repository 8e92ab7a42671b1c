"""Tables that remember what was read and what was written from it, for whoever records lineage.

A DataFrame says itself from which files it is computed, so a write of one has exactly the tables of those files as
sources. An Arrow table says nothing: its sources are all that was read until then.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote, urlparse

from sparkml_track.address import is_address
from sparkml_track.refs import TableRef

if TYPE_CHECKING:
    import pyarrow as pa

    from sparkml_track.tables import Moment, Tables

__all__ = ["Watch", "watched"]


@dataclass(frozen=True)
class Watch:
    """What was done with tables.

    Attributes:
        read: each version that was read, in order.
        written: each version that was made, with the versions it was made from.
    """

    read: dict[TableRef, None] = field(default_factory=dict)
    written: dict[TableRef, tuple[TableRef, ...]] = field(default_factory=dict)

    def sources(self, data: Any) -> tuple[TableRef, ...]:
        """The versions that data which is written was computed from."""
        files = None
        if hasattr(data, "inputFiles"):
            # A plan may be one that cannot say; then all that was read counts.
            with suppress(Exception):
                files = {Path(unquote(urlparse(str(uri)).path)) for uri in data.inputFiles()}
        if files is None:
            return tuple(self.read)
        # Spark names no files of tables in object stores: tasks read those.
        return tuple(
            ref for ref in self.read if is_address(ref.path) or any(file.is_relative_to(ref.path) for file in files)
        )


def watched(tables: Tables, watch: Watch) -> Tables:
    """The same tables; what is read and written through them is noted.

    Args:
        tables: which do the work.
        watch: where it is noted.
    """
    return cast("Tables", _WatchedTables(tables, watch))


class _WatchedTables:
    """Passes everything on, reads and writes with a note."""

    def __init__(self, tables: Tables, watch: Watch) -> None:
        self._tables = tables
        self._watch = watch

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tables, name)

    def read(self, table: TableRef | str, at: Moment | None = None) -> Any:
        ref = table if isinstance(table, TableRef) else self._tables.pin(table, at)
        frame = self._tables.read(ref)
        self._watch.read[ref] = None
        return frame

    def to_arrow(
        self, table: TableRef | str, columns: Sequence[str] | None = None, at: Moment | None = None
    ) -> pa.Table:
        ref = table if isinstance(table, TableRef) else self._tables.pin(table, at)
        rows = self._tables.to_arrow(ref, columns)
        self._watch.read[ref] = None
        return rows

    def write(self, name: str, data: Any, **how: Any) -> TableRef:
        sources = self._watch.sources(data)
        made = self._tables.write(name, data, **how)
        self._watch.written[made] = sources
        return made

    def merge(self, name: str, data: Any, **how: Any) -> TableRef:
        sources = self._watch.sources(data)
        made = self._tables.merge(name, data, **how)
        self._watch.written[made] = sources
        return made
