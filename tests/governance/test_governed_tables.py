"""What calls of tables leave behind: edges, a row of the audit; and what grants refuse before."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from sparkml_track.catalog.lineage.graph import edges_in
from sparkml_track.catalog.queries.ask import Catalog
from sparkml_track.errors import TableError
from sparkml_track.home import Home
from sparkml_track.refs import ModelRef
from sparkml_track.tables import DeltaTables

ROWS = pa.table({"k": [1, 2], "v": [1.0, 2.0]})


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("SPARKML_HOME", str(tmp_path / "home"))
    return Home.find()


def edges(home: Home) -> set[tuple[str, str]]:
    found = edges_in(Catalog(home).system.rows("lineage"))
    return {(str(edge.source), str(edge.target)) for edge in found}


def audit(home: Home) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = Catalog(home).system.rows("audit").to_pylist()
    return sorted(rows, key=lambda row: row["event_time"])


def test_every_change_of_rows_leaves_an_edge_from_the_version_before(here: Home) -> None:
    tables = DeltaTables(here.tables)
    tables.write("t", ROWS)
    tables.update("t", "k = 1", {"v": "v + 1"})
    tables.delete("t", "k = 2")
    tables.write("t", ROWS.slice(1), mode="append")
    tables.restore("t", 1)
    tables.comment("t", "of tests")
    t = "table main.default.t@"
    assert edges(here) == {(f"{t}0", f"{t}1"), (f"{t}1", f"{t}2"), (f"{t}2", f"{t}3"), (f"{t}1", f"{t}4"),
                           (f"{t}4", f"{t}5")}  # fmt: skip


def test_a_merge_is_made_from_what_was_read_and_from_the_version_before(here: Home) -> None:
    tables = DeltaTables(here.tables)
    tables.write("a", ROWS)
    tables.write("b", tables.to_arrow("a"))
    tables.merge("b", ROWS, keys=["k"])
    a, b = "table main.default.a@0", "table main.default.b@"
    assert edges(here) == {(a, f"{b}0"), (a, f"{b}1"), (f"{b}0", f"{b}1")}


def test_what_else_rows_were_made_from_can_be_said(here: Home) -> None:
    DeltaTables(here.tables).write("scores", ROWS, made_from=[ModelRef("m", 3, "", "")])
    assert edges(here) == {("model m@3", "table main.default.scores@0")}


def test_what_makes_no_version_and_what_fails_leave_no_edge(here: Home) -> None:
    tables = DeltaTables(here.tables)
    tables.write("t", ROWS)
    tables.delete("t", "k = 77")
    tables.write("t", ROWS, mode="append", transaction=("app", 1))
    tables.write("t", ROWS, mode="append", transaction=("app", 1))
    with pytest.raises(TableError):
        tables.write("t", ROWS)
    assert edges(here) == {("table main.default.t@0", "table main.default.t@1")}
    assert [row["result"].partition(":")[0] for row in audit(here)] == ["version 0", "nothing to do", "version 1",
                                                                       "nothing to do", "failed"]  # fmt: skip


def test_the_audit_says_who_did_what_with_what(here: Home) -> None:
    tables = DeltaTables(here.tables)
    tables.write("air.t", ROWS)
    tables.update("air.t", "k = 1", {"v": "v + 1"})
    first, second = audit(here)
    assert (first["action"], first["object"], first["result"]) == ("WRITE", "main.air.t", "version 0")
    assert json.loads(second["request"]) == {"where": "k = 1", "changes": {"v": "v + 1"}}
    assert first["user"]


def test_tables_outside_of_a_home_leave_nothing(tmp_path: Path, here: Home) -> None:
    tables = DeltaTables(tmp_path / "elsewhere" / "tables")
    tables.write("t", ROWS)
    tables.to_arrow("t")
    assert [path.name for path in (tmp_path / "elsewhere").iterdir()] == ["tables"]
    assert not here.system.exists()


def test_what_cannot_be_recorded_is_a_warning(here: Home, caplog: pytest.LogCaptureFixture) -> None:
    here.root.mkdir()
    here.system.write_text("a file")
    tables = DeltaTables(here.tables)
    tables.write("a", ROWS)
    tables.write("b", tables.to_arrow("a"))
    assert "write of main.default.b is not in system.audit" in caplog.text
    assert "the lineage of table main.default.b@0 was not recorded" in caplog.text
    assert tables.to_arrow("b").num_rows == 2


def test_calls_with_wrong_arguments_stay_type_errors(here: Home) -> None:
    with pytest.raises(TypeError):
        DeltaTables(here.tables).delete("t")  # type: ignore[call-arg]


def test_a_clone_is_made_from_the_version_it_was_made_of(here: Home) -> None:
    tables = DeltaTables(here.tables)
    tables.write("t", ROWS)
    tables.write("t", ROWS, mode="append")
    tables.clone("t", "air.old", 0)
    tables.clone("t", "air.new")
    assert {("table main.default.t@0", "table main.air.old@0"), ("table main.default.t@1", "table main.air.new@0")} <= (
        edges(here)
    )
    assert [(row["action"], row["object"]) for row in audit(here)][2:] == [
        ("CLONE", "main.air.old"), ("CLONE", "main.air.new")
    ]  # fmt: skip
    assert json.loads(audit(here)[2]["request"]) == {"name": "t", "at": 0}
