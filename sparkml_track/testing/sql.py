"""What every member of ``sparkml_track.sql`` must do. Subclass ``EnginesCase`` and give the ``engine`` fixture."""

# ruff: noqa: D102 - the name of a test says what it asks

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sparkml_track.errors import InvalidInput, QueryError
from sparkml_track.sql import Answer, Engine, Mention, Query, View

__all__ = ["EnginesCase"]

_NOON = datetime(2013, 7, 4, 12, 0, 0, 123456, UTC)
_COLUMNS = {"k": "string", "v": "long", "since": "timestamp", "new": "double"}
_NO_SELECT = (
    "INSERT INTO t SELECT 1",
    "CREATE TABLE x AS SELECT 1",
    "DELETE FROM t",
    "SELECT 1; SELECT 2",
    "",
    "-- nothing",
    "SELEC 1",
    "SET x = 1",
    "DROP TABLE t",
    "SHOW TABLES",
    "\0",
    "SELECT '\ud800'",
)
#: Takes every engine longer than a test has; of a kind that Spark's tasks look up from, as not all do.
_ENDLESS = "SELECT count(*) AS n FROM range(1000000000000000)"


class EnginesCase:
    """The conformance case; ``confined`` selects what is asked."""

    @pytest.fixture
    def engine(self) -> Engine:
        """Give the member under test."""
        raise NotImplementedError("a subclass gives the engine")

    @pytest.fixture
    def views(self, tmp_path: Path) -> Mapping[str, View]:
        """``main.air.t`` in two files, the second without a column of the first; ``main.other.t``; an empty table."""
        folder = tmp_path / "files"
        folder.mkdir()
        many = pa.table({"k": ["x"] * 500, "v": list(range(500))})
        files = {
            "one": pa.table(
                {"k": ["a", "b"], "v": [1, 2], "since": pa.array([_NOON, None], pa.timestamp("us", "UTC"))}
            ),
            "two": pa.table({"v": [3], "k": ["c"]}),
            "other": pa.table({"k": ["a"], "w": [10]}),
            "many": many,
            "stray": pa.table({"k": ["stray"], "v": [0]}),
        }
        for name, rows in files.items():
            pq.write_table(rows, folder / f"{name}.parquet")
        return {
            "air.t": View("main.air.t", _COLUMNS, (str(folder / "one.parquet"), str(folder / "two.parquet"))),
            "other.t": View("main.other.t", {"k": "string", "w": "long"}, (str(folder / "other.parquet"),)),
            "empty": View("main.default.empty", {"k": "string", "v": "long"}),
            "t": View("main.default.t", {"k": "string", "v": "long"}, (str(folder / "many.parquet"),)),
            "parted": View(
                "main.default.parted",
                {"day": "date", "v": "long", "k": "string", "late": "boolean", "new": "double"},
                (str(folder / "many.parquet"), str(folder / "two.parquet"), str(folder / "one.parquet")),
                partition_by=("day", "k", "late"),
                partitions=(
                    (date(2013, 1, 1), "a b/=%'\"\\ü{x}", True),
                    (None, "2013", False),
                    (date(2013, 1, 2), None, None),
                ),
            ),
            "rows": View("main.system.rows", {"n": "long"}, rows=pa.table({"n": [7]})),
        }

    def asked(self, engine: Engine, views: Mapping[str, View], text: str, **bounds: object) -> Answer:
        found = {mention: views[".".join(mention.parts)] for mention in engine.parse(text).mentions}
        return engine.run(Query(text, **bounds), found)  # type: ignore[arg-type]

    # -- rows

    def test_a_query_sees_all_files_of_its_view(self, engine: Engine, views: Mapping[str, View]) -> None:
        rows = self.asked(engine, views, "SELECT * FROM air.t ORDER BY k").rows
        assert rows.column_names == list(_COLUMNS)
        assert rows.to_pylist() == [
            {"k": "a", "v": 1, "since": _NOON, "new": None},
            {"k": "b", "v": 2, "since": None, "new": None},
            {"k": "c", "v": 3, "since": None, "new": None},
        ]

    def test_sums_and_counts_are_64_bits(self, engine: Engine, views: Mapping[str, View]) -> None:
        rows = self.asked(engine, views, "SELECT sum(v) AS s, count(*) AS n, avg(v) AS m FROM air.t").rows
        assert rows.to_pylist() == [{"s": 6, "n": 3, "m": 2.0}]
        assert [str(field.type) for field in rows.schema] == ["int64", "int64", "double"]

    def test_tables_of_one_name_in_two_schemas_are_joined(self, engine: Engine, views: Mapping[str, View]) -> None:
        text = "SELECT x.k, w FROM air.t AS x JOIN other.t y ON x.k = y.k"
        assert self.asked(engine, views, text).rows.to_pylist() == [{"k": "a", "w": 10}]

    def test_columns_are_qualified_by_the_last_name(self, engine: Engine, views: Mapping[str, View]) -> None:
        text = "SELECT t.k FROM air.t WHERE t.v = (SELECT max(v) FROM air.t)"
        assert self.asked(engine, views, text).rows.to_pylist() == [{"k": "c"}]

    def test_a_table_without_files_has_columns_and_no_rows(self, engine: Engine, views: Mapping[str, View]) -> None:
        rows = self.asked(engine, views, "SELECT * FROM empty").rows
        assert (rows.num_rows, rows.column_names) == (0, ["k", "v"])

    def test_a_view_may_be_rows_that_are_there(self, engine: Engine, views: Mapping[str, View]) -> None:
        views = {**views, "system.rows": views["rows"]}
        assert self.asked(engine, views, "SELECT n + 1 AS n FROM system.rows").rows.to_pylist() == [{"n": 8}]

    def test_values_of_partitions_are_those_of_the_view_whatever_files_hold(
        self, engine: Engine, views: Mapping[str, View]
    ) -> None:
        text = "SELECT day, k, late, new, count(*) AS n, sum(v) AS v FROM parted GROUP BY day, k, late, new ORDER BY n"
        rows = self.asked(engine, views, text).rows
        assert [tuple(row.values()) for row in rows.to_pylist()] == [
            (None, "2013", False, None, 1, 3),
            (date(2013, 1, 2), None, None, None, 2, 3),
            (date(2013, 1, 1), "a b/=%'\"\\ü{x}", True, None, 500, 124750),
        ]
        assert rows.schema.field("day").type == pa.date32() and rows.schema.field("late").type == pa.bool_()

    def test_a_table_may_have_a_column_of_any_name_beside_its_partitions(self, engine: Engine, tmp_path: Path) -> None:
        names = ["sparkml_part", "Sparkml_part_", "filename"]
        pq.write_table(pa.table({name: [number] for number, name in enumerate(names)}), tmp_path / "odd.parquet")
        columns = {**dict.fromkeys(names, "long"), "k": "string"}
        view = View("main.default.odd", columns, (str(tmp_path / "odd.parquet"),), None, ("k",), (("x",),))
        rows = self.asked(engine, {"odd": view}, "SELECT * FROM odd").rows.to_pylist()
        assert rows == [{"sparkml_part": 0, "Sparkml_part_": 1, "filename": 2, "k": "x"}]

    def test_only_files_of_the_partitions_that_are_asked_are_read(
        self, engine: Engine, views: Mapping[str, View], tmp_path: Path
    ) -> None:
        parted = views["parted"]
        damaged = tmp_path / "files" / "damaged.parquet"
        pages, footer = Path(parted.files[0]).read_bytes()[4:-2000], Path(parted.files[0]).read_bytes()[-2000:]
        damaged.write_bytes(b"PAR1" + b"\xff" * len(pages) + footer)
        files = (parted.files[0], *[str(damaged)] * 2)
        views = {"parted": View(parted.name, parted.columns, files, None, parted.partition_by, parted.partitions)}
        given: dict[str, object] = {"day": date(2013, 1, 1)}
        text = "SELECT count(*) AS n FROM parted WHERE day = $day AND late AND v < 10"
        assert self.asked(engine, views, text, params=given).rows.to_pylist() == [{"n": 10}]
        with pytest.raises(QueryError):
            self.asked(engine, views, "SELECT sum(v) AS n FROM parted")

    def test_two_columns_of_one_name_get_names_of_their_own(self, engine: Engine, views: Mapping[str, View]) -> None:
        text = "SELECT x.k, y.k FROM air.t x JOIN other.t y ON x.k = y.k"
        assert self.asked(engine, views, text).rows.column_names == ["k", "k_1"]

    def test_a_limit_cuts_and_says_so(self, engine: Engine, views: Mapping[str, View]) -> None:
        text = "SELECT k FROM air.t ORDER BY k"
        cut = self.asked(engine, views, text, limit=2)
        assert (cut.rows.to_pydict(), cut.more) == ({"k": ["a", "b"]}, True)
        assert not self.asked(engine, views, text, limit=3).more

    # -- what a query names

    def test_names_of_common_table_expressions_are_no_tables(self, engine: Engine, views: Mapping[str, View]) -> None:
        text = (
            "WITH t AS (SELECT k FROM air.t), u AS (SELECT k FROM air.t) SELECT count(*) AS n FROM t, u, other.t AS o"
        )
        assert {mention.parts for mention in engine.parse(text).mentions} == {("air", "t"), ("other", "t")}
        assert self.asked(engine, views, text).rows.to_pylist() == [{"n": 9}]

    def test_tables_of_subqueries_are_found(self, engine: Engine) -> None:
        text = (
            "SELECT (SELECT max(v) FROM a.b) AS x FROM c WHERE k IN (SELECT k FROM d.e.f) AND EXISTS (SELECT 1 FROM g)"
        )
        assert set(engine.parse(text).mentions) == {
            Mention(("a", "b")),
            Mention(("c",)),
            Mention(("d", "e", "f")),
            Mention(("g",)),
        }

    @pytest.mark.parametrize("text", _NO_SELECT)
    def test_all_but_one_select_is_wrong_input(self, engine: Engine, text: str) -> None:
        with pytest.raises(InvalidInput, match="query") as caught:
            engine.parse(text)
        assert len(str(caught.value).splitlines()) == 1

    @pytest.mark.parametrize(
        "text", ["SELECT nothing FROM air.t", "SELECT nothing(v) FROM air.t", "SELECT v + since FROM air.t"]
    )
    def test_what_does_not_fit_the_tables_is_wrong_input(
        self, engine: Engine, views: Mapping[str, View], text: str
    ) -> None:
        with pytest.raises(InvalidInput, match="the query failed"):
            self.asked(engine, views, text)

    def test_what_the_rows_make_fail_is_an_error_of_the_query(self, engine: Engine, views: Mapping[str, View]) -> None:
        with pytest.raises(QueryError, match="the query failed"):
            self.asked(engine, views, "SELECT CAST(k AS INT) AS n FROM air.t")

    def test_clocks_and_chance_are_volatile(self, engine: Engine) -> None:
        assert not engine.parse("SELECT upper(k), '$x now()' AS s FROM t").volatile
        for text in ("SELECT now()", "SELECT current_date", "SELECT k FROM t WHERE random() < 0.5", "SELECT uuid()"):
            assert engine.parse(text).volatile, text

    # -- parameters

    def test_parameters_have_names_and_types(self, engine: Engine, views: Mapping[str, View]) -> None:
        text = "SELECT k, $d AS d, $f + 1 AS f, '$f' AS s, $b AS b FROM air.t WHERE since = $since AND v < $v -- $none"
        given = {"d": date(2013, 7, 4), "f": 0.5, "b": True, "since": _NOON, "v": 2}
        assert engine.parse(text).parameters == given.keys()
        rows = self.asked(engine, views, text, params=given).rows.to_pylist()
        assert rows == [{"k": "a", "d": date(2013, 7, 4), "f": 1.5, "s": "$f", "b": True}]

    def test_a_value_is_never_read_as_sql(self, engine: Engine, views: Mapping[str, View]) -> None:
        given = {"x": "' OR 1 = 1 --"}
        assert self.asked(engine, views, "SELECT k FROM air.t WHERE k = $x", params=given).rows.num_rows == 0

    def test_values_that_are_missing_or_too_many_are_wrong_input(
        self, engine: Engine, views: Mapping[str, View]
    ) -> None:
        with pytest.raises(InvalidInput, match=r"(?s)\$day.*no value.*no parameter 'dya'; did you mean day\?"):
            self.asked(engine, views, "SELECT k FROM air.t WHERE k = $day", params={"dya": "x"})

    # -- bounds

    def test_a_query_that_never_ends_meets_its_timeout(self, engine: Engine, views: Mapping[str, View]) -> None:
        with pytest.raises(QueryError, match=r"longer than its timeout of 0\.5 s"):
            self.asked(engine, views, _ENDLESS, timeout=0.5)
        assert self.asked(engine, views, "SELECT 1 AS one").rows.to_pylist() == [{"one": 1}]

    def test_a_query_is_interrupted_from_another_thread(self, engine: Engine, views: Mapping[str, View]) -> None:
        failed, ended = list[BaseException](), threading.Event()

        def ask() -> None:
            try:
                self.asked(engine, views, _ENDLESS)
            except QueryError as error:
                failed.append(error)
            ended.set()

        thread = threading.Thread(target=ask)
        thread.start()
        # One that comes before the query is executed misses it.
        for _ in range(600):
            engine.interrupt()
            if ended.wait(0.1):
                break
        thread.join(60)
        assert len(failed) == 1

    def test_a_query_reads_no_other_files(
        self, engine: Engine, views: Mapping[str, View], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        if not engine.confined:
            pytest.skip("this engine does not confine queries")
        (tmp_path / "here").mkdir()
        monkeypatch.chdir(tmp_path / "here")
        stray = str(Path(views["t"].files[0]).with_name("stray.parquet"))
        for function in ("read_parquet", "read_text", "glob", "parquet_metadata"):
            text = f"SELECT * FROM {function}('{stray}'), air.t"  # noqa: S608
            with pytest.raises(InvalidInput, match="nothing else"):
                self.asked(engine, views, text)
        assert not list((tmp_path / "here").iterdir())
