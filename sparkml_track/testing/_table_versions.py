"""What every member of ``sparkml_track.tables`` must do with its versions: name them, restore, compare, count once."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from sparkml_track.errors import TableError
from sparkml_track.tables import TableExpectations, Tables


def rows(*pairs: tuple[str | None, int | None]) -> pa.Table:
    """Rows of a key and a value."""
    keys, values = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    return pa.table({"k": pa.array(keys, pa.string()), "v": pa.array(values, pa.int64())})


def pairs(table: pa.Table) -> list[tuple[str, int]]:
    """What ``rows`` was made of, sorted."""
    return sorted((row["k"], row["v"]) for row in table.to_pylist())


class TableVersionsCase:
    """The part of the conformance case that is about versions."""

    def test_a_version_is_read_by_number_and_by_time(self, tables: Tables) -> None:
        first = tables.write("t", rows(("a", 1)))
        between = _after(tables)
        tables.write("t", rows(("b", 2)), mode="append")
        for at in (0, between):
            assert pairs(tables.to_arrow("t", at=at)) == [("a", 1)]
            assert tables.pin("t", at) == first
        assert pairs(tables.to_arrow("t", at=datetime.now(UTC) + timedelta(hours=1))) == [("a", 1), ("b", 2)]
        if tables.spark:
            assert tables.read("t", at=between).count() == 1

    def test_a_moment_before_the_first_version_and_one_without_a_zone_are_refused(self, tables: Tables) -> None:
        tables.write("t", rows(("a", 1)))
        with pytest.raises(TableError, match=r"t had no version at 1999-01-01.*begins with version 0 at 20"):
            tables.to_arrow("t", at=datetime(1999, 1, 1, tzinfo=UTC))
        with pytest.raises(TableError, match=r"1999-01-01T00:00:00 has no time zone"):
            tables.to_arrow("t", at=datetime(1999, 1, 1))  # noqa: DTZ001
        with pytest.raises(TableError, match="t has no version 9; the latest is 0"):
            tables.pin("t", 9)

    def test_the_files_of_a_version_hold_its_rows(self, tables: Tables) -> None:
        first = tables.write("t", rows(("a", 1)))
        tables.write("t", rows(("b", 2)), mode="append")
        if not tables.durable:
            with pytest.raises(TableError, match="t@v0 is in memory"):
                tables.files(first)
            return
        files = tables.files(first), tables.files("t")
        assert [len(paths) for paths in files] == [1, 2]
        assert set(files[0]) < set(files[1])
        assert all(
            path.startswith("s3://") or (Path(path).is_absolute() and Path(path).exists())
            for paths in files
            for path in paths
        )

    # -- restore

    def test_restore_brings_back_rows_columns_and_keys_as_a_new_version(self, tables: Tables) -> None:
        tables.write("t", rows(("a", 1)), expect=TableExpectations(keys=("k",)))
        tables.write("t", pa.table({"z": [1.5]}), mode="overwrite", expect=TableExpectations())
        ref = tables.restore("t", 0)
        assert ref.version == 2
        assert pairs(tables.to_arrow(ref)) == [("a", 1)]
        assert tables.describe(ref).keys == ("k",)
        assert tables.history("t")[0].operation == "RESTORE"
        assert tables.to_arrow("t", at=1).to_pydict() == {"z": [1.5]}
        assert tables.restore("t", ref.version) == ref

    def test_restore_of_what_was_vacuumed_is_refused(self, tables: Tables) -> None:
        tables.write("t", rows(("a", 1)))
        tables.write("t", rows(("b", 2)), mode="overwrite")
        tables.vacuum("t", timedelta(0))
        latest = tables.latest("t")
        with pytest.raises(TableError, match=r"t has no version 0.*vacuumed"):
            tables.restore("t", 0)
        assert tables.latest("t") == latest

    # -- diff

    def test_diff_names_what_was_added_removed_and_changed(self, tables: Tables) -> None:
        tables.write("t", rows(("a", 1), ("b", 2), ("c", None)), expect=TableExpectations(keys=("k",)))
        tables.write("t", rows(("a", 1), ("b", 3), ("c", None), ("d", 4)).slice(1), mode="overwrite")
        found = {(row["_change"], row["k"], row["v"]) for row in tables.diff("t", 0, 1).to_pylist()}
        assert found == {("removed", "a", 1), ("changed_from", "b", 2), ("changed_to", "b", 3), ("added", "d", 4)}
        assert tables.diff("t", 1, 1).num_rows == 0

    def test_diff_compares_nan_nested_values_and_columns_that_came(self, tables: Tables) -> None:
        old = pa.table({"k": [1, 2], "x": [float("nan"), 1.0], "many": [[1, 2], None]})
        tables.write("t", old)
        tables.write("t", old.append_column("new", pa.array([None, "y"])), mode="overwrite")
        found = tables.diff("t", 0, keys=["k"])
        assert found.column_names == ["_change", "k", "x", "many", "new"]
        assert {(row["_change"], row["k"], row["new"]) for row in found.to_pylist()} == {
            ("changed_from", 2, None),
            ("changed_to", 2, "y"),
        }

    def test_diff_needs_keys_that_are_unique_and_columns_of_one_type(self, tables: Tables) -> None:
        tables.write("t", rows(("a", 1), ("a", 2)))
        tables.write("t", pa.table({"k": ["a"], "v": [1.5]}), mode="overwrite")
        with pytest.raises(TableError, match=r"t has no keys of its own.*keys=\[\.\.\.\]"):
            tables.diff("t", 0)
        with pytest.raises(TableError, match="'v' was long and is double"):
            tables.diff("t", 0, keys=["k"])
        tables.write("t", rows(("a", 1)), mode="overwrite")
        with pytest.raises(TableError, match=r"rows repeat in \(k\), for example {'k': 'a'}"):
            tables.diff("t", 0, keys=["k"])
        with pytest.raises(TableError, match="no column x"):
            tables.diff("t", 0, 0, keys=["x"])

    # -- transactions

    def test_a_transaction_is_done_once(self, tables: Tables) -> None:
        for _ in range(2):
            assert tables.write("t", rows(("a", 1)), mode="append", transaction=("app", 1)).version == 0
        assert tables.write("t", rows(("b", 1)), mode="append", transaction=("app", 2)).version == 1
        assert tables.write("t", rows(("x", 1)), mode="append", transaction=("app", 1)).version == 1
        assert tables.write("t", rows(("c", 1)), mode="append", transaction=("other", 1)).version == 2
        for _ in range(2):
            assert tables.merge("t", rows(("c", 2)), keys=["k"], transaction=("app", 3)).version == 3
        tables.write("t", rows(("d", 1)), mode="append")
        for _ in range(2):
            assert tables.restore("t", 3, transaction=("app", 4)).version == 5
        assert pairs(tables.to_arrow("t")) == [("a", 1), ("b", 1), ("c", 2)]

    def test_a_transaction_is_a_name_and_a_number_from_0(self, tables: Tables) -> None:
        for wrong in (("", 1), ("app", -1)):
            with pytest.raises(TableError, match="is not a pair of an application's name and a number from 0"):
                tables.write("t", rows(("a", 1)), transaction=wrong)
        assert not tables.exists("t")


def _after(tables: Tables) -> datetime:
    """A moment after the latest version, with the clock past it."""
    last = tables.history("t")[0].time
    while time.time() < last + 0.005:
        pass
    return datetime.fromtimestamp(last + 0.002, UTC)
