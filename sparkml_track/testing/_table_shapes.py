"""What every member of ``sparkml_track.tables`` must do when columns come, and with rows parted by columns."""

from __future__ import annotations

from datetime import date

import pyarrow as pa
import pytest

from sparkml_track.errors import DataError, TableError
from sparkml_track.tables import TableExpectations, Tables
from sparkml_track.testing._table_versions import pairs, rows

_DAYS = pa.table(
    {
        "day": pa.array([date(2013, 1, 1), date(2013, 1, 2), None]),
        "k": ["a b/c=d%", "ü", "c"],
        "v": [1, 2, 3],
    }
)


class TableShapesCase:
    """The part of the conformance case that is about columns that come, and partitions."""

    def forms(self, tables: Tables, data: pa.Table) -> list[tuple[str, object]]:
        """Names of tables and the same rows in each form that the member takes."""
        if not tables.spark:
            return [("t0", data)]
        from pyspark.sql import SparkSession

        return [("t0", data), ("t1", SparkSession.active().createDataFrame(data))]

    @pytest.mark.parametrize(
        "kind", [pa.string_view(), pa.large_string(), pa.binary_view(), pa.large_binary()], ids=str
    )
    def test_each_form_in_which_arrow_keeps_a_value_is_taken(self, tables: Tables, kind: pa.DataType) -> None:
        given = pa.table({"c": pa.array([b"x", None]).cast(kind)})
        tables.write("t", given)
        assert tables.to_arrow("t")["c"].to_pylist() == given["c"].to_pylist()

    def test_some_rows_and_their_number_need_not_all_of_them(self, tables: Tables) -> None:
        first = tables.write("t", rows(("a", 1), ("b", 2)))
        second = tables.write("t", rows(("c", 3)), mode="append")
        assert (tables.count(first), tables.count("t"), tables.count("t", at=0)) == (2, 3, 2)
        assert pairs(tables.head("t", 10)) == pairs(tables.to_arrow(second))
        assert tables.head("t", 2).num_rows == 2
        assert tables.head(first, 0).schema.names == ["k", "v"]
        with pytest.raises(TableError, match="none"):
            tables.head("none")

    def test_some_rows_of_a_table_with_partitions_have_their_columns(self, tables: Tables) -> None:
        tables.write("t", _DAYS, partition_by=["day", "k"])
        assert sorted(tables.head("t", 5).column_names) == ["day", "k", "v"]
        assert tables.head("t", 1).num_rows == 1

    def test_an_append_that_evolves_adds_columns_and_leaves_some_out(self, tables: Tables) -> None:
        come = pa.table({"k": ["b"], "new": [1.5]})
        for name, data in self.forms(tables, come):
            tables.write(name, rows(("a", 1)), expect=TableExpectations(keys=("k",)))
            with pytest.raises(TableError, match=r"'new' \(double\) is not expected"):
                tables.write(name, data, mode="append")
            ref = tables.write(name, data, mode="append", evolve=True)
            assert tables.describe(ref).columns == {"k": "string", "v": "long", "new": "double"}
            assert tables.describe(ref).keys == ("k",)
            found = {row["k"]: (row["v"], row["new"]) for row in tables.to_arrow(ref).to_pylist()}
            assert found == {"a": (1, None), "b": (None, 1.5)}
            assert tables.to_arrow(name, at=0).column_names == ["k", "v"]
            tables.update(name, "new > 1", {"v": "7"})
            assert pairs(tables.to_arrow(name)) == [("a", 1), ("b", 7)]

    def test_an_append_that_evolves_widens_what_comes_and_never_the_table(self, tables: Tables) -> None:
        narrow = pa.table({"k": ["b"], "v": pa.array([2], pa.int32())})
        for name, data in self.forms(tables, narrow):
            tables.write(name, rows(("a", 1)))
            tables.write(name, data, mode="append", evolve=True)
            assert tables.describe(name).columns == {"k": "string", "v": "long"}
            assert pairs(tables.to_arrow(name)) == [("a", 1), ("b", 2)]
        tables.write("n", narrow)
        with pytest.raises(TableError, match="'v' is long, expected integer"):
            tables.write("n", rows(("a", 1)), mode="append", evolve=True)

    def test_a_column_that_seems_renamed_and_a_key_left_out_are_refused(self, tables: Tables) -> None:
        first = tables.write("t", rows(("a", 1)), expect=TableExpectations(keys=("k",)))
        with pytest.raises(TableError, match=r"'w' is new and 'v', of the same type, is missing.*column mapping"):
            tables.write("t", pa.table({"k": ["b"], "w": [2]}), mode="append", evolve=True)
        with pytest.raises((DataError, TableError), match=r"'k'.* is missing"):
            tables.write("t", pa.table({"v": [2], "x": [1.5]}), mode="append", evolve=True)
        assert tables.latest("t") == first

    # -- partitions

    def test_a_partitioned_table_takes_all_writes(self, tables: Tables) -> None:
        for name, data in self.forms(tables, _DAYS):
            ref = tables.write(name, data, partition_by=["day", "k"], expect=TableExpectations(keys=("k",)))
            assert tables.describe(ref).partition_by == ("day", "k")
            assert sorted(tables.to_arrow(ref, ["day", "k", "v"]).to_pylist(), key=str) == sorted(
                _DAYS.to_pylist(), key=str
            )
            tables.write(name, pa.table({"v": [4], "k": ["d"], "day": [date(2013, 1, 1)]}), mode="append")
            tables.update(name, "day = '2013-01-01' AND v > 3", {"v": "40"})
            tables.merge(name, _DAYS.slice(1, 1), keys=["k"])
            tables.delete(name, "k = 'c'")
            tables.optimize(name)
            found = sorted((row["k"], row["v"], row["day"]) for row in tables.to_arrow(name).to_pylist())
            first = date(2013, 1, 1)
            assert found == [("a b/c=d%", 1, first), ("d", 40, first), ("ü", 2, date(2013, 1, 2))]
            with pytest.raises(DataError, match=r"rows repeat in|are in the table already"):
                tables.write(name, data, mode="append")
            tables.write(name, data, mode="overwrite")
            assert tables.describe(name).partition_by == ("day", "k")

    def test_columns_that_cannot_part_a_table_are_refused(self, tables: Tables) -> None:
        given = pa.table({"x": [1.5], "k": ["a"]})
        for by, message in (
            (["x"], "'x' is double"),
            (["nosuch"], "'nosuch' is missing"),
            (["k", "x"], "'x' is double"),
        ):
            with pytest.raises(DataError, match=message):
                tables.write("t", given, partition_by=by)
        with pytest.raises(DataError, match="every column is a partition column"):
            tables.write("t", given.select(["k"]), partition_by=["k"])
        assert not tables.exists("t")
        tables.write("t", given, partition_by=["k"])
        with pytest.raises(TableError, match=r"t is partitioned by k, not by x"):
            tables.write("t", given, mode="overwrite", partition_by=["x"])
        if tables.durable:
            for name, data in self.forms(tables, pa.table({"x": [1.5], "k": [""]})):
                with pytest.raises((DataError, TableError), match="empty text in"):
                    tables.write(name, data, partition_by=["k"])
