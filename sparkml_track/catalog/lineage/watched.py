"""Tables that remember what was read and what was written from it, for whoever records lineage."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from sparkml_track.governance.sources.columns import columns_written
from sparkml_track.governance.sources.watch import Watch
from sparkml_track.refs import TableRef

if TYPE_CHECKING:
    import pyarrow as pa

    from sparkml_track.tables import Moment, Tables

__all__ = ["watched"]


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
        columns = columns_written(made, data, how.get("mode"), self._watch, self._tables)
        if columns is not None:
            self._watch.columns[made] = columns
        return made

    def merge(self, name: str, data: Any, **how: Any) -> TableRef:
        sources = self._watch.sources(data)
        made = self._tables.merge(name, data, **how)
        self._watch.written[made] = sources
        return made
