"""What goes into online stores and comes out: publications, rows, answers."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from sparkml_track.errors import OnlineStoreError

if TYPE_CHECKING:
    import pyarrow as pa

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
T = TypeVar("T")
_NAME = re.compile(r"\w{1,128}(\.\w{1,128}){0,2}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Publication:
    """One version of a feature table in an online store.

    Raises:
        OnlineStoreError: a name that no table has.

    Attributes:
        table: its name.
        version: of the table; every row was the newest of its key in it.
        keys: the key columns, in the order of the table.
        schema: all columns, keys included. Timestamps are instants.
        timestamp: the column that says from when on a row was known; None where rows hold for all time.
        committed: when the version was, in seconds since the epoch. A table of the same name that was made anew has
            the same numbers of versions, and other times.
        max_age: rows that have been known for longer are not given out; None for any age. Where the table has no
            timestamp, the age counts from the publication.
        published: when; set by the store.
        generation: which publication this is; set by the store, another one each time.
    """

    table: str
    version: int
    keys: tuple[str, ...]
    schema: pa.Schema
    timestamp: str | None = None
    max_age: timedelta | None = None
    committed: float = 0.0
    published: datetime = EPOCH
    generation: str = ""

    def __post_init__(self) -> None:
        checked_name(self.table)

    def fits(self, other: Publication) -> bool:
        """Whether rows of the one may stand beside those of the other."""
        return (self.keys, self.timestamp) == (other.keys, other.timestamp) and self.schema.equals(other.schema)

    def to_json(self) -> str:
        """As members keep it."""
        body = {
            "table": self.table,
            "version": self.version,
            "keys": self.keys,
            "schema": base64.b64encode(self.schema.serialize().to_pybytes()).decode(),
            "timestamp": self.timestamp,
            "committed": self.committed,
            "max_age": None if self.max_age is None else self.max_age // MICROSECOND,
            "published": (self.published - EPOCH) // MICROSECOND,
            "generation": self.generation,
        }
        return json.dumps(body)

    @classmethod
    def from_json(cls, text: str | bytes) -> Publication:
        """Read it back."""
        import pyarrow as pa

        body = json.loads(text)
        schema = pa.ipc.read_schema(pa.BufferReader(base64.b64decode(body["schema"])))
        max_age = None if body["max_age"] is None else body["max_age"] * MICROSECOND
        first = (body["table"], body["version"], tuple(body["keys"]), schema, body["timestamp"])
        made = cls(*first, max_age, body["committed"])
        return replace(made, published=EPOCH + body["published"] * MICROSECOND, generation=body["generation"])


class StoredRow(NamedTuple):
    """A row as members keep it.

    Attributes:
        key: of it, as text.
        known_at: microseconds since the epoch; None where the table has no timestamp.
        version: the table version by which it was published.
        text: its values.
    """

    key: str
    known_at: int | None
    version: int
    text: str


@dataclass(frozen=True, slots=True)
class OnlineRow:
    """The newest row of a key.

    Attributes:
        values: column to value, keys left out. Timestamps are in UTC.
        known_at: since when it is known; None where the table has no timestamp.
        source_version: the table version by which the row was published: the latest one that changed it, or the one
            that was published whole.
    """

    values: Mapping[str, object]
    known_at: datetime | None
    source_version: int


@dataclass(frozen=True, slots=True)
class Answers:
    """What a store says to some keys.

    Attributes:
        rows: one for each key, in order; None where there is none to give out.
        unknown: how many keys no row has.
        stale: for how many the row is older than ``max_age``.
        publication: which one answered.
    """

    rows: tuple[OnlineRow | None, ...]
    unknown: int
    stale: int
    publication: Publication


def checked_name(table: str) -> str:
    """Give ``table`` back if it can be the name of a table; names become files and keys.

    Raises:
        OnlineStoreError: it cannot.
    """
    if not _NAME.fullmatch(table):
        raise OnlineStoreError(
            f"{table!r:.80} cannot name a table: allowed are one to three identifiers joined by dots, like shop.sales"
        )
    return table


def chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """The items in lists of at most so many."""
    left = iter(items)
    while some := list(islice(left, size)):
        yield some
