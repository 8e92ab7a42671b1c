"""What every member of ``sparkml_track.tables`` must do for followers: counts, notes, what was appended."""

from __future__ import annotations

import pyarrow as pa
import pytest

from sparkml_track.errors import DataError, TableError
from sparkml_track.tables import Tables
from sparkml_track.testing._table_versions import pairs, rows


class TableFollowersCase:
    """The part of the conformance case that is about following."""

    def test_the_last_count_of_an_application_is_known(self, tables: Tables) -> None:
        tables.write("t", rows(("a", 1)), transaction=("app", 7))
        tables.write("t", rows(("b", 1)), mode="overwrite")
        assert (tables.done("t", "app"), tables.done("t", "other")) == (7, None)
        with pytest.raises(TableError, match="table x"):
            tables.done("x", "app")

    @pytest.mark.parametrize("mode", ["append", "overwrite"])
    def test_what_a_writer_notes_is_in_the_history(self, tables: Tables, mode: str) -> None:
        tables.write("t", rows(("a", 1)), before_commit=lambda: {"by": "me", "why": 'a "reason"'})
        again = pa.table({"k": ["b"], "v": [1], "new": [2]})
        tables.write("t", again, mode=mode, evolve=True, before_commit=lambda: {"by": "you"})  # type: ignore[arg-type]
        tables.comment("t", "a table")
        assert [one.notes for one in tables.history("t")] == [{}, {"by": "you"}, {"by": "me", "why": 'a "reason"'}]

    @pytest.mark.parametrize("mode", ["error", "append", "overwrite"])
    def test_what_is_raised_before_the_commit_ends_the_write(self, tables: Tables, mode: str) -> None:
        def refuse() -> dict[str, str]:
            raise DataError("these rows are not wanted")

        tables.write("s" if mode == "error" else "t", rows(("a", 1)))
        with pytest.raises(DataError, match="not wanted"):
            tables.write("t", rows(("b", 1)), mode=mode, before_commit=refuse)  # type: ignore[arg-type]
        assert tables.exists("t") == (mode != "error")
        if mode != "error":
            assert pairs(tables.to_arrow("t")) == [("a", 1)]
            assert tables.vacuum("t", dry_run=True) == ()

    def test_rows_that_were_appended_are_read_by_versions(self, tables: Tables) -> None:
        if not tables.spark:
            tables.write("t", rows(("a", 1)))
            with pytest.raises(TableError, match="session"):
                tables.appended("t", 0, 0)
            return
        tables.write("t", rows(("a", 1)))
        tables.write("t", rows(("b", 2)), mode="append")
        tables.write("t", rows(("c", 3), ("d", 4)), mode="append")
        tables.optimize("t")
        last = tables.comment("t", "a table").version
        found = [pairs(tables.appended("t", after, last).toArrow()) for after in (0, 1, last)]
        assert found == [[("b", 2), ("c", 3), ("d", 4)], [("c", 3), ("d", 4)], []]
        tables.delete("t", "k = 'a'")
        tables.write("t", pa.table({"k": ["e"], "v": [5], "w": [1.5]}), mode="append", evolve=True)
        last = tables.latest("t").version
        with pytest.raises(TableError, match=f"version {last - 1} of table t deleted or changed rows"):
            tables.appended("t", 1, last)
        rest = tables.appended("t", 1, last, skip_changes=True)
        added = sorted((row["k"], row["v"], row["w"]) for row in rest.toArrow().to_pylist())
        assert added == [("c", 3, None), ("d", 4, None), ("e", 5, 1.5)]
