"""Rows of system tables: batched, and each exactly once whatever dies in between."""

from __future__ import annotations

import json
import logging
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sparkml_track.catalog.system import store
from sparkml_track.catalog.system.store import SystemTables
from sparkml_track.errors import SparkmlError, TableError
from sparkml_track.governance import spool
from sparkml_track.tables import DeltaTables, MemoryTables


def _refused() -> None:
    raise OSError(28, "No space left on device")


NOW = datetime(2013, 7, 4, 12, 0, 0, 123456, UTC)


@pytest.fixture
def system(tmp_path: Path) -> SystemTables:
    return SystemTables(tmp_path / "system", MemoryTables())


def test_rows_wait_until_the_table_is_read(system: SystemTables, tmp_path: Path) -> None:
    system.append("alerts", [{"alert": "a", "checked_at": NOW}])
    system.append("alerts", [{"alert": "b"}])
    assert len((tmp_path / "system" / "alerts.jsonl").read_text().splitlines()) == 2
    rows = system.rows("alerts").sort_by("alert").to_pylist()
    assert [(row["alert"], row["checked_at"], row["state"]) for row in rows] == [("a", NOW, None), ("b", None, None)]
    assert len({row["id"] for row in rows}) == 2
    assert system._tables.latest("system.alerts").version == 0
    assert [path.name for path in (tmp_path / "system").iterdir()] == ["alerts.lock"]


def test_many_rows_are_committed_without_being_read(system: SystemTables, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "_FLUSH_BYTES", 300)
    for number in range(10):
        system.append("alerts", [{"alert": f"{number}"}])
    assert system._tables.exists("system.alerts")
    assert system.rows("alerts").num_rows == 10


def test_files_of_many_batches_are_made_into_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "_COMPACT", 3)
    tables = DeltaTables(tmp_path / "tables")
    system = SystemTables(tmp_path / "system", tables)
    counts = list[int]()
    for number in range(5):
        system.append("alerts", [{"alert": f"{number}"}])
        system.flush("alerts")
        counts.append(len(tables.files("system.alerts")))
    # The version that makes one file of three is the fourth.
    assert counts == [1, 2, 1, 2, 1]
    assert sorted(system.rows("alerts")["alert"].to_pylist()) == list("01234")


def test_a_table_without_rows_has_its_columns(system: SystemTables) -> None:
    assert system.rows("lineage").column_names[0] == "id"
    assert not system._tables.exists("system.lineage")


def test_a_flusher_that_dies_before_its_commit_loses_nothing(
    system: SystemTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    system.append("alerts", [{"alert": "a"}])
    with monkeypatch.context() as patched:
        patched.setattr(MemoryTables, "write", lambda *_, **__: _refused())  # as a disk that fails
        with pytest.raises(TableError, match=r"system\.alerts cannot be written"):
            system.flush("alerts")
    system.append("alerts", [{"alert": "b"}])
    assert sorted(system.rows("alerts")["alert"].to_pylist()) == ["a", "b"]


def test_a_flusher_that_dies_after_its_commit_writes_nothing_twice(
    system: SystemTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    system.append("alerts", [{"alert": "a"}])
    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", lambda _: _refused())
        with pytest.raises(TableError):
            system.flush("alerts")
    system.append("alerts", [{"alert": "b"}])
    assert sorted(system.rows("alerts")["alert"].to_pylist()) == ["a", "b"]


def test_half_a_line_of_a_writer_that_died_costs_that_row_alone(system: SystemTables, tmp_path: Path) -> None:
    system.append("alerts", [{"alert": "a"}])
    with (tmp_path / "system" / "alerts.jsonl").open("a") as file:
        file.write('{"id": "x", "alert": "ha')
    system.append("alerts", [{"alert": "b"}])
    assert sorted(system.rows("alerts")["alert"].to_pylist()) == ["a", "b"]


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TableError, match=r"rows of system\.alerts cannot be written to .*file"):
        SystemTables(tmp_path / "file", MemoryTables()).append("alerts", [{}])


def test_an_unknown_table_is_refused(system: SystemTables) -> None:
    with pytest.raises(SparkmlError, match="no system table 'audits'; there are query_history, lineage, alerts"):
        system.rows("audits")


_WRITER = """\
import sys
from pathlib import Path
from sparkml_track.catalog.system import store
from sparkml_track.catalog.system.store import SystemTables
from sparkml_track.tables import DeltaTables
store._FLUSH_BYTES = 2000
home, name = Path(sys.argv[1]), sys.argv[2]
system = SystemTables(home / "system", DeltaTables(home / "tables"))
for number in range(1000000):
    system.append("alerts", [{"id": f"{name}-{number}", "alert": name}])
    print(number, flush=True)
"""


@pytest.mark.slow
def test_writers_that_are_killed_leave_each_row_exactly_once(tmp_path: Path) -> None:
    said = dict[str, int]()
    for name in ("a", "b", "c"):
        writer = subprocess.Popen([sys.executable, "-c", _WRITER, tmp_path, name], stdout=subprocess.PIPE, text=True)
        assert writer.stdout is not None
        for line in writer.stdout:
            if int(line) >= 60:
                writer.send_signal(signal.SIGKILL)
                break
        rest = writer.stdout.read().splitlines()
        writer.stdout.close()
        writer.wait()
        said[name] = int(rest[-1]) if rest else 60
    rows = SystemTables(tmp_path / "system", DeltaTables(tmp_path / "tables")).rows("alerts")
    ids = rows["id"].to_pylist()
    assert len(ids) == len(set(ids))
    # The last append of each may have been cut before or after its line was there.
    for name, last in said.items():
        assert {f"{name}-{number}" for number in range(last + 1)} <= set(ids)


def test_the_lines_are_json(system: SystemTables, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        system.append("query_history", [{"text": "select '\n'", "started_at": NOW}])
    (line,) = (tmp_path / "system" / "query_history.jsonl").read_text().splitlines()
    assert json.loads(line)["started_at"] == "2013-07-04T12:00:00.123456+00:00"
    assert not caplog.records


def test_what_waits_of_any_table_is_committed_when_it_is_much(tmp_path: Path) -> None:
    tables = MemoryTables()
    system = SystemTables(tmp_path, tables)
    for number in range(600):  # by whoever has no tables at hand
        spool.append(tmp_path, "audit", [{"action": "WRITE", "object": f"t{number}", "request": "x" * 1000}])
    spool.append(tmp_path, "lineage", [{"source_type": "TABLE"}])
    system.settle()
    assert tables.to_arrow("system.audit").num_rows == 600
    assert not tables.exists("system.lineage")
