"""What every member of ``sparkml_track.tables`` must do. Subclass ``TablesCase`` and give the ``tables`` fixture."""

# ruff: noqa: D102 - the name of a test says what it asks

from __future__ import annotations

import threading
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pyarrow as pa
import pytest

from sparkml_track.errors import DataError, TableError
from sparkml_track.refs import TableRef
from sparkml_track.tables import TableExpectations, Tables
from sparkml_track.testing._table_changes import TableChangesCase
from sparkml_track.testing._table_followers import TableFollowersCase
from sparkml_track.testing._table_shapes import TableShapesCase
from sparkml_track.testing._table_upkeep import TableUpkeepCase
from sparkml_track.testing._table_versions import TableVersionsCase, pairs, rows

__all__ = ["TablesCase"]

_NOON = datetime(2013, 7, 4, 12, 0, 0, 123456, UTC)
_KEYED = TableExpectations(keys=("k",))


class TablesCase(TableVersionsCase, TableChangesCase, TableUpkeepCase, TableShapesCase, TableFollowersCase):
    """The conformance case; capabilities (``spark``, ``durable``) select what is asked."""

    @pytest.fixture
    def tables(self) -> Tables:
        """Give empty tables of the member under test."""
        raise NotImplementedError("a subclass gives the tables")

    def reopened(self, tables: Tables) -> Tables:
        """Give another object on the same root, as another process would; asked of durable members only."""
        raise NotImplementedError("a durable member's subclass reopens its tables")

    # -- versions

    def test_a_first_write_is_version_0_and_reads_back(self, tables: Tables) -> None:
        ref = tables.write("t", rows(("a", 1), ("b", None)))
        assert (ref.name, ref.version) == ("t", 0)
        assert tables.to_arrow(ref).sort_by("k").to_pydict() == {"k": ["a", "b"], "v": [1, None]}
        assert tables.latest("t") == ref

    def test_an_append_makes_the_next_version_and_leaves_the_last(self, tables: Tables) -> None:
        first = tables.write("t", rows(("a", 1)))
        second = tables.write("t", rows(("b", 2)), mode="append")
        assert second.version == 1
        assert pairs(tables.to_arrow(second)) == [("a", 1), ("b", 2)]
        assert pairs(tables.to_arrow(first)) == [("a", 1)]

    def test_an_overwrite_may_change_columns_and_leaves_the_last(self, tables: Tables) -> None:
        first = tables.write("t", rows(("a", 1)), expect=_KEYED)
        second = tables.write("t", pa.table({"z": [1.5]}), mode="overwrite", expect=TableExpectations(keys=("z",)))
        assert tables.to_arrow("t").to_pydict() == {"z": [1.5]}
        assert tables.describe(second).columns == {"z": "double"}
        assert tables.describe(second).keys == ("z",)
        assert pairs(tables.to_arrow(first)) == [("a", 1)]
        assert tables.describe(first).keys == ("k",)

    def test_append_and_overwrite_make_a_table_that_is_not_there(self, tables: Tables) -> None:
        assert tables.write("one", rows(("a", 1)), mode="append").version == 0
        assert tables.write("two", rows(("a", 1)), mode="overwrite").version == 0
        assert tables.names() == ("one", "two")

    def test_a_new_table_under_a_taken_name_is_refused(self, tables: Tables) -> None:
        tables.write("t", rows(("a", 1)))
        with pytest.raises(TableError, match=r't is there already.*mode="append" or mode="overwrite"'):
            tables.write("t", rows(("b", 2)))
        assert pairs(tables.to_arrow("t")) == [("a", 1)]

    def test_history_lists_the_newest_first(self, tables: Tables) -> None:
        tables.write("t", rows(("a", 1)))
        tables.write("t", rows(("b", 2)), mode="append")
        history = tables.history("t")
        assert [one.version for one in history] == [1, 0]
        assert history[0].time >= history[1].time

    def test_a_table_may_be_empty(self, tables: Tables) -> None:
        ref = tables.write("t", rows(), expect=_KEYED)
        assert tables.to_arrow(ref).num_rows == 0
        assert tables.describe(ref).columns == {"k": "string", "v": "long"}
        assert tables.write("t", rows(("a", 1)), mode="append").version == 1
        assert pairs(tables.to_arrow("t")) == [("a", 1)]

    def test_durable_tables_are_there_for_another_process(self, tables: Tables) -> None:
        if not tables.durable:
            pytest.skip("this member's tables end with the process")
        ref = tables.write("t", rows(("a", 1)), expect=_KEYED, description="letters")
        again = self.reopened(tables)
        assert again.describe(ref) == tables.describe(ref)
        assert pairs(again.to_arrow(ref)) == [("a", 1)]

    # -- what is refused

    @pytest.mark.parametrize("name", ["", "1t", "a-b", "../t", "a/b", "a b", "a..b", "a.b.c.d", "t" * 129, "tä"])
    def test_names_that_are_no_identifiers_are_refused(self, tables: Tables, name: str) -> None:
        with pytest.raises(TableError, match="cannot name a table"):
            tables.write(name, rows(("a", 1)))
        with pytest.raises(TableError, match="cannot name a table"):
            tables.exists(name)

    def test_three_part_names_are_tables_of_their_own(self, tables: Tables) -> None:
        tables.write("main.shop.sales", rows(("a", 1)))
        assert tables.exists("main.shop.sales")
        assert not tables.exists("sales")

    def test_a_missing_table_is_named_with_the_nearest(self, tables: Tables) -> None:
        tables.write("sales", rows(("a", 1)))
        with pytest.raises(TableError, match=r"no table sale in .*Did you mean sales\?"):
            tables.to_arrow("sale")

    def test_a_missing_version_is_refused(self, tables: Tables) -> None:
        ref = tables.write("t", rows(("a", 1)))
        with pytest.raises(TableError, match="t has no version 7; the latest is 0"):
            tables.to_arrow(TableRef("t", ref.path, 7))

    def test_an_append_that_changes_columns_is_refused_with_all_differences(self, tables: Tables) -> None:
        tables.write("t", rows(("a", 1)))
        with pytest.raises(TableError, match="'v' is double, expected long") as raised:
            tables.write("t", pa.table({"v": [1.5], "w": [1]}), mode="append")
        assert "'k' (string) is missing" in str(raised.value)
        assert "'w' (long) is not expected" in str(raised.value)
        assert tables.latest("t").version == 0

    def test_columns_in_another_order_are_appended_by_name(self, tables: Tables) -> None:
        tables.write("t", rows(("a", 1)))
        tables.write("t", rows(("b", 2)).select(["v", "k"]), mode="append")
        assert pairs(tables.to_arrow("t")) == [("a", 1), ("b", 2)]

    @pytest.mark.parametrize(
        ("expect", "message"),
        [
            (TableExpectations(rows=2), "3 rows, expected exactly 2"),
            (TableExpectations(min_rows=4), "3 rows, expected at least 4"),
            (TableExpectations(keys=("v",)), "1 nulls in 'v'"),
            (TableExpectations(keys=("k",)), r"rows repeat in \(k\), for example {'k': 'b'}"),
            (TableExpectations(keys=("x",)), "key column 'x' is missing"),
            (TableExpectations(columns={"k": "string", "v": "double"}), "'v' is long, expected double"),
            (TableExpectations(columns={"k": "string"}), r"'v' \(long\) is not expected"),
            (TableExpectations(keys=("k",), timestamp="v"), "timestamp column 'v' is long"),
        ],
    )
    def test_what_is_not_as_expected_is_not_written(
        self, tables: Tables, expect: TableExpectations, message: str
    ) -> None:
        with pytest.raises(DataError, match=message):
            tables.write("t", rows(("a", None), ("b", 1), ("b", 2)), expect=expect)
        assert not tables.exists("t")

    def test_expectations_that_hold_let_the_write_pass(self, tables: Tables) -> None:
        expect = TableExpectations({"k": "string", "v": "long"}, ("k",), rows=2, min_rows=1)
        assert tables.write("t", rows(("a", 1), ("b", 1)), expect=expect).version == 0

    def test_keys_stay_with_the_table(self, tables: Tables) -> None:
        tables.write("t", rows(("a", 1)), expect=_KEYED)
        with pytest.raises(DataError, match="1 nulls in 'k'"):
            tables.write("t", rows((None, 1)), mode="append")
        with pytest.raises(DataError, match="rows repeat"):
            tables.write("t", rows(("b", 1), ("b", 2)), mode="append")
        with pytest.raises(DataError, match="1 nulls in 'k'"):
            tables.write("t", rows((None, 1)), mode="append", expect=TableExpectations(min_rows=1))
        assert tables.describe("t").keys == ("k",)

    def test_the_timestamp_is_part_of_what_is_unique(self, tables: Tables) -> None:
        given = pa.table({"k": ["a", "a"], "at": pa.array([_NOON, _NOON + timedelta(hours=1)])})
        ref = tables.write("t", given, expect=TableExpectations(keys=("k",), timestamp="at"), description="hourly")
        info = tables.describe(ref)
        assert (info.keys, info.timestamp, info.created, info.description) == (("k",), "at", None, "hourly")
        with pytest.raises(DataError, match=r"rows repeat in \(k, at\)"):
            tables.write("t", pa.concat_tables([given, given]), mode="append")

    # -- types

    def test_types_come_back_as_they_went_in(self, tables: Tables) -> None:
        given = pa.table(
            {
                "text": ["ä"],
                "whole": pa.array([2**40], pa.int64()),
                "small": pa.array([7], pa.int16()),
                "real": [0.1],
                "half": pa.array([0.5], pa.float32()),
                "flag": [True],
                "day": [date(2013, 2, 28)],
                "at": pa.array([_NOON], pa.timestamp("us", "UTC")),
                "money": [Decimal("1.25")],
                "bytes": [b"\x00\xff"],
                "many": [[1, 2]],
                "pair": [{"a": 1, "b": "x"}],
            }
        )
        ref = tables.write("t", given)
        assert tables.to_arrow(ref).to_pylist() == given.to_pylist()
        types = tables.describe(ref).columns
        asked = [types[name] for name in ("small", "day", "at", "money")]
        assert asked == ["short", "date", "timestamp", "decimal(3,2)"]

    def test_instants_are_kept_in_microseconds_whatever_zone_and_unit_they_came_in(self, tables: Tables) -> None:
        zoned = pa.array([_NOON], pa.timestamp("us", "UTC")).cast(pa.timestamp("ns", "America/New_York"))
        tables.write("t", pa.table({"at": zoned}))
        assert tables.to_arrow("t").schema.field("at").type == pa.timestamp("us", "UTC")
        assert tables.to_arrow("t")["at"].to_pylist() == [_NOON]

    @pytest.mark.parametrize(
        ("column", "message"),
        [
            (pa.array([datetime(2013, 1, 1)], pa.timestamp("us")), "time zone"),  # noqa: DTZ001
            (pa.array([1], pa.uint32()), "uint32"),
            (pa.nulls(1), "null"),
            (pa.array([timedelta(1)]), "duration"),
        ],
    )
    def test_types_no_table_can_hold_are_refused(self, tables: Tables, column: pa.Array, message: str) -> None:
        with pytest.raises(DataError, match=message):
            tables.write("t", pa.table({"c": column}))

    @pytest.mark.parametrize("names", [["a b"], ["a", "A"], ["a(b)"], [""]])
    def test_column_names_no_table_can_hold_are_refused(self, tables: Tables, names: list[str]) -> None:
        with pytest.raises(DataError, match="column"):
            tables.write("t", pa.table([pa.array([1])] * len(names), names=names))

    def test_columns_are_read_by_name_in_the_order_asked(self, tables: Tables) -> None:
        tables.write("t", rows(("a", 1)))
        assert tables.to_arrow("t", ["v", "k"]).column_names == ["v", "k"]
        with pytest.raises(TableError, match="t@v0 has no column x; it has k, v"):
            tables.to_arrow("t", ["x"])

    # -- merge

    def test_a_merge_updates_and_inserts(self, tables: Tables) -> None:
        tables.write("t", rows(("a", 1), ("b", 2)), expect=_KEYED)
        ref = tables.merge("t", rows(("b", 20), ("c", 30)), keys=["k"])
        assert ref.version == 1
        assert pairs(tables.to_arrow(ref)) == [("a", 1), ("b", 20), ("c", 30)]
        assert tables.describe(ref).keys == ("k",)

    def test_a_merge_by_two_keys_matches_both(self, tables: Tables) -> None:
        tables.write("t", pa.table({"a": [1, 1], "b": [1, 2], "v": [0, 0]}))
        tables.merge("t", pa.table({"a": [1, 2], "b": [2, 2], "v": [5, 6]}), keys=["a", "b"])
        found = sorted(tuple(row.values()) for row in tables.to_arrow("t", ["a", "b", "v"]).to_pylist())
        assert found == [(1, 1, 0), (1, 2, 5), (2, 2, 6)]

    def test_a_merge_of_repeated_or_null_keys_is_refused(self, tables: Tables) -> None:
        tables.write("t", rows(("a", 1)))
        with pytest.raises(DataError, match=r"rows repeat in \(k\)"):
            tables.merge("t", rows(("b", 1), ("b", 2)), keys=["k"])
        with pytest.raises(DataError, match="1 nulls in 'k'"):
            tables.merge("t", rows((None, 1)), keys=["k"])
        assert tables.latest("t").version == 0

    def test_a_merge_needs_the_table_and_its_columns(self, tables: Tables) -> None:
        with pytest.raises(TableError, match="no table t"):
            tables.merge("t", rows(("a", 1)), keys=["k"])
        tables.write("t", rows(("a", 1)))
        with pytest.raises(TableError, match=r"'v' \(long\) is missing"):
            tables.merge("t", pa.table({"k": ["a"]}), keys=["k"])

    # -- many writers, old versions

    def test_appends_that_meet_are_all_kept(self, tables: Tables) -> None:
        versions = self._together(tables, "append", writers=6, writes=4)
        assert sorted(versions) == list(range(24))
        assert tables.to_arrow("t").num_rows == 24

    def test_overwrites_that_meet_are_ordered(self, tables: Tables) -> None:
        versions = self._together(tables, "overwrite", writers=4, writes=3)
        assert sorted(versions) == list(range(12))
        assert tables.to_arrow("t").num_rows == 1

    def test_merges_that_meet_lose_nothing_and_repeat_nothing(self, tables: Tables) -> None:
        tables.write("t", rows(("a", 0)), expect=_KEYED)

        def write(writer: int) -> None:
            tables.merge("t", rows((f"k{writer}", writer), ("a", writer)), keys=["k"])

        _in_threads(write, 5)
        keys = sorted(tables.to_arrow("t")["k"].to_pylist())
        assert keys == ["a", "k0", "k1", "k2", "k3", "k4"]

    def test_vacuum_drops_what_only_old_versions_need(self, tables: Tables) -> None:
        first = tables.write("t", rows(("a", 1)))
        tables.write("t", rows(("b", 2)), mode="overwrite")
        assert tables.vacuum("t", keep=timedelta(days=1)) == ()
        assert pairs(tables.to_arrow(first)) == [("a", 1)]
        listed = tables.vacuum("t", keep=timedelta(0), dry_run=True)
        assert pairs(tables.to_arrow(first)) == [("a", 1)]
        assert len(listed) == 1
        assert tables.vacuum("t", keep=timedelta(0)) == listed
        assert pairs(tables.to_arrow("t")) == [("b", 2)]
        with pytest.raises(TableError, match=r"t has no version 0.*vacuumed"):
            tables.to_arrow(first)

    # -- Spark

    def test_dataframes_need_a_session(self, tables: Tables) -> None:
        tables.write("t", rows(("a", 1)))
        if tables.spark:
            assert [tuple(row) for row in tables.read("t").collect()] == [("a", 1)]
        else:
            with pytest.raises(TableError, match="DataFrames need a Spark session"):
                tables.read("t")

    def test_a_dataframe_is_pinned_to_its_version(self, tables: Tables) -> None:
        if not tables.spark:
            pytest.skip("no session")
        tables.write("t", rows(("a", 1)), expect=_KEYED)
        frame = tables.read("t")
        tables.write("t", frame.selectExpr("'b' as k", "v + 1 as v"), mode="append")
        assert sorted(map(tuple, tables.read("t").collect())) == [("a", 1), ("b", 2)]
        assert [tuple(row) for row in frame.collect()] == [("a", 1)]
        assert [tuple(row) for row in tables.read("t", at=0).collect()] == [("a", 1)]

    def test_a_dataframe_keeps_instants(self, tables: Tables) -> None:
        if not tables.spark:
            pytest.skip("no session")
        tables.write("t", pa.table({"at": pa.array([_NOON])}))
        tables.write("t", tables.read("t").selectExpr("at + interval 1 second as at"), mode="append")
        assert sorted(tables.to_arrow("t")["at"].to_pylist()) == [_NOON, _NOON + timedelta(seconds=1)]

    def _together(self, tables: Tables, mode: str, *, writers: int, writes: int) -> list[int]:
        versions: list[int] = []

        def write(writer: int) -> None:
            for _ in range(writes):
                versions.append(tables.write("t", rows(("a", writer)), mode=mode).version)  # type: ignore[arg-type]

        _in_threads(write, writers)
        return versions


def _in_threads(work: object, count: int) -> None:
    failures: list[BaseException] = []

    def run(number: int) -> None:
        try:
            work(number)  # type: ignore[operator]
        except BaseException as error:  # noqa: BLE001 - shown by the assertion below
            failures.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
