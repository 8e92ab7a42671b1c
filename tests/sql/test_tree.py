"""What is particular to DuckDB: names in its tree, versions in the text, and no way out of the sandbox."""

from __future__ import annotations

import signal
import threading
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sparkml_track.errors import InvalidInput, QueryError, SetupError
from sparkml_track.sql import Engine, Mention, Query, View, open_engine


@pytest.fixture
def engine() -> Engine:
    return open_engine()


def test_columns_may_be_qualified_by_the_whole_name(engine: Engine) -> None:
    view = View("main.system.t", {"v": "long"}, rows=pa.table({"v": [1]}))
    for name in ("system.t", "main.system.t"):
        text = f"SELECT {name}.v, t.v FROM {name} WHERE {name}.v = 1"
        (mention,) = engine.parse(text).mentions
        assert engine.run(Query(text), {mention: view}).rows.to_pydict() == {"v": [1], "v_1": [1]}


def test_a_version_may_be_asked_for_in_the_text(engine: Engine) -> None:
    text = "SELECT a.v AS before, b.v AS now FROM t AS a AT (VERSION => 3), t AS b"
    assert engine.parse(text).mentions == (Mention(("t",), 3), Mention(("t",)))
    views = {
        Mention(("t",), 3): View("main.default.t", {"v": "long"}, rows=pa.table({"v": [1]})),
        Mention(("t",)): View("main.default.t", {"v": "long"}, rows=pa.table({"v": [2]})),
    }
    assert engine.run(Query(text), views).rows.to_pylist() == [{"before": 1, "now": 2}]


@pytest.mark.parametrize("clause", ["VERSION => -1", "VERSION => 'x'", "TIMESTAMP => '2013-01-01'", "VERSION => v"])
def test_another_point_in_time_is_wrong_input(engine: Engine, clause: str) -> None:
    with pytest.raises(InvalidInput, match=r"write a\.t AT \(VERSION => 3\)"):
        engine.parse(f"SELECT * FROM a.t AT ({clause})")


def test_the_names_of_a_recursion_and_of_outer_queries_are_no_tables(engine: Engine) -> None:
    text = """WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < (SELECT max(v) FROM t)),
        t AS (SELECT * FROM t) SELECT (SELECT count(*) FROM r), (WITH u AS (FROM t) SELECT count(*) FROM u, q) FROM t"""
    assert set(engine.parse(text).mentions) == {Mention(("t",)), Mention(("q",))}


def test_parameters_without_names_are_wrong_input(engine: Engine) -> None:
    with pytest.raises(InvalidInput, match=r"parameters 1, 2 without names; write \$name"):
        engine.parse("SELECT ?, ?")


def test_settings_cannot_be_changed_back(engine: Engine, tmp_path: Path) -> None:
    pq.write_table(pa.table({"v": [1]}), tmp_path / "t.parquet")
    view = View("main.default.t", {"v": "long"}, (str(tmp_path / "t.parquet"),))
    text = "SELECT value FROM duckdb_settings() WHERE name IN ('enable_external_access', 'lock_configuration'), t"
    text = text.replace(", t", "").replace("FROM duckdb_settings()", "FROM duckdb_settings() s, t") + " ORDER BY name"
    text = text.replace("SELECT value", "SELECT s.value").replace("ORDER BY name", "ORDER BY s.name")
    rows = engine.run(Query(text), {Mention(("t",)): view}).rows
    assert rows["value"].to_pylist() == ["false", "true"]


def test_paths_are_never_patterns(engine: Engine, tmp_path: Path) -> None:
    for folder, value in (("[ab]*", 1), ("a", 2)):
        (tmp_path / folder).mkdir()
        pq.write_table(pa.table({"v": [value]}), tmp_path / folder / "t.parquet")
    view = View("main.default.t", {"v": "long"}, (str(tmp_path / "[ab]*" / "t.parquet"),))
    assert engine.run(Query("FROM t"), {Mention(("t",)): view}).rows.to_pydict() == {"v": [1]}


def test_python_variables_are_no_tables(engine: Engine) -> None:
    rows = pa.table({"v": [1]})
    assert rows.num_rows == 1
    with pytest.raises(InvalidInput, match="failed in DuckDB"):
        engine.run(Query("SELECT * FROM query_table('rows')"), {})


def test_a_sum_beyond_64_bits_is_an_error_and_not_another_type(engine: Engine) -> None:
    view = View("main.default.t", {"v": "long"}, rows=pa.table({"v": [2**62, 2**62]}))
    with pytest.raises(QueryError, match="a whole number in s does not fit into 64 bits; cast the sum"):
        engine.run(Query("SELECT sum(v) AS s FROM t"), {Mention(("t",)): view})


def test_a_table_without_files_and_with_nested_columns_is_refused(engine: Engine) -> None:
    view = View("main.default.t", {"v": '{"type": "array"}'})
    with pytest.raises(InvalidInput, match="its columns v are nested"):
        engine.run(Query("FROM t"), {Mention(("t",)): view})


def test_ctrl_c_ends_a_query(engine: Engine) -> None:
    engine.run(Query("SELECT 1"), {})  # the first connection of a process imports, and DuckDB hides a signal there
    timer = threading.Timer(0.3, lambda: signal.raise_signal(signal.SIGINT))
    timer.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            engine.run(Query("SELECT count(*) FROM range(1000000000000)"), {})
    finally:
        timer.join()
    assert engine.run(Query("SELECT 1 AS one"), {}).rows.num_rows == 1


def test_without_duckdb_the_way_out_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "duckdb", None)
    with pytest.raises(SetupError, match=r"pip install 'sparkml-track\[sql\]'"):
        open_engine()
