"""Tables of ours, read by others at every version: by DuckDB's delta extension (delta-kernel) and by delta-rs."""

from __future__ import annotations

import importlib.util
import shutil
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import deltalake
import pyarrow as pa
import pytest

from sparkml_track.tables import DeltaTables, MergeRule, TableExpectations

if TYPE_CHECKING:
    import duckdb as duck

NOON = datetime(2013, 7, 4, 12, 0, 0, 123456, UTC)
ROWS = pa.table(
    {
        "k": ["a", "b", "c"],
        "n": pa.array([1, None, 3], pa.int16()),
        "x": [0.5, float("nan"), None],
        "day": [date(2013, 1, 1), None, date(1, 1, 1)],
        "at": pa.array([NOON, None, NOON + timedelta(days=1)], pa.timestamp("us", "UTC")),
        "money": pa.array([Decimal("1.25"), None, Decimal("-9.75")], pa.decimal128(10, 2)),
        "flag": [True, None, False],
        "raw": [b"\x00\xff", None, b""],
        "many": [[1, 2], None, []],
        "pair": [{"p": 1, "q": "y"}, None, {"p": None, "q": "z"}],
    }
)


@pytest.fixture(scope="module")
def duckdb() -> duck.DuckDBPyConnection:
    """DuckDB with its delta extension, from the wheel that holds it: nothing is fetched."""
    found = importlib.util.find_spec("duckdb_extension_delta")
    if found is None or importlib.util.find_spec("duckdb") is None or not found.submodule_search_locations:
        pytest.skip("NOT TESTED with DuckDB: pip install duckdb==1.5.5 duckdb-extension-delta==1.5.5")
    import duckdb

    [extension] = Path(found.submodule_search_locations[0]).glob("extensions/*/delta.duckdb_extension")
    connection = duckdb.connect(config={"autoinstall_known_extensions": False, "autoload_known_extensions": False})
    connection.execute(f"LOAD '{extension}'")
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def text(rows: pa.Table, columns: list[str]) -> list[str]:
    """Rows in an order and a form that do not depend on the reader."""
    return sorted(repr([row[column] for column in columns]) for row in rows.to_pylist())


def agree(tables: DeltaTables, path: Path, duckdb: duck.DuckDBPyConnection) -> None:
    """Both read the same rows, columns and history at every version."""
    history = tables.history(path.name)
    for one in history:
        ours = tables.to_arrow(path.name, at=one.version)
        columns = ours.column_names
        theirs = duckdb.execute(f"SELECT * FROM delta_scan('{path}', version={one.version})").to_arrow_table()
        assert theirs.column_names == columns
        assert text(theirs, columns) == text(ours, columns), one
        rust = deltalake.DeltaTable(path, version=one.version).to_pyarrow_table()
        assert text(rust, columns) == text(ours, columns), one
    told = [line["operation"] for line in deltalake.DeltaTable(path).history()]
    assert told == [one.operation for one in history]


def test_all_writes_are_read_alike_at_every_version(tmp_path: Path, duckdb: duck.DuckDBPyConnection) -> None:
    tables = DeltaTables(tmp_path)
    tables.write("t", ROWS, expect=TableExpectations(keys=("k",)))
    tables.write("t", ROWS.set_column(0, "k", pa.array(["d", "e", "f"])), mode="append")
    rules = [MergeRule("matched", "delete", "source.n = 3"), MergeRule("matched", "update")]
    tables.merge("t", ROWS.slice(1), keys=["k"], rules=rules)
    tables.update("t", "k = 'e'", {"money": "3.5", "n": "7"})
    tables.delete("t", "k = 'f'")
    tables.write("t", pa.table({"k": ["g"], "new": [["x"]]}), mode="append", evolve=True)
    tables.optimize("t")
    tables.comment("t", "a key", column="k")
    tables.add_constraints("t", {"keyed": "k <> ''"})
    tables.restore("t", 1)
    tables.write("t", pa.table({"z": [1]}), mode="overwrite", expect=TableExpectations())
    agree(tables, tmp_path / "t", duckdb)


def test_partitions_are_read_alike(tmp_path: Path, duckdb: duck.DuckDBPyConnection) -> None:
    tables = DeltaTables(tmp_path)
    rows = pa.table({"day": [date(2013, 1, 1), None], "k": ["a b/c=d%", "\u00fc"], "flag": [True, False], "v": [1, 2]})
    tables.write("p", rows, partition_by=["day", "k", "flag"])
    tables.write("p", rows, mode="append")
    tables.delete("p", "v = 2")
    agree(tables, tmp_path / "p", duckdb)


def test_checkpoints_are_read_alike(tmp_path: Path, duckdb: duck.DuckDBPyConnection) -> None:
    tables = DeltaTables(tmp_path)
    tables.write("c", pa.table({"v": [0]}))
    tables.set_properties("c", {"delta.checkpointInterval": "3"})
    for number in range(5):
        tables.write("c", pa.table({"v": [number]}), mode="append")
    assert list((tmp_path / "c" / "_delta_log").glob("*.checkpoint.parquet"))
    agree(tables, tmp_path / "c", duckdb)


def test_clones_are_read_alike(tmp_path: Path, duckdb: duck.DuckDBPyConnection) -> None:
    tables = DeltaTables(tmp_path)
    tables.write("t", ROWS, partition_by=["day"])
    tables.add_constraints("t", {"known": "k <> 'x'"})
    tables.set_properties("t", {"delta.appendOnly": "true"})
    tables.clone("t", "c")
    tables.write("c", ROWS, mode="append")
    agree(tables, tmp_path / "c", duckdb)
    shutil.rmtree(tmp_path / "t")
    agree(tables, tmp_path / "c", duckdb)
