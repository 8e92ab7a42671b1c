"""What every online store must do. Subclass ``OnlineStoreCase`` with a fixture ``store``."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from sparkml_track.errors import DataError, OnlineStoreError
from sparkml_track.online_stores import OnlineStore, Publication

__all__ = ["EVERY_TYPE", "OnlineStoreCase", "publication", "rows"]

NOON = datetime(2024, 2, 29, 12, tzinfo=UTC)
TABLE = "shop.prices"

#: A row of every type that tables have.
EVERY_TYPE = pa.table(
    {
        "key": ["a"],
        "text": ['ü"\\\n\u2028'],
        "byte": pa.array([-128], pa.int8()),
        "long": [2**63 - 1],
        "float": pa.array([0.1], pa.float32()),
        "double": [0.1 + 0.2],
        "nan": [float("nan")],
        "infinite": [float("-inf")],
        "zero": [-0.0],
        "flag": [True],
        "blob": [b"\x00\xff"],
        "day": [date(1, 1, 1)],
        "instant": pa.array([datetime(1969, 12, 31, 23, 59, 59, 999999, UTC)], pa.timestamp("us", "UTC")),
        "amount": pa.array([Decimal("-12345678901234567890.1200")], pa.decimal128(38, 4)),
        "null": pa.array([None], pa.int64()),
        "list": [[1.5, None]],
        "struct": [{"at": NOON, "inner": {"amount": Decimal("1.50"), "none": None}}],
        "map": pa.array([[("x", b"1"), ("y", None)]], pa.map_(pa.string(), pa.binary())),
    }
)


def publication(data: pa.Table, version: int = 1, **more: object) -> Publication:
    """Of the table of the tests."""
    return Publication(TABLE, version, ("key",), data.schema, **more)  # type: ignore[arg-type]


def rows(**values: float) -> pa.Table:
    """One row for each key."""
    return pa.table({"key": list(values), "price": pa.array(list(values.values()), pa.float64())})


class OnlineStoreCase:
    """The cases. A subclass has a pytest fixture ``store`` that gives each test a new, empty one."""

    def again(self, store: OnlineStore) -> OnlineStore:
        """The same store, opened once more; itself where only this object has the rows."""
        return store

    def test_a_table_that_is_not_published_is_named(self, store: OnlineStore) -> None:
        """With what to do."""
        assert (store.version(TABLE), store.publication(TABLE), store.names()) == (None, None, ())
        with pytest.raises(OnlineStoreError, match=r"shop.prices is not published .*features publish shop.prices"):
            store.get_many(TABLE, [("a",)])

    def test_rows_come_in_the_order_of_the_keys(self, store: OnlineStore) -> None:
        """Asked twice they come twice; what nobody knows, and null, is counted."""
        _publish(store, rows(a=1, b=2))
        answers = store.get_many(TABLE, [("b",), ("c",), ("a",), (None,), ("b",)])
        assert [row and row.values["price"] for row in answers.rows] == [2.0, None, 1.0, None, 2.0]
        assert (answers.unknown, answers.stale) == (2, 0)
        assert store.get_many(TABLE, []).rows == ()
        assert (store.version(TABLE), store.names()) == (1, (TABLE,))

    def test_every_type_survives(self, store: OnlineStore) -> None:
        """Bit for bit, and nulls stay null."""
        _publish(store, EVERY_TYPE)
        (row,) = store.get_many(TABLE, [("a",)]).rows
        assert row is not None
        expected = EVERY_TYPE.drop_columns(["key"])
        given = repr(expected.to_pylist()[0]).replace("zoneinfo.ZoneInfo(key='UTC')", "datetime.timezone.utc")
        assert repr(dict(row.values)) == given.replace("<UTC>", "datetime.timezone.utc")
        there = store.publication(TABLE)
        assert there is not None and there.schema.field("amount").type == pa.decimal128(38, 4)

    def test_instants_are_the_same_in_every_zone(self, store: OnlineStore) -> None:
        """A column in the zone of a session comes back in UTC."""
        data = pa.table({"key": ["a"], "at": pa.array([NOON], pa.timestamp("us", "Asia/Tokyo"))})
        _publish(store, data, timestamp="at")
        (row,) = store.get_many(TABLE, [("a",)]).rows
        assert row is not None and row.values["at"] == row.known_at == NOON
        assert str(row.values["at"]) == "2024-02-29 12:00:00+00:00"

    def test_a_later_publication_replaces_all_rows(self, store: OnlineStore) -> None:
        """Also with other columns, and of an earlier version."""
        _publish(store, rows(a=1, b=2), 7)
        _publish(store, pa.table({"key": ["b", "c"], "stock": [5, 6]}), 3)
        answers = self.again(store).get_many(TABLE, [("a",), ("b",)])
        assert [row and dict(row.values) for row in answers.rows] == [None, {"stock": 5}]
        assert (store.version(TABLE), answers.publication.version) == (3, 3)

    def test_a_publication_may_be_empty(self, store: OnlineStore) -> None:
        """Then no key is known."""
        _publish(store, rows(a=1))
        _publish(store, rows().cast(rows(a=1).schema), 2)
        assert (store.get_many(TABLE, [("a",)]).unknown, store.version(TABLE)) == (1, 2)
        store.amend(publication(rows(a=1), 3), 2, rows(b=1).to_batches())
        assert store.get_many(TABLE, [("b",)]).unknown == 0

    def test_changes_leave_other_rows_as_they_are(self, store: OnlineStore) -> None:
        """Rows say by which version they came."""
        _publish(store, rows(a=1, b=2, c=3))
        gone = pa.table({"key": ["c"]})
        store.amend(publication(rows(a=1), 5), 1, rows(b=20, d=40).to_batches(), gone.to_batches())
        found = self.again(store).get_many(TABLE, [("a",), ("b",), ("c",), ("d",)]).rows
        assert [row and (row.values["price"], row.source_version) for row in found] == [(1, 1), (20, 5), None, (40, 5)]
        assert store.version(TABLE) == 5

    def test_changes_to_what_is_not_there_are_refused(self, store: OnlineStore) -> None:
        """Another version, other columns, or nothing."""
        new = publication(rows(a=1), 9)
        with pytest.raises(OnlineStoreError, match=r"no version of shop.prices.*publish it whole"):
            store.amend(new, 8, rows(a=9).to_batches())
        _publish(store, rows(a=1))
        with pytest.raises(OnlineStoreError, match=r"version 1 of shop.prices, where version 8 .* publish it whole"):
            store.amend(new, 8, rows(a=9).to_batches())
        other = pa.table({"key": ["a"], "stock": [5]})
        with pytest.raises(OnlineStoreError, match="publish it whole"):
            store.amend(publication(other, 9), 1, other.to_batches())
        assert _price(store, "a") == 1

    def test_a_row_that_is_too_old_is_not_given_out(self, store: OnlineStore) -> None:
        """It is counted: by the time since which it is known."""
        data = pa.table({"key": ["a", "b"], "at": [NOON, NOON + timedelta(hours=2)]})
        _publish(store, data, timestamp="at", max_age=timedelta(hours=1))
        asked = [("a",), ("b",), ("c",)]
        answers = store.get_many(TABLE, asked, now=NOON + timedelta(hours=1))
        assert (answers.unknown, answers.stale) == (1, 0)
        answers = store.get_many(TABLE, asked, now=NOON + timedelta(hours=1, microseconds=1))
        assert (answers.unknown, answers.stale, answers.rows[0]) == (1, 1, None)
        assert answers.rows[1] is not None

    def test_without_a_timestamp_the_age_counts_from_the_publication(self, store: OnlineStore) -> None:
        """And the rows have no time."""
        _publish(store, rows(a=1), max_age=timedelta(days=1))
        (row,) = store.get_many(TABLE, [("a",)]).rows
        assert row is not None and row.known_at is None
        assert store.get_many(TABLE, [("a",)], now=datetime.now(UTC) + timedelta(days=2)).stale == 1

    def test_keys_have_types(self, store: OnlineStore) -> None:
        """Values may come from pandas or JSON; what is of another type is refused by name."""
        key: dict[str, list[Any]] = {
            "who": ["ü\"'\x00z"],
            "number": [7],
            "day": [date(2024, 2, 29)],
            "at": [NOON],
            "rate": [0.5],
        }
        data = pa.table({**key, "price": [1.0]})
        store.publish(Publication(TABLE, 1, tuple(key), data.schema), data.to_batches())
        who = key["who"][0]
        same = [
            (who, 7, date(2024, 2, 29), NOON, 0.5),
            (np.str_(who), np.int32(7), pd.Timestamp("2024-02-29"), pd.Timestamp(NOON), np.float32(0.5)),
            (who, 7.0, "2024-02-29", "2024-02-29T13:00:00+01:00", 0.5),
        ]
        assert store.get_many(TABLE, same).unknown == 0
        assert store.get_many(TABLE, [(who, 7, None, pd.NaT, float("nan"))]).unknown == 1
        for place, wrong in enumerate([5, "7", 7, "noon", "0.5"]):
            asked = [value if at != place else wrong for at, value in enumerate(same[0])]
            with pytest.raises(DataError, match=f"key column '{list(key)[place]}' is "):
                store.get_many(TABLE, [asked])
        with pytest.raises(DataError, match="a key has 5 values"):
            store.get_many(TABLE, [(who,)])

    def test_keys_that_repeat_or_are_null_change_nothing(self, store: OnlineStore) -> None:
        """The earlier publication stays."""
        _publish(store, rows(a=1))
        for wrong in (["b", "b"], ["b", None]):
            data = pa.table({"key": wrong, "price": [2.0, 3.0]})
            with pytest.raises(DataError, match="key"):
                _publish(store, data, 2)
        assert (store.version(TABLE), _price(store, "a")) == (1, 1.0)

    def test_a_publication_that_ends_early_changes_nothing(self, store: OnlineStore) -> None:
        """Nobody sees its rows, whether it was whole or of changes."""
        _publish(store, rows(a=1, b=2))

        def broken() -> Iterator[pa.RecordBatch]:
            yield from rows(a=10).to_batches()
            assert _price(self.again(store), "a") == 1.0
            raise RuntimeError("the source is away")

        with pytest.raises(RuntimeError, match="the source is away"):
            store.publish(publication(rows(a=1), 2), broken())
        with pytest.raises(RuntimeError, match="the source is away"):
            store.amend(publication(rows(a=1), 2), 1, broken(), pa.table({"key": ["b"]}).to_batches())
        assert (store.version(TABLE), _price(store, "a"), _price(store, "b")) == (1, 1.0, 2.0)

    def test_readers_never_see_half_of_a_publication(self, store: OnlineStore) -> None:
        """Whatever is published meanwhile, whole or changed."""
        names = [f"k{number}" for number in range(50)]
        _publish(store, rows(**dict.fromkeys(names, 0.0)), 0)
        done, seen = threading.Event(), list[set[float]]()
        reading = threading.Thread(target=_read_until, args=(store, names, done, seen))
        reading.start()
        try:
            for version in range(1, 13):
                data = rows(**dict.fromkeys(names, float(version)))
                if version % 2:
                    _publish(store, data, version)
                else:
                    store.amend(publication(data, version), version - 1, data.to_batches())
        finally:
            done.set()
            reading.join(60)
        assert seen and all(len(prices) == 1 for prices in seen)

    def test_many_keys_are_found_at_once(self, store: OnlineStore) -> None:
        """More than any one command takes."""
        data = rows(**{f"k{number}": float(number) for number in range(12_000)})
        _publish(store, data)
        answers = store.get_many(TABLE, [(f"k{number}",) for number in range(12_000)])
        assert [row and row.values["price"] for row in answers.rows] == [float(number) for number in range(12_000)]

    def test_a_table_that_was_dropped_is_not_published(self, store: OnlineStore) -> None:
        """And may be published again; other tables stay."""
        other = Publication("other", 4, ("key",), rows(a=1).schema)
        store.publish(other, rows(a=7).to_batches())
        _publish(store, rows(a=1))
        assert _price(store, "a") == 1.0
        store.drop(TABLE)
        store.drop(TABLE)
        assert store.names() == ("other",)
        with pytest.raises(OnlineStoreError, match="is not published"):
            store.get_many(TABLE, [("a",)])
        _publish(store, rows(a=2))
        assert (_price(store, "a"), store.version("other")) == (2.0, 4)

    def test_a_name_that_no_table_has_is_refused(self, store: OnlineStore) -> None:
        """Names become files and keys."""
        for name in ("../up", "a b", "", "a.b.c.d", "a}:x"):
            with pytest.raises(OnlineStoreError, match="cannot name a table"):
                store.get_many(name, [("a",)])
            with pytest.raises(OnlineStoreError, match="cannot name a table"):
                store.publish(Publication(name, 1, ("key",), rows(a=1).schema), [])

    def test_a_type_that_cannot_be_kept_is_named(self, store: OnlineStore) -> None:
        """Before anything is stored."""
        data = pa.table({"key": ["a"], "took": pa.array([1], pa.duration("us"))})
        with pytest.raises(DataError, match="'took' is duration"):
            _publish(store, data)
        assert store.version(TABLE) is None

    def test_what_other_threads_opened_is_closed_once(self, store: OnlineStore) -> None:
        """Closing twice is fine."""
        _publish(store, rows(a=1))
        reading = threading.Thread(target=_price, args=(store, "a"))
        reading.start()
        reading.join(60)
        store.close()
        store.close()


def _publish(store: OnlineStore, data: pa.Table, version: int = 1, **more: object) -> None:
    store.publish(publication(data, version, **more), data.to_batches())


def _price(store: OnlineStore, key: str) -> object:
    (row,) = store.get_many(TABLE, [(key,)]).rows
    return row and row.values["price"]


def _read_until(store: OnlineStore, names: list[str], done: threading.Event, seen: list[set[float]]) -> None:
    while not done.is_set():
        found = store.get_many(TABLE, [(name,) for name in names]).rows
        seen.append({float(str(row.values["price"])) if row else -1.0 for row in found})
