"""Which columns of tables the columns of an answer need: all of them, whatever the query."""

from __future__ import annotations

import pyarrow as pa
import pytest

from sparkml_track.sql import Query, View, open_engine

A = View("main.default.a", {"k": "long", "v": "double", "s": "string", "st": '{"type":"struct"}'},
         rows=pa.table({"k": [1], "v": [2.0], "s": ["x"], "st": [{"p": 1}]}))  # fmt: skip
B = View("main.default.b", {"k": "long", "w": "double"}, rows=pa.table({"k": [1], "w": [2.0]}))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT k, v + 1 AS x FROM a", ["a.k", "a.v"]),
        ("SELECT 1 AS one, count(*) FROM a", ["", ""]),
        ("SELECT v FROM a WHERE s = 'x'", ["a.s a.v"]),
        ("SELECT sum(w) AS t FROM a JOIN b USING (k) GROUP BY a.s", ["a.k a.s b.k b.w"]),
        ("SELECT st.p AS p FROM a", ["a.st"]),
        ("WITH c AS (SELECT k, v FROM a) SELECT (SELECT max(w) FROM b WHERE b.k = c.k) AS m FROM c", ["a.k b.k b.w"]),
        ("SELECT k, k FROM a UNION ALL SELECT k, w FROM b", ["a.k b.k", "a.k b.w"]),
        ("SELECT k FROM a WHERE EXISTS (SELECT 1 FROM b WHERE b.w > a.v)", ["a.k a.v b.w"]),
        ("SELECT rank() OVER (PARTITION BY s ORDER BY v) AS r FROM a", ["a.s a.v"]),
        ("SELECT v FROM a QUALIFY row_number() OVER (PARTITION BY k ORDER BY s) = 1", ["a.k a.s a.v"]),
        ("SELECT v FROM a WHERE k = $n", ["a.k a.v"]),
        ("SELECT DISTINCT s FROM a ORDER BY 1 LIMIT 3", ["a.s"]),
        ("SELECT v FROM a WHERE false", None),
        ("SELECT * FROM a WHERE k IN (SELECT k FROM b)", ["a.k b.k", "a.k a.v b.k", "a.k a.s b.k", "a.k a.st b.k"]),
    ],
)
def test_all_that_values_and_the_choice_of_rows_depend_on(text: str, expected: list[str] | None) -> None:
    engine = open_engine("duckdb")
    parsed = engine.parse(text)
    views = {mention: A if mention.parts[-1] == "a" else B for mention in parsed.mentions}
    params = dict.fromkeys(parsed.parameters, 1)
    count = engine.run(Query(text, params), views).rows.num_columns
    found = engine.columns(Query(text, params), views, count)
    assert found is not None
    if expected is not None:
        assert [" ".join(sorted(f"{one}.{column}" for one, column in each)) for each in found] == expected
