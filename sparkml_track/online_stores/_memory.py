"""Rows in this process: the twin for tests and for trying things out."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

from typing_extensions import override

from sparkml_track.errors import DataError
from sparkml_track.online_stores._base import OnlineStore
from sparkml_track.online_stores._values import Publication, StoredRow

__all__ = ["MemoryOnlineStore"]


class MemoryOnlineStore(OnlineStore):
    """Keeps all in this object; gone with it."""

    address = "memory:"
    shared: ClassVar[bool] = False

    def __init__(self) -> None:
        super().__init__()
        self._tables: dict[str, tuple[Publication, dict[str, StoredRow]]] = {}
        self._lock = threading.Lock()

    @override
    def publication(self, table: str) -> Publication | None:
        found = self._tables.get(table)
        return found[0] if found else None

    @override
    def names(self) -> tuple[str, ...]:
        return tuple(sorted(self._tables))

    @override
    def drop(self, table: str) -> None:
        self._tables.pop(table, None)

    @override
    def close(self) -> None:
        """Nothing to let go of."""

    @override
    def _replace(self, publication: Publication, rows: Iterator[StoredRow]) -> None:
        made: dict[str, StoredRow] = {}
        for row in rows:
            if row.key in made:
                raise DataError(f"{publication.table} has two rows of the key {row.key}")
            made[row.key] = row
        self._tables[publication.table] = publication, made

    @override
    def _amend(self, publication: Publication, base: str, rows: Iterator[StoredRow], removed: Iterator[str]) -> bool:
        changed, gone = {row.key: row for row in rows}, set(removed)
        with self._lock:
            there = self._tables.get(publication.table)
            if there is None or there[0].generation != base:
                return False
            kept = {key: row for key, row in there[1].items() if key not in gone}
            self._tables[publication.table] = publication, {**kept, **changed}
            return True

    @override
    def _read(self, table: str, keys: Sequence[str]) -> tuple[str, Mapping[str, StoredRow]]:
        there = self._tables.get(table)
        if there is None:
            return "", {}
        publication, rows = there
        return publication.generation, {key: rows[key] for key in keys if key in rows}
