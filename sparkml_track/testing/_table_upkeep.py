"""What every member of ``sparkml_track.tables`` must do to keep tables quick, and to keep what was said of them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from sparkml_track.errors import DataError, NotBuilt, TableError
from sparkml_track.tables import TableExpectations, Tables
from sparkml_track.testing._table_versions import pairs, rows


class TableUpkeepCase:
    """The part of the conformance case that is about housekeeping."""

    @pytest.mark.parametrize("by", [(), ("k",), ("v", "k")])
    def test_optimize_makes_fewer_files_of_the_same_rows(self, tables: Tables, by: tuple[str, ...]) -> None:
        for number in range(3):
            tables.write("t", rows((f"k{number}", number)), mode="append", expect=TableExpectations(keys=("k",)))
        before = tables.files("t") if tables.durable else ()
        ref = tables.optimize("t", by=by)
        assert pairs(tables.to_arrow(ref)) == [("k0", 0), ("k1", 1), ("k2", 2)]
        assert tables.describe(ref).keys == ("k",)
        if tables.durable:
            assert (len(before), len(tables.files(ref)), ref.version) == (3, 1, 3)
            assert tables.history("t")[0].operation == "OPTIMIZE"
        if not by:
            assert tables.optimize("t") == ref
        with pytest.raises(TableError, match="no column x"):
            tables.optimize("t", by=("x",))

    # -- dropping

    def test_a_dropped_table_is_gone_whole_and_its_name_is_free(self, tables: Tables) -> None:
        with pytest.raises(TableError, match="there is no table t"):
            tables.drop("t")
        first = tables.write("t", rows(("a", 1)), transaction=("app", 3))
        tables.write("shop.t", rows(("z", 9)))
        if tables.durable and tables.root is None:
            with pytest.raises(NotBuilt, match="object stores are not dropped"):
                tables.drop("t")
            return
        kept = tables.drop("t")
        assert (Path(kept) / "_delta_log").is_dir() if tables.durable else kept == ""
        assert (tables.exists("t"), tables.names()) == (False, ("shop.t",))
        for reading in (lambda: tables.describe("t"), lambda: tables.to_arrow(first), lambda: tables.files("t")):
            with pytest.raises(TableError, match="no table t"):
                reading()
        again = tables.write("t", rows(("b", 2)), transaction=("app", 1))
        assert again.version == 0
        assert pairs(tables.to_arrow("t")) == [("b", 2)]
        assert tables.done("t", "app") == 1

    # -- constraints

    def test_every_write_checks_constraints(self, tables: Tables) -> None:
        tables.write("t", rows(("a", 1)))
        ref = tables.add_constraints("t", {"positive": "v > 0"})
        assert ref.version == 1
        assert tables.describe(ref).constraints == {"positive": "v > 0"}
        for bad in (rows(("b", 2), ("c", -1)), rows(("b", None))):
            for mode in ("append", "overwrite"):
                with pytest.raises(DataError, match=r"the constraint positive \(v > 0\) does not hold for 1 rows"):
                    tables.write("t", bad, mode=mode)
        with pytest.raises((DataError, TableError), match=r"positive|failed validation"):
            tables.update("t", None, {"v": "v - 5"})
        with pytest.raises((DataError, TableError), match=r"positive|failed validation"):
            tables.merge("t", rows(("z", -9)), keys=["k"])
        assert tables.latest("t") == ref
        tables.write("t", rows(("b", 2)), mode="append")
        tables.update("t", "k = 'a'", {"v": "v + 5"})
        tables.write("t", rows(("c", 3)), mode="overwrite")
        assert tables.describe("t").constraints == {"positive": "v > 0"}
        tables.drop_constraint("t", "positive")
        tables.write("t", rows(("d", -4)), mode="append")
        assert pairs(tables.to_arrow("t")) == [("c", 3), ("d", -4)]

    def test_constraints_that_cannot_be_are_refused(self, tables: Tables) -> None:
        first = tables.write("t", rows(("a", 1)))
        for rules, message in (
            ({"high": "v > 5"}, "adding constraints to table t failed"),
            ({"odd": "nosuch > 5"}, "failed"),
            ({"cut": "v > 0 adn k = 'a'"}, "failed"),
            ({"a b": "v > 0"}, "is named by an identifier, not by 'a b'"),
            ({}, "not by nothing"),
        ):
            with pytest.raises(TableError, match=message) as raised:
                tables.add_constraints("t", rules)
            assert "\n" not in str(raised.value)
        with pytest.raises(TableError, match="dropping constraint nosuch of table t failed"):
            tables.drop_constraint("t", "nosuch")
        assert tables.latest("t") == first

    # -- properties and comments

    def test_what_is_said_of_a_table_stays_with_it(self, tables: Tables) -> None:
        tables.write("t", rows(("a", 1)), description="first")
        tables.comment("t", "letters and numbers")
        tables.comment("t", "the letter", column="k")
        ref = tables.set_properties("t", {"team": "air", "delta.checkpointInterval": "10"})
        assert ref.version == 3
        tables.write("t", rows(("b", 2)), mode="append")
        tables.write("t", pa.table({"k": ["c"], "z": [1.5]}), mode="overwrite")
        info = tables.describe("t")
        assert (info.description, dict(info.comments)) == ("letters and numbers", {"k": "the letter"})
        assert info.properties == {"team": "air", "delta.checkpointInterval": "10"}
        assert tables.describe(tables.pin("t", 0)).description == "first"
        with pytest.raises(TableError, match="no column x"):
            tables.comment("t", "nothing", column="x")

    @pytest.mark.parametrize(
        "key",
        ["delta.enableDeletionVectors", "delta.columnMapping.mode", "delta.enableRowTracking", "delta.constraints.c"],
    )
    def test_properties_that_ask_for_what_is_not_done_are_refused_by_name(self, tables: Tables, key: str) -> None:
        first = tables.write("t", rows(("a", 1)))
        with pytest.raises(TableError, match=rf"{key} cannot be set.*delta\.appendOnly"):
            tables.set_properties("t", {key: "true"})
        assert tables.latest("t") == first

    # -- the change data feed

    def test_the_change_feed_says_what_each_version_did(self, tables: Tables) -> None:
        tables.write("t", rows(("a", 1), ("b", 2)))
        with pytest.raises(TableError, match=r"no change feed at version 0: set delta\.enableChangeDataFeed"):
            tables.changes("t", 0)
        tables.set_properties("t", {"delta.enableChangeDataFeed": "true"})
        assert tables.changes("t", 1).num_rows == 0
        tables.write("t", pa.table({"k": ["c"], "v": [3], "new": [0.5]}), mode="append", evolve=True)
        come = pa.table({"k": ["c", "d"], "v": [30, 4], "new": [1.5, None]})
        tables.merge("t", come, keys=["k"])
        expected = [("c", 3, "insert", 2), ("c", 3, "update_preimage", 3), ("c", 30, "update_postimage", 3),
                    ("d", 4, "insert", 3)]  # fmt: skip
        tables.update("t", "k = 'a'", {"v": "v + 10"})
        tables.delete("t", "k = 'b'")
        expected += [("a", 1, "update_preimage", 4), ("a", 11, "update_postimage", 4), ("b", 2, "delete", 5)]
        found = tables.changes("t", 2)
        assert found.column_names == ["k", "v", "new", "_change_type", "_commit_version", "_commit_timestamp"]
        assert _fed(found) == sorted(expected)
        assert found["_commit_version"].to_pylist() == sorted(found["_commit_version"].to_pylist())
        last = tables.latest("t").version
        tables.write("t", come.slice(1), mode="overwrite")
        gone = {row[0] for row in _fed(tables.changes("t", last + 1)) if row[2] == "delete"}
        assert gone == {row["k"] for row in tables.to_arrow("t", at=last).to_pylist()}
        assert _fed(tables.changes("t", 3, 3)) == sorted(row for row in expected if row[3] == 3)

    def test_a_table_with_a_column_of_the_feeds_keeps_none(self, tables: Tables) -> None:
        first = tables.write("t", pa.table({"k": ["a"], "_change_type": ["mine"]}))
        with pytest.raises(TableError, match="table t has the column _change_type, as a change feed has"):
            tables.set_properties("t", {"delta.enableChangeDataFeed": "true"})
        assert tables.latest("t") == first

    def test_a_feed_that_cannot_be_is_refused(self, tables: Tables) -> None:
        tables.write("t", rows(("a", 1)))
        tables.set_properties("t", {"delta.enableChangeDataFeed": "true"})
        for since, until, message in ((2, 1, "the first comes first"), (5, None, "no version 5"),
                                      (1, 9, "no version 9"), ("x", None, "by numbers; 'x' is none")):  # fmt: skip
            with pytest.raises(TableError, match=message):
                tables.changes("t", since, until)  # type: ignore[arg-type]
        with pytest.raises(TableError, match="there is no table nosuch"):
            tables.changes("nosuch", 0)
        tables.set_properties("t", {"delta.enableChangeDataFeed": "false"})
        with pytest.raises(TableError, match="no change feed at version 2"):
            tables.changes("t", 1)

    # -- clones

    def test_a_clone_has_what_the_version_had_and_a_life_of_its_own(self, tables: Tables) -> None:
        day = pa.table({"k": ["a/ü", None], "v": [1, 2]})
        tables.write("t", day, description="said", partition_by=["k"], expect=TableExpectations(keys=("v",)))
        tables.comment("t", "a key", "k")
        tables.add_constraints("t", {"positive": "v > 0"})
        at = tables.latest("t").version
        tables.write("t", rows(("b", 3)), mode="append")
        ref = tables.clone("t", "shop.c", at=at)
        assert (ref.name, ref.version) == ("shop.c", 0)
        assert tables.history("shop.c")[0].operation == "CLONE"
        one, other = tables.describe(ref), tables.describe(tables.pin("t", at))
        for what in ("columns", "keys", "description", "comments", "constraints", "properties", "partition_by"):
            assert getattr(one, what) == getattr(other, what), what
        tables.write("shop.c", rows(("c", 4)), mode="append")
        with pytest.raises(DataError, match="positive"):
            tables.write("shop.c", rows(("c", -4)), mode="append")
        tables.delete("t", "v = 1")
        tables.vacuum("t", timedelta(0))
        tables.optimize("shop.c")
        assert sorted(tables.to_arrow("shop.c")["v"].to_pylist()) == [1, 2, 4]
        assert sorted(tables.to_arrow("t")["v"].to_pylist()) == [2, 3]

    def test_a_clone_takes_the_place_of_no_table(self, tables: Tables) -> None:
        tables.write("t", rows(("a", 1)))
        for target in ("t", "u"):
            tables.write("u", rows(("b", 2)), mode="overwrite")
            with pytest.raises(TableError, match="there already"):
                tables.clone("t", target)
        with pytest.raises(TableError, match="there is no table nosuch"):
            tables.clone("nosuch", "v")
        with pytest.raises(TableError, match="version 9"):
            tables.clone("t", "v", at=9)
        assert tables.names() == ("t", "u")


def _fed(found: pa.Table) -> list[tuple[object, ...]]:
    columns = ("k", "v", "_change_type", "_commit_version")
    return sorted(tuple(row[column] for column in columns) for row in found.to_pylist())
