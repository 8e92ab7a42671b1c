from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from sparkml_track.errors import TableError
from sparkml_track.tables import DeltaTables
from sparkml_track.tables._delta import log
from sparkml_track.tables._delta.actions import Change, entries
from sparkml_track.tables._delta.locations import local, location_of
from sparkml_track.tables._delta.rewrite import landing
from sparkml_track.tables._delta.rewrite.landing import Plan, land
from sparkml_track.tables._delta.rewrite.pruning import Range, matcher

Other = Callable[[DeltaTables], object]


def rows(*numbers: int) -> pa.Table:
    return pa.table({"n": list(numbers)})


@pytest.fixture
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DeltaTables:
    monkeypatch.setattr(landing, "_PAUSE", 0.0)
    tables = DeltaTables(tmp_path)
    tables.write("t", rows(1, 2))
    tables.write("t", rows(11, 12), mode="append")
    return tables


def first_file_goes(path: Path, *, low: int = 1, high: int = 9) -> Callable[[log.Log], Plan]:
    """A delete of the file that holds 1; it would have touched what lies between the bounds."""

    def compute(found: log.Log) -> Plan:
        gone = tuple(entry for entry in entries(found, location_of(path)) if entry.lowest["n"] == 1)
        return Plan(Change("DELETE", removes=gone), matcher((Range("n", low, high),), {"n": "long"}))

    return compute


def landed(tables: DeltaTables, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *others: Other) -> tuple[int, int]:
    """Land a delete while others commit, each in front of one try; gives the version and how often it was computed."""
    waiting, publish, computed = list(others), landing.publish, []
    compute = first_file_goes(tmp_path / "t")

    def late(*args: object) -> int:
        if waiting:
            waiting.pop(0)(DeltaTables(tmp_path))
        return publish(*args)  # type: ignore[arg-type]

    def counted(found: log.Log) -> Plan:
        computed.append(1)
        return compute(found)

    monkeypatch.setattr(landing, "publish", late)
    return land(location_of(tmp_path / "t"), "deleting from table t", None, counted), len(computed)


def test_appends_of_rows_that_cannot_matter_are_passed_by(
    tables: DeltaTables, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    others: list[Other] = [lambda t: t.write("t", rows(100), mode="append")] * 3
    assert landed(tables, tmp_path, monkeypatch, *others) == (5, 1)
    assert sorted(tables.to_arrow("t")["n"].to_pylist()) == [11, 12, 100, 100, 100]


@pytest.mark.parametrize(
    "other",
    [
        lambda t: t.write("t", rows(5), mode="append"),
        lambda t: t.delete("t", "n = 2"),
        lambda t: t.write("t", pa.table({"n": [1], "m": [1]}), mode="overwrite"),
    ],
)
def test_what_may_matter_has_the_change_computed_again(
    tables: DeltaTables, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, other: Other
) -> None:
    version, computed = landed(tables, tmp_path, monkeypatch, other)
    assert (version, computed) == (3, 2)
    assert 1 not in tables.to_arrow("t")["n"].to_pylist()


def test_other_writers_that_always_come_first_are_named(
    tables: DeltaTables, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    others: list[Other] = [lambda t: t.write("t", rows(5), mode="append")] * 6
    with pytest.raises(
        TableError, match=r"computed 6 times.*last one was WRITE in version 7, which added rows"
    ) as raised:
        landed(tables, tmp_path, monkeypatch, *others)
    assert "Nothing was written" in str(raised.value)
    assert 1 in tables.to_arrow("t")["n"].to_pylist()


def test_a_commit_is_there_whole_or_not_at_all(
    tables: DeltaTables, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(local.os, "link", full)
    with pytest.raises(TableError, match=r"writing table t failed: .*No space left"):
        land(location_of(tmp_path / "t"), "deleting from table t", None, first_file_goes(tmp_path / "t"))
    assert list((tmp_path / "t" / "_delta_log").glob("_commit*")) == []
    assert tables.latest("t").version == 1


def test_a_file_system_without_links_is_named(
    tables: DeltaTables, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*args: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(local.os, "link", refused)
    with pytest.raises(TableError, match="has no hard links"):
        land(location_of(tmp_path / "t"), "deleting from table t", None, first_file_goes(tmp_path / "t"))


def test_commits_of_ours_are_read_by_others_and_kept_short(tables: DeltaTables, tmp_path: Path) -> None:
    import deltalake

    deltalake.DeltaTable(tmp_path / "t").alter.set_table_properties({"delta.checkpointInterval": "3"})
    assert land(location_of(tmp_path / "t"), "deleting from table t", None, first_file_goes(tmp_path / "t")) == 3
    assert deltalake.DeltaTable(tmp_path / "t").to_pyarrow_table()["n"].to_pylist() == [11, 12]
    assert deltalake.DeltaTable(tmp_path / "t").history()[0]["operation"] == "DELETE"
    folder = tmp_path / "t" / "_delta_log"
    assert json.loads((folder / "_last_checkpoint").read_text())["version"] == 3
    for version in range(4):
        os.unlink(folder / f"{version:020d}.json")
    assert tables.to_arrow("t")["n"].to_pylist() == [11, 12]
