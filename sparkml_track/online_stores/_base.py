"""The contract of online stores: the newest row of each key of feature tables, found by key in microseconds."""

from __future__ import annotations

import uuid
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, ClassVar

from sparkml_track.errors import OnlineStoreError
from sparkml_track.online_stores._codec import KeyCodec, RowCodec, instant, utc_schema
from sparkml_track.online_stores._values import (
    EPOCH,
    MICROSECOND,
    Answers,
    OnlineRow,
    Publication,
    StoredRow,
    checked_name,
)

if TYPE_CHECKING:
    import pyarrow as pa

#: Publications that end while one question is asked.
_MOST_TRIES = 20


@dataclass(frozen=True, slots=True)
class _Reader:
    """How the rows of one publication are read."""

    publication: Publication
    keys: KeyCodec
    rows: RowCodec


class OnlineStore(ABC):
    """Published feature tables: one row for each key.

    A publication is seen whole or not at all: readers see the earlier one until the last of its rows is stored, and
    a publisher that is killed leaves the earlier one. Of two publishers of one table the one that ends later holds.

    Threads: any number may read and publish. Processes: too, where ``shared``. Ownership: whoever opens a store closes
    it. Retries: none, except that a connection that was lost is made again once for a read.
    Errors: ``OnlineStoreError``, never anything foreign; secrets of the address are not in it.

    Attributes:
        address: for messages, without secrets.
    """

    address: str
    #: Whether other processes see what is published.
    shared: ClassVar[bool] = True

    def __init__(self) -> None:
        self._readers: dict[str, _Reader] = {}

    def publish(self, publication: Publication, rows: Iterable[pa.RecordBatch]) -> None:
        """Replace all rows of a table.

        Args:
            publication: what is published.
            rows: in batches with the columns of its schema: one row for each key, keys never null.

        Raises:
            DataError: keys are null or repeat, or a type cannot be kept.
            OnlineStoreError: the store is away or refuses.
        """
        made = _stamped(publication)
        self._replace(made, _encoded(made, rows))

    def amend(
        self,
        publication: Publication,
        base: int,
        rows: Iterable[pa.RecordBatch],
        removed: Iterable[pa.RecordBatch] = (),
    ) -> None:
        """Replace the rows of some keys and keep all others.

        Args:
            publication: what is published, with the keys and columns of what is there.
            base: the version that the changes are relative to.
            rows: those of keys that changed or are new, as in ``publish``.
            removed: the keys that are gone, in batches with the key columns.

        Raises:
            DataError: as in ``publish``.
            OnlineStoreError: as in ``publish``; and when the store has another version than ``base``, or other columns.
        """
        made, there = _stamped(publication), self.publication(publication.table)
        if there is None or there.version != base or not there.fits(made):
            raise self._moved(made.table, base)
        keys = KeyCodec(made.keys, made.schema)
        gone = (keys.of_row(row) for batch in removed for row in batch.to_pylist())
        if not self._amend(made, there.generation, _encoded(made, rows), gone):
            raise self._moved(made.table, base)

    def get_many(self, table: str, keys: Sequence[Sequence[object]], *, now: datetime | None = None) -> Answers:
        """Find the newest rows of keys, in one question to the store.

        Args:
            table: a published one.
            keys: each with one value for each key column, in their order. A null finds nothing.
            now: what the age of rows is measured by; None means the time of the call.

        Raises:
            OnlineStoreError: the table is not published, or the store is away.
            DataError: a key is of another type.
        """
        for _ in range(_MOST_TRIES):
            reader = self._reader(table)
            texts = [reader.keys.of_values(key) for key in keys]
            generation, found = self._read(table, list(dict.fromkeys(text for text in texts if text is not None)))
            if generation == reader.publication.generation:
                return _answers(reader, [None if text is None else found.get(text) for text in texts], now)
            self._readers.pop(table, None)  # published anew since it was looked at
        raise OnlineStoreError(f"{table} in {self.address} is published faster than it can be read")

    def version(self, table: str) -> int | None:
        """The version of a table that is published now; None for nothing."""
        there = self.publication(table)
        return None if there is None else there.version

    @abstractmethod
    def publication(self, table: str) -> Publication | None:
        """What is published of a table now; None for nothing."""

    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """The published tables, sorted."""

    @abstractmethod
    def drop(self, table: str) -> None:
        """Forget a table; one that is not there is fine."""

    @abstractmethod
    def close(self) -> None:
        """Let go of connections. May be called twice."""

    @abstractmethod
    def _replace(self, publication: Publication, rows: Iterator[StoredRow]) -> None:
        """Store all rows, then the publication, in one step for readers."""

    @abstractmethod
    def _amend(self, publication: Publication, base: str, rows: Iterator[StoredRow], removed: Iterator[str]) -> bool:
        """Change some rows and the publication in one step; False if ``base`` is not the generation that is there."""

    @abstractmethod
    def _read(self, table: str, keys: Sequence[str]) -> tuple[str, Mapping[str, StoredRow]]:
        """The generation and, of the same moment, the rows of different keys; "" where nothing is published."""

    def _reader(self, table: str) -> _Reader:
        known = self._readers.get(table)
        if known is not None:
            return known
        there = self.publication(checked_name(table))
        if there is None:
            raise OnlineStoreError(
                f"{table} is not published in {self.address}: publish it with `sparkml-track features publish {table}` "
                "or FeatureStore.publish_table"
            )
        made = _Reader(there, KeyCodec(there.keys, there.schema), RowCodec(_values(there), there.schema))
        self._readers[table] = made
        return made

    def _moved(self, table: str, base: int) -> OnlineStoreError:
        there = self.version(table)
        found = "no version" if there is None else f"version {there}"
        return OnlineStoreError(
            f"{self.address} has {found} of {table}, where version {base} with the same columns was to be amended: "
            "publish it whole"
        )


def _stamped(publication: Publication) -> Publication:
    made = replace(publication, schema=utc_schema(publication.schema))
    return replace(made, published=datetime.now(UTC), generation=uuid.uuid4().hex)


def _values(publication: Publication) -> list[str]:
    """The columns of a row beside its key."""
    return [name for name in publication.schema.names if name not in publication.keys]


def _encoded(publication: Publication, batches: Iterable[pa.RecordBatch]) -> Iterator[StoredRow]:
    keys = KeyCodec(publication.keys, publication.schema)
    rows = RowCodec(_values(publication), publication.schema)
    time, version = publication.timestamp, publication.version
    for batch in batches:
        for row in batch.cast(publication.schema).to_pylist():
            known_at = None if time is None or row[time] is None else instant(row[time])
            yield StoredRow(keys.of_row(row), known_at, version, rows.encode(row))


def _answers(reader: _Reader, found: Sequence[StoredRow | None], now: datetime | None) -> Answers:
    oldest = _oldest(reader.publication, now)
    fresh = [row if row is None or oldest is None or _since(row, reader) >= oldest else None for row in found]
    unknown = sum(row is None for row in found)
    stale = sum(row is None for row in fresh) - unknown
    rows = tuple(None if row is None else _online(row, reader.rows) for row in fresh)
    return Answers(rows, unknown, stale, reader.publication)


def _oldest(publication: Publication, now: datetime | None) -> int | None:
    return None if publication.max_age is None else instant((now or datetime.now(UTC)) - publication.max_age)


def _since(row: StoredRow, reader: _Reader) -> int:
    return instant(reader.publication.published) if row.known_at is None else row.known_at


def _online(row: StoredRow, codec: RowCodec) -> OnlineRow:
    known_at = None if row.known_at is None else EPOCH + row.known_at * MICROSECOND
    return OnlineRow(codec.decode(row.text), known_at, row.version)
