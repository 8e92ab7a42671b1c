"""SQL of pipelines: the tables that a SELECT names, and the one statement of a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from sparkml_track import pipelines as dp
from sparkml_track.errors import InvalidInput
from sparkml_track.pipelines.declared.sql_words import marked
from sparkml_track.tables import MemoryTables
from tests.pipelines.declaring import planned, rows


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("select * from a", ["a"]),
        ("SELECT * FROM air.flights f JOIN main.air.`planes` AS p USING (tailnum), b, c WHERE x IN (SELECT y FROM d)",
         ["air.flights", "main.air.planes", "b", "c", "d"]),
        ("with t as (select * from a), u (x, y) as (select * from t join b on true) select * from u, T", ["a", "b"]),
        ("select extract(year from day), trim(both 'x' from name), substring(s from 2) from a", ["a"]),
        ("select a.x is distinct from b.x, a.x is not distinct from 3 from a left anti join b on true", ["a", "b"]),
        ("select 'from x', \"join y\" /* from z */ -- from w\n from a", ["a"]),
        ("select * from range(10), a lateral view explode(xs) e as x", ["a"]),
        ("select * from (a join b on a.k = b.k)", ["a", "b"]),
        ("from a select x", ["a"]),
        ("select * from a union all select * from b order by 1, 2", ["a", "b"]),
        ("select (select max(v) from b) m from a group by x, y having x > 1", ["b", "a"]),
        ("values (1), (2)", []),
    ],
)  # fmt: skip
def test_the_tables_of_a_select_are_found(text: str, names: list[str]) -> None:
    assert list(marked(text)[1].values()) == names


def test_tables_become_marks_and_braces_of_the_text_stay() -> None:
    query, names = marked("SELECT flights.x, '{y}' FROM air.flights JOIN p AS q ON {extra}.z", {"extra"})
    assert query == (
        "SELECT flights.x, '{{y}}' FROM {sparkml_table_0} AS `flights` JOIN {sparkml_table_1} AS q ON {extra}.z"
    )
    assert names == {"sparkml_table_0": "air.flights", "sparkml_table_1": "p"}


@pytest.mark.parametrize("text", ["", "drop table x", "select 1; select 2", "insert into x values (1)"])
def test_what_is_not_one_select_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="a flow in SQL is one SELECT"):
        marked(text)


def declared(tmp_path: Path, text: str) -> dp.Pipeline:
    file = tmp_path / "late.sql"
    file.write_text(text)
    tables = MemoryTables()
    tables.write("raw", rows(1))
    return dp.Pipeline("p", [file], tmp_path, tables)


def test_a_file_declares_materialized_views_and_temporary_ones(tmp_path: Path) -> None:
    pipeline = declared(
        tmp_path,
        """
        -- the first
        CREATE OR REFRESH MATERIALIZED VIEW air.late (
          CONSTRAINT positive EXPECT (v > 0 AND f(v, 'a)')) ON VIOLATION DROP ROW,
          CONSTRAINT known EXPECT (v IS NOT NULL),
          CONSTRAINT small EXPECT (v < 10) ON VIOLATION FAIL UPDATE,
          CONSTRAINT odd EXPECT (v % 2 = 1) ON VIOLATION QUARANTINE ROW
        ) COMMENT 'it''s late' PARTITIONED BY (v) AS SELECT * FROM some;
        CREATE TEMPORARY VIEW some AS SELECT v FROM raw
        """,
    )
    target = pipeline.declared().targets["air.late"]
    assert [(rule.name, rule.condition, rule.action) for rule in target.expectations] == [
        ("positive", "v > 0 AND f(v, 'a)')", "drop"),
        ("known", "v IS NOT NULL", "warn"),
        ("small", "v < 10", "fail"),
        ("odd", "v % 2 = 1", "quarantine"),
    ]
    assert (target.comment, target.partition_by, target.place) == ("it's late", ("v",), "late.sql:3")
    assert planned(pipeline) == {"air.late": ("build", "it is not there yet")}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "late.sql holds no statement; allowed is CREATE OR REFRESH MATERIALIZED VIEW name"),
        ("SELECT 1", "late.sql:1: 'SELECT' stands where CREATE OR REFRESH MATERIALIZED VIEW should"),
        ("\nCREATE TABLE x AS SELECT 1", "late.sql:2: 'CREATE' stands where"),
        ("CREATE OR REFRESH MATERIALIZED VIEW x", "the end stands where AS SELECT should"),
        ("CREATE OR REFRESH MATERIALIZED VIEW x AS", "the end stands where SELECT after AS should"),
        ("CREATE OR REFRESH MATERIALIZED VIEW x AS DELETE FROM y", "'DELETE' stands where SELECT after AS should"),
        ("CREATE OR REFRESH MATERIALIZED VIEW x (CONSTRAINT a EXPECT (v > (0)) AS SELECT 1", "stands where , should"),
        ("CREATE OR REFRESH MATERIALIZED VIEW x (CONSTRAINT a EXPECT ()) AS SELECT 1", "a condition in parentheses"),
        (
            "CREATE OR REFRESH MATERIALIZED VIEW x (CONSTRAINT a EXPECT (v) ON VIOLATION KEEP ROW) AS SELECT 1",
            "'KEEP' stands where DROP ROW, FAIL UPDATE or QUARANTINE ROW after ON VIOLATION should",
        ),
    ],
)
def test_any_other_statement_is_refused_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        declared(tmp_path, text)
