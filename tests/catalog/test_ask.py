"""The way of a query: what it sees, what is kept of it, what it makes."""

from __future__ import annotations

import json
import shutil
from datetime import date
from pathlib import Path
from typing import Any

import deltalake
import pyarrow as pa
import pytest

from sparkml_track.catalog import Catalog
from sparkml_track.catalog.queries.cache import Cache
from sparkml_track.errors import AccessDenied, InvalidInput, QueryError, SparkmlError, TableError
from sparkml_track.governance.grants import Principal
from sparkml_track.home import Home
from sparkml_track.refs import TableRef
from sparkml_track.sql import Engine, open_engine
from sparkml_track.tables import DeltaTables, MemoryTables

ROWS = pa.table({"k": ["a", "b"], "v": [1, 2]})


@pytest.fixture(scope="module")
def engine() -> Engine:
    return open_engine()


@pytest.fixture
def catalog(tmp_path: Path, engine: Engine) -> Catalog:
    found = Catalog(Home(tmp_path), engine)
    found.tables.write("air.flights", ROWS)
    found.tables.write("air.flights", pa.table({"k": ["c"], "v": [3]}), mode="append")
    return found


def history(catalog: Catalog) -> list[dict[str, Any]]:
    return list(catalog.system.rows("query_history").sort_by("started_at").to_pylist())


def total(catalog: Catalog, table: str, **how: Any) -> object:
    return catalog.sql(f"SELECT sum(v) AS s FROM {table}", **how).rows["s"][0].as_py()


# -------------------------------------------------------------------------------------------------- what it sees


@pytest.mark.parametrize("name", ["air.flights", "main.air.flights", "AIR.Flights", '"air"."flights"'])
def test_a_query_reads_the_latest_version(catalog: Catalog, name: str) -> None:
    result = catalog.sql(f"SELECT sum(v) AS s FROM {name}")
    assert result.rows.to_pylist() == [{"s": 6}]
    assert [str(ref) for ref in result.tables] == ["air.flights@v1"]


def test_a_version_is_pinned_by_a_name_in_any_form(catalog: Catalog) -> None:
    assert total(catalog, "air.flights", at={"main.air.flights": 0}) == 3
    assert total(catalog, "main.air.flights", at={"air.flights": 0}) == 3
    assert total(catalog, "air.flights AT (VERSION => 0)") == 3


def test_two_versions_of_a_table_meet_in_one_query(catalog: Catalog) -> None:
    result = catalog.sql("SELECT k FROM air.flights ANTI JOIN air.flights AS before AT (VERSION => 0) USING (k)")
    assert result.rows.to_pydict() == {"k": ["c"]}
    assert {ref.version for ref in result.tables} == {0, 1}


def test_what_cannot_be_pinned_is_wrong_input(catalog: Catalog) -> None:
    with pytest.raises(InvalidInput, match=r"air\.flights has no version 9; the latest is 1"):
        total(catalog, "air.flights", at={"air.flights": 9})
    with pytest.raises(InvalidInput, match=r"weather@0 pins what the query does not read"):
        total(catalog, "air.flights", at={"weather": 0})
    with pytest.raises(InvalidInput, match=r"no table nothing"):
        total(catalog, "nothing")


def test_a_vacuumed_version_is_told(catalog: Catalog) -> None:
    first = catalog.tables.files(TableRef("air.flights", str(catalog.home.tables / "air.flights"), 0))
    Path(first[0]).unlink()
    with pytest.raises(TableError, match=r"air\.flights has no version 0 .*vacuumed"):
        total(catalog, "air.flights", at={"air.flights": 0})


def test_the_information_schema_lists_tables_and_columns(catalog: Catalog) -> None:
    (catalog.home.tables / "broken" / "_delta_log").mkdir(parents=True)
    (catalog.home.tables / "broken" / "_delta_log" / f"{0:020d}.json").write_text('{"protocol":{}}')
    rows = catalog.sql("SELECT * FROM information_schema.tables ORDER BY table_name").rows.to_pylist()
    assert [(row["table_schema"], row["table_name"], row["version"]) for row in rows][1] == ("air", "flights", 1)
    assert rows[0]["table_name"] == "broken"
    assert rows[0]["problem"]
    text = "SELECT column_name, data_type FROM main.information_schema.columns WHERE table_name = 'flights'"
    assert catalog.sql(text).rows.to_pydict() == {"column_name": ["k", "v"], "data_type": ["string", "long"]}
    assert catalog.sql("FROM information_schema.schemata").rows.num_rows == 2
    with pytest.raises(InvalidInput, match="information_schema has no table views; it has schemata, tables, columns"):
        catalog.sql("FROM information_schema.views")


def test_tables_in_memory_are_asked_too(tmp_path: Path, engine: Engine) -> None:
    catalog = Catalog(Home(tmp_path), engine, MemoryTables())
    catalog.tables.write("t", ROWS)
    assert total(catalog, "t") == 3
    assert not catalog.sql("SELECT sum(v) AS s FROM t").cached


# ------------------------------------------------------------------------------------------------- what is kept


def test_every_query_is_in_the_history(catalog: Catalog) -> None:
    catalog.sql("SELECT k FROM air.flights WHERE v > $v", {"v": 1}, at={"air.flights": 0})
    with pytest.raises(InvalidInput):
        catalog.sql("SELEC 1")
    with pytest.raises(QueryError):
        catalog.sql("SELECT CAST(k AS INT) FROM air.flights")
    first, second, third = history(catalog)
    assert (first["rows"], first["error"], first["saved"], first["cached"]) == (1, None, None, False)
    assert json.loads(first["tables"]) == ["main.air.flights@0"]
    assert json.loads(first["params"]) == {"v": 1}
    assert first["engine"].startswith("duckdb ")
    assert "syntax error" in second["error"]
    assert (third["rows"], json.loads(third["tables"])) == (None, ["main.air.flights@1"])
    assert "Could not convert" in third["error"]


def test_the_history_is_asked_by_the_same_sql(catalog: Catalog) -> None:
    assert catalog.sql("SELECT count(*) AS n FROM system.query_history").rows.to_pylist() == [{"n": 0}]
    total(catalog, "air.flights")
    text = "SELECT text FROM main.system.query_history WHERE tables LIKE '%main.air.flights@1%'"
    assert catalog.sql(text).rows.num_rows == 1
    assert catalog.sql("FROM system.lineage").rows.num_rows == 0


def test_what_others_asked_is_not_read_by_somebody_else(catalog: Catalog, tmp_path: Path) -> None:
    catalog.sql("SELECT 1 AS secret")
    bob = Catalog(
        catalog.home, tables=DeltaTables(catalog.home.tables_root, who=Principal("bob")), who=Principal("bob")
    )
    assert bob.sql("SELECT 1 AS one").rows.num_rows == 1
    for text in (
        "SELECT text FROM system.query_history",
        "WITH h AS (SELECT * FROM main.system.query_history) SELECT count(*) FROM h",
    ):
        with pytest.raises(AccessDenied, match="only the account that runs this reads it"):
            bob.sql(text)
    assert catalog.sql("SELECT text FROM system.query_history").rows.num_rows >= 2


def test_a_home_that_cannot_be_written_costs_the_history_and_not_the_answer(
    catalog: Catalog, caplog: pytest.LogCaptureFixture
) -> None:
    catalog.home.system.write_text("in the way")
    catalog.home.cache.write_text("in the way")
    assert total(catalog, "air.flights") == 6
    assert "was not recorded in system.query_history" in caplog.text


# ---------------------------------------------------------------------------------------------------- the cache


def test_the_same_question_is_answered_from_the_cache(catalog: Catalog) -> None:
    first, second = (catalog.sql("SELECT k FROM air.flights ORDER BY k", limit=2) for _ in range(2))
    assert (first.cached, second.cached) == (False, True)
    assert second.rows.equals(first.rows)
    assert (first.more, second.more) == (True, True)
    assert second.rows.schema.metadata is None


def test_another_version_parameter_or_limit_is_another_question(catalog: Catalog) -> None:
    text = "SELECT sum(v) AS s, $x AS x FROM air.flights"
    asked = [({"x": 1}, None, None), ({"x": 1.0}, None, None), ({"x": "1"}, None, None), ({"x": True}, None, None),
             ({"x": 1}, 1, None), ({"x": 1}, None, {"air.flights": 0})]  # fmt: skip
    for params, limit, at in asked:
        assert not catalog.sql(text, params, limit=limit, at=at).cached
    catalog.tables.write("air.flights", ROWS, mode="append")
    result = catalog.sql(text, {"x": 1})
    assert (result.cached, result.rows["s"][0].as_py()) == (False, 9)


def test_a_table_that_was_deleted_and_made_again_is_another_table(catalog: Catalog) -> None:
    catalog.tables.write("t", ROWS)
    assert total(catalog, "t") == 3
    shutil.rmtree(catalog.home.tables / "t")
    catalog.tables.write("t", pa.table({"k": ["z"], "v": [100]}))
    assert total(catalog, "t") == 100


def test_clocks_chance_and_what_is_in_the_catalog_are_not_kept(catalog: Catalog) -> None:
    for text in ("SELECT now() AS now, k FROM air.flights", "FROM air.flights USING SAMPLE 1", "SELECT random()",
                 "FROM information_schema.tables"):  # fmt: skip
        assert not any(catalog.sql(text).cached for _ in range(2)), text


def test_damaged_and_old_answers_are_no_answers(catalog: Catalog, tmp_path: Path) -> None:
    total(catalog, "air.flights")
    (kept,) = catalog.home.cache.glob("*.arrow")
    kept.write_bytes(kept.read_bytes()[:50])
    assert total(catalog, "air.flights") == 6
    catalog._cache = Cache(catalog.home.cache, kept.stat().st_size + 10)
    for number in range(5):
        catalog.sql(f"SELECT sum(v) + {number} AS s FROM air.flights")
    assert len(list(catalog.home.cache.iterdir())) == 1


# ---------------------------------------------------------------------------------------------------- --save


def test_rows_are_saved_as_a_version_with_lineage(catalog: Catalog) -> None:
    text = "SELECT k, sum(v) AS v FROM air.flights GROUP BY k"
    first = catalog.sql(text, save="air.daily")
    second = catalog.sql(text, save="main.air.daily", at={"air.flights": 0})
    assert [str(one.saved) for one in (first, second)] == ["air.daily@v0", "air.daily@v1"]
    assert total(catalog, "air.daily") == 3
    assert "main.air.flights@1" in catalog.tables.describe("air.daily").description
    edges = catalog.system.rows("lineage").sort_by("event_time").to_pylist()
    ends = [
        f"{e['source_full_name']}@{e['source_version']} {e['target_full_name']}@{e['target_version']}" for e in edges
    ]
    assert ends == ["main.air.flights@1 main.air.daily@0", "main.air.flights@0 main.air.daily@1"]
    assert edges[0]["entity_run_id"] == first.id
    assert [row["saved"] for row in history(catalog)][:2] == ["main.air.daily@0", "main.air.daily@1"]


@pytest.mark.parametrize("name", ["system.lineage", "main.system.x", "information_schema.x", "a b", "../x", "a.b.c.d"])
def test_names_that_are_not_ones_to_write_are_wrong_input(catalog: Catalog, name: str) -> None:
    with pytest.raises(InvalidInput):
        catalog.sql("SELECT 1 AS one", save=name)
    assert catalog.tables.names() == ("air.flights",)


def test_rows_that_no_table_can_hold_are_refused(catalog: Catalog) -> None:
    with pytest.raises(SparkmlError, match="column"):
        catalog.sql("SELECT INTERVAL 1 DAY AS i", save="t")
    with pytest.raises(SparkmlError, match="column"):
        catalog.sql('SELECT 1 AS "a b"', save="t")
    assert not catalog.tables.exists("t")


def test_a_partitioned_table_of_another_writer_is_asked_as_its_log_says(catalog: Catalog) -> None:
    rows = pa.table({"day": [date(2013, 1, 1), None], "k": ["a b/c=d%", "ü"], "v": [1, 2]})
    deltalake.write_deltalake(catalog.home.tables / "air.days", rows, partition_by=["day", "k"])
    catalog.tables.write("air.days", pa.table({"day": [date(2013, 1, 2)], "k": ["a"], "v": [3]}), mode="append")
    text = "SELECT day, k, v FROM air.days WHERE v < 3 ORDER BY v"
    assert catalog.sql(text).rows.to_pylist() == rows.to_pylist()
    assert catalog.sql(text).cached
    assert catalog.sql("SELECT v FROM air.days WHERE day = '2013-01-02'").rows.to_pylist() == [{"v": 3}]
    assert catalog.sql("SELECT v FROM air.days", at={"air.days": 0}).rows.num_rows == 2


def test_tables_of_a_home_in_an_object_store_are_asked_like_others(
    s3: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: Engine
) -> None:
    monkeypatch.chdir(tmp_path)
    catalog = Catalog(Home.find(f"{s3}/home"), engine)
    catalog.tables.write("flights", ROWS)
    catalog.tables.write("flights", pa.table({"k": ["c"], "v": [3]}), mode="append")
    assert total(catalog, "flights") == sum(ROWS["v"].to_pylist()) + 3
    assert total(catalog, "flights", at={"flights": 0}) == sum(ROWS["v"].to_pylist())
