"""A stamp changes with what it is of, and with nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sparkml_track.dashboards.stamps import Kind, stamp
from sparkml_track.home import Home


def written(path: Path, text: str = "x") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(text)


WRITES: dict[Kind, Callable[[Path], Path]] = {
    Kind.SWEEPS: lambda home: home / "journal" / "s1" / "00000001-e0001.seg",
    Kind.RUNS: lambda home: home / "mlflow.db-wal",
    Kind.TABLES: lambda home: home / "tables" / "flights" / "_delta_log" / "00000000000000000000.json",
}


#: Kinds of which there are several things with a name.
OF = (Kind.SWEEPS, Kind.TABLES, Kind.SYSTEM)


@pytest.mark.parametrize("kind", WRITES)
def test_a_write_changes_the_stamp_of_its_kind_alone(kind: Kind, tmp_path: Path) -> None:
    home = Home(tmp_path)
    before = {each: stamp(home, each) for each in Kind}
    written(WRITES[kind](tmp_path))
    after = {each: stamp(home, each) for each in Kind}
    assert [each for each in Kind if before[each] != after[each]] == [kind]
    again = WRITES[kind](tmp_path)
    written(again.with_name("00000000000000000001.json") if kind is Kind.TABLES else again, "more")
    assert stamp(home, kind) != after[kind]


def test_a_table_in_a_schema_counts(tmp_path: Path) -> None:
    home = Home(tmp_path)
    log = tmp_path / "tables" / "sales" / "orders" / "_delta_log"
    written(log / "0.json")
    before = stamp(home, Kind.TABLES)
    written(log / "1.json")
    assert stamp(home, Kind.TABLES) != before


def test_one_sweep_is_not_disturbed_by_another(tmp_path: Path) -> None:
    home = Home(tmp_path)
    for name in ("a", "b"):
        written(tmp_path / "journal" / name / "1.seg")
    before = stamp(home, Kind.SWEEPS, of="a")
    written(tmp_path / "journal" / "b" / "1.seg")
    assert stamp(home, Kind.SWEEPS, of="a") == before
    written(tmp_path / "journal" / "a" / "1.seg")
    assert stamp(home, Kind.SWEEPS, of="a") != before


@pytest.mark.parametrize("of", ["/usr/lib", "../..", "a/../../b", "..", ".", "a\0b", "\ud800", "x" * 5000])
def test_what_an_address_names_leads_out_of_no_home(of: str, tmp_path: Path) -> None:
    for folder in ("home/journal", "home/tables", "journal"):
        written(tmp_path / folder / "1.seg")
    assert [stamp(Home(tmp_path / "home"), kind, of=of) for kind in OF] == [(), (), ()]


def test_an_object_store_is_taken_to_be_unchanged_for_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = Home(tmp_path / ".sparkml-s3" / "bucket" / "home")
    now = [1000.0]
    monkeypatch.setattr("sparkml_track.dashboards.stamps.time.time", lambda: now[0])
    before = stamp(home, Kind.SWEEPS)
    assert stamp(home, Kind.SWEEPS) == before
    now[0] += 60
    assert stamp(home, Kind.SWEEPS) != before
