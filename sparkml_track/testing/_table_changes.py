"""What every member of ``sparkml_track.tables`` must do with chosen rows: delete, update and merge them by rules."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pyarrow as pa
import pytest

from sparkml_track.errors import DataError, TableError
from sparkml_track.tables import MergeRule, TableExpectations, Tables
from sparkml_track.testing._table_versions import pairs, rows

_LETTERS = rows(("a", 1), ("b", 2), ("c", 3), ("d", None))


class TableChangesCase:
    """The part of the conformance case that is about changes to chosen rows.

    Rows come as Arrow tables, and as DataFrames where the member has a session.
    """

    def frames(self, tables: Tables, data: pa.Table) -> list[object]:
        """The same rows in each form that the member takes."""
        if not tables.spark:
            return [data]
        from pyspark.sql import SparkSession

        return [data, SparkSession.active().createDataFrame(data)]

    # -- delete and update

    def test_delete_takes_the_rows_for_which_the_condition_is_true(self, tables: Tables) -> None:
        tables.write("t", _LETTERS, expect=TableExpectations(keys=("k",)))
        ref = tables.delete("t", "v >= 2 AND k <> 'c'")
        assert ref.version == 1
        assert sorted(tables.to_arrow(ref)["k"].to_pylist()) == ["a", "c", "d"]  # d: null is not true
        assert tables.describe(ref).keys == ("k",)
        assert tables.history("t")[0].operation == "DELETE"
        assert tables.to_arrow("t", at=0).num_rows == 4

    def test_delete_of_all_rows_leaves_an_empty_table(self, tables: Tables) -> None:
        tables.write("t", _LETTERS)
        assert tables.to_arrow(tables.delete("t", "true")).num_rows == 0
        assert tables.write("t", rows(("z", 9)), mode="append").version == 2
        assert pairs(tables.to_arrow("t")) == [("z", 9)]

    def test_a_change_of_no_row_makes_no_version(self, tables: Tables) -> None:
        first = tables.write("t", _LETTERS)
        assert tables.delete("t", "v > 100") == first
        assert tables.update("t", "k = 'zz'", {"v": "0"}) == first
        assert tables.merge("t", rows(("zz", 1)), keys=["k"], rules=[MergeRule("matched", "delete")]) == first

    def test_update_computes_from_the_row_as_it_was(self, tables: Tables) -> None:
        tables.write("t", pa.table({"k": ["a", "b"], "v": [1, 2], "w": [10, 20]}))
        tables.update("t", "k = 'b'", {"v": "w + 1", "w": "v"})
        found = sorted(tuple(row[c] for c in ("k", "v", "w")) for row in tables.to_arrow("t").to_pylist())
        assert found == [("a", 1, 10), ("b", 21, 2)]
        assert tables.history("t")[0].operation == "UPDATE"
        tables.update("t", None, {"v": "0"})
        assert set(tables.to_arrow("t")["v"].to_pylist()) == {0}

    def test_changes_of_several_versions_keep_types(self, tables: Tables) -> None:
        given = pa.table({"k": pa.array([1, 2], pa.int16()), "x": pa.array([0.5, 1.5], pa.float32()), "l": [[1], [2]]})
        tables.write("t", given)
        tables.update("t", "k = 1", {"x": "x + 1"})
        tables.delete("t", "k = 2")
        assert tables.describe("t").columns == tables.describe(tables.pin("t", 0)).columns
        assert tables.to_arrow("t", ["k", "x", "l"]).to_pylist() == [{"k": 1, "x": 1.5, "l": [1]}]

    def test_columns_that_say_which_row_it_is_are_not_updated(self, tables: Tables) -> None:
        tables.write("t", _LETTERS, expect=TableExpectations(keys=("k",)))
        with pytest.raises(TableError, match=r"cannot change k \(key\)"):
            tables.update("t", None, {"k": "'x'"})
        with pytest.raises(TableError, match="t has no column x; it has k, v"):
            tables.update("t", None, {"x": "1"})
        with pytest.raises(TableError, match=r"needs changes={column: expression}"):
            tables.update("t", None, {})
        assert tables.latest("t").version == 0

    @pytest.mark.parametrize("where", ["nosuch = 1", "v = = 1", "", "k", "k = 'a' AN v > 3", "v > 0; select 1"])
    def test_a_condition_that_cannot_be_is_one_sentence(self, tables: Tables, where: str) -> None:
        tables.write("t", _LETTERS)
        with pytest.raises(TableError, match="deleting from table t failed") as raised:
            tables.delete("t", where)
        assert "\n" not in str(raised.value)
        assert tables.latest("t").version == 0
        assert tables.to_arrow("t").num_rows == 4

    def test_what_is_given_wrong_is_one_sentence(self, tables: Tables) -> None:
        first = tables.write("t", _LETTERS)
        wrong: dict[str, Callable[[], object]] = {
            "a condition is SQL in text, not None": lambda: tables.delete("t", None),  # type: ignore[arg-type]
            "a number from 0 or a datetime with a time zone, not -1": lambda: tables.pin("t", -1),
            "keys is a list of columns, not the text 'k'": lambda: tables.merge("t", _LETTERS, keys="k"),
            "there is no mode 'upsert'": lambda: tables.write("t", _LETTERS, mode="upsert"),  # type: ignore[arg-type]
            "the size of a file is bytes from 1, not 0": lambda: tables.optimize("t", size=0),
            "keep is a time from 0": lambda: tables.vacuum("t", timedelta(-1)),
            "delta.checkpointInterval='often' cannot be": lambda: tables.set_properties(
                "t", {"delta.checkpointInterval": "often"}
            ),
        }
        for message, use in wrong.items():
            with pytest.raises(TableError, match=message):
                use()
        assert tables.latest("t") == first

    def test_a_column_with_a_dot_is_changed_and_no_other(self, tables: Tables) -> None:
        tables.write("t", pa.table({"a.b": [1, 2], "a": [5, 5]}))
        tables.update("t", "`a.b` = 2", {"a.b": "`a.b` + a"})
        assert sorted(tuple(row.values()) for row in tables.to_arrow("t", ["a.b", "a"]).to_pylist()) == [(1, 5), (7, 5)]

    # -- merge

    def test_a_merge_follows_its_rules_in_order(self, tables: Tables) -> None:
        come = pa.table({"k": ["a", "b", "c", "x", "y"], "v": [10, -1, 30, 40, -5]})
        rules = [
            MergeRule("matched", "delete", "source.v < 0"),
            MergeRule("matched", "update", "target.v < 2", {"v": "target.v + source.v"}),
            MergeRule("not_matched", "insert", "source.v > 0"),
            MergeRule("not_matched_by_source", "update", "target.k = 'd'", {"v": "-4"}),
            MergeRule("not_matched_by_source", "delete"),
        ]
        for number, data in enumerate(self.frames(tables, come)):
            name = f"t{number}"
            tables.write(name, _LETTERS)
            tables.write(name, rows(("e", 5)), mode="append")
            ref = tables.merge(name, data, keys=["k"], rules=rules)
            # a: updated; b: deleted; c: matched, taken by no rule; d: updated; e: deleted; x: inserted; y: left out
            assert pairs(tables.to_arrow(ref)) == [("a", 11), ("c", 3), ("d", -4), ("x", 40)]
            assert tables.history(name)[0].operation == "MERGE"

    def test_a_row_that_matches_and_is_left_is_not_inserted(self, tables: Tables) -> None:
        come = rows(("a", 5), ("z", 6))
        rules = [MergeRule("matched", "update", "source.v > 100"), MergeRule("not_matched", "insert")]
        for number, data in enumerate(self.frames(tables, come)):
            tables.write(f"t{number}", _LETTERS)
            tables.merge(f"t{number}", data, keys=["k"], rules=rules)
            found = [row["k"] for row in tables.to_arrow(f"t{number}").to_pylist()]
            assert sorted(found) == ["a", "b", "c", "d", "z"]

    def test_an_insert_names_its_columns(self, tables: Tables) -> None:
        rule = MergeRule("not_matched", "insert", changes={"k": "source.name", "v": "source.n * 2"})
        come = pa.table({"k": ["q"], "name": ["r"], "n": [4]})
        for number, data in enumerate(self.frames(tables, come)):
            tables.write(f"t{number}", rows(("a", 1)), expect=TableExpectations(keys=("k",)))
            tables.merge(f"t{number}", data, keys=["k"], rules=[rule])
            assert pairs(tables.to_arrow(f"t{number}")) == [("a", 1), ("r", 8)]
            with pytest.raises(TableError, match="an insert must give k"):
                tables.merge(
                    f"t{number}", data, keys=["k"], rules=[MergeRule("not_matched", "insert", changes={"v": "1"})]
                )

    def test_rows_of_any_form_are_refused_for_null_and_repeated_keys(self, tables: Tables) -> None:
        tables.write("t", _LETTERS)
        for twice, null in zip(
            self.frames(tables, rows(("a", 1), ("a", 2))), self.frames(tables, rows(("a", 1), (None, 2))), strict=True
        ):
            with pytest.raises(DataError, match=r"rows repeat in \(k\), for example {'k': 'a'}"):
                tables.merge("t", twice, keys=["k"])
            with pytest.raises(DataError, match="1 nulls in 'k'"):
                tables.merge("t", null, keys=["k"])
        assert tables.latest("t").version == 0

    def test_rules_that_cannot_be_are_refused(self, tables: Tables) -> None:
        for when, then, changes, message in (
            ("matched", "insert", None, "matched cannot insert; it can update or delete"),
            ("not_matched", "delete", None, "not_matched cannot delete; it can insert"),
            ("matched", "delete", {"v": "1"}, "deletes has no changes"),
            ("not_matched_by_source", "update", None, "must say how"),
        ):
            with pytest.raises(TableError, match=message):
                MergeRule(when, then, changes=changes)  # type: ignore[arg-type]
        tables.write("t", _LETTERS)
        with pytest.raises(TableError, match="needs keys and rules, and got no keys"):
            tables.merge("t", _LETTERS, keys=[])
        with pytest.raises(TableError, match="needs keys and rules, and got no rules"):
            tables.merge("t", _LETTERS, keys=["k"], rules=[])
        with pytest.raises(DataError, match="key column 'z' is missing"):
            tables.merge("t", _LETTERS, keys=["z"])

    def test_changes_are_done_once_by_transaction(self, tables: Tables) -> None:
        tables.write("t", _LETTERS)
        for _ in range(2):
            tables.update("t", "k = 'a'", {"v": "v + 1"}, transaction=("app", 0))
            tables.delete("t", "k = 'nosuch'", transaction=("app", 1))
            tables.delete("t", "k = 'b'", transaction=("other", 7))
        assert tables.latest("t").version == 3
        assert sorted(row["k"] for row in tables.to_arrow("t").to_pylist()) == ["a", "c", "d"]
        assert [row["v"] for row in tables.to_arrow("t").to_pylist() if row["k"] == "a"] == [2]
