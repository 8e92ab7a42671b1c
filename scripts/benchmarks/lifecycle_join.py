"""The point-in-time join beside Spark's own ASOF JOIN and DuckDB's.

    scripts/bench lifecycle --only join "join few" [--rows N]

N rows (1,000,000) look 5 features up among N rows of 20,000 keys: by ours, the union and window behind it, Spark's and
DuckDB's with 2 threads. ``fed`` is ours where rows are computed and not only read. All read the same Parquet files and
write Parquet. ``join few`` has 3 keys and at most 400,000 rows, without Spark's own, which is quadratic inside a key.
They take turns, after a first round that warms up; above 2,000,000 rows ours and the peers alone, once. Medians of wall
seconds: CPU seconds of Python workers that have ended are in no account.
"""

# ruff: noqa: S608 - queries of this file alone

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import duckdb
from rows import Row

from sparkml_track.features import Asof, point_in_time
from sparkml_track.features.asof.contract import Side
from sparkml_track.features.asof.window import by_window

ROWS, FEATURES, ROUNDS = "SPARKML_BENCH_ROWS", 5, 3
MANY = 2_000_000  # rows above which only ours and the peers run, once after a first round
VERY_MANY = 20_000_000  # rows above which Spark's own would take longer than a row of a benchmark may
HOW = Asof({"k": "k"}, {f"x{number}": f"x{number}" for number in range(FEATURES)}, "t", "t")
_VALUES = ", ".join(f"f.{name}" for name in HOW.outputs)


def session() -> Any:
    """One local session on two cores."""
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    builder = builder.config("spark.driver.memory", "3g").config("spark.sql.shuffle.partitions", "8")
    builder = builder.config("spark.sql.join.asofJoin.enabled", "true").config("spark.sql.session.timeZone", "UTC")
    spark = builder.config("spark.ui.showConsoleProgress", "false").getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    return spark


def made(folder: Path, rows: int, keys: int) -> tuple[str, str]:
    """Files of rows and of features: other keys and instants of a year in each."""
    connection, paths = duckdb.connect(), []
    values = ", ".join(f"(hash(i + {number}) % 1000003) / 1000.0 AS {name}" for number, name in enumerate(HOW.outputs))
    for number, more in enumerate(("i AS id", values)):
        instant = f"make_timestamp(1356998400000000 + (hash(i * 7 + {number}) % 31536000000000)::BIGINT)::TIMESTAMPTZ"
        key = f"(hash(i * 2 + {number}) % {keys})::BIGINT"
        paths.append(str(folder / f"{number}.parquet"))
        query = f"SELECT {key} AS k, {instant} AS t, {more} FROM range({rows}) r(i)"
        connection.execute(f"SET TimeZone = 'UTC'; COPY ({query}) TO '{paths[-1]}' (FORMAT parquet)")
    return paths[0], paths[1]


def beside(rows: int, keys: int, *, sparks: bool) -> Row:
    """Ours and the others, in turn."""
    folder = Path(tempfile.mkdtemp(dir=os.environ.get("SPARKML_HOME")))
    files = made(folder, rows, keys)
    spark = session()
    asked, known = (spark.read.parquet(file) for file in files)
    asked.createOrReplaceTempView("r")
    known.createOrReplaceTempView("f")
    theirs = f"SELECT r.*, {_VALUES} FROM r LEFT ASOF JOIN f MATCH_CONDITION (r.t >= f.t) ON r.k = f.k"

    def written(name: str, frame: Callable[[], Any]) -> Callable[[], object]:
        return lambda: frame().write.mode("overwrite").parquet(f"file:{folder}/{name}")

    ways = {
        "duckdb": lambda: _by_duckdb(files, folder),
        "ours": written("ours", lambda: point_in_time(asked, known, HOW)),
        "fed": written("fed", lambda: point_in_time(asked.where("id >= 0"), known, HOW)),
        "window": written("window", lambda: by_window(asked, [Side(known, HOW)])),
        **({"spark": written("spark", lambda: spark.sql(theirs))} if sparks else {}),
    }
    if rows > MANY:  # a row of a benchmark ends after ten minutes
        ways = {name: way for name, way in ways.items() if name not in {"fed", "window"}}
    return {**_turns(ways), "equal": _equal(folder, ways), "budget": "ours / duckdb <= 4, spark / ours >= 2"}


def _by_duckdb(files: tuple[str, str], folder: Path) -> None:
    connection = duckdb.connect(config={"threads": 2})
    join = f"'{files[0]}' r ASOF LEFT JOIN '{files[1]}' f ON r.k = f.k AND r.t >= f.t"
    connection.execute(f"COPY (SELECT r.*, {_VALUES} FROM {join}) TO '{folder}/duckdb.parquet' (FORMAT parquet)")


def _turns(ways: Mapping[str, Callable[[], object]]) -> Row:
    spent: dict[str, list[float]] = {name: [] for name in ways}
    rounds = ROUNDS if "fed" in ways else 1
    for number in range(rounds + 1):
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            if number:
                spent[name].append(time.perf_counter() - start)
    wall = {name: statistics.median(found) for name, found in spent.items()}
    shown: Row = {f"{name} s": seconds for name, seconds in wall.items()}
    shown |= {f"{name} / duckdb": wall[name] / wall["duckdb"] for name in ("ours", "fed") if name in wall}
    return {**shown, **({"spark / ours": wall["spark"] / wall["ours"]} if "spark" in wall else {})}


def _equal(folder: Path, ways: Mapping[str, object]) -> bool:
    """Whether all wrote the same rows: their number, and sums of what no order of adding changes."""
    sums = ", ".join(f"sum(hash(id, t, {name})::HUGEINT)" for name in HOW.outputs)
    found = set()
    for name in ways:
        files = f"{folder}/{name}.parquet" if name == "duckdb" else f"{folder}/{name}/*.parquet"
        found.add(duckdb.sql(f"SELECT count(*), {sums} FROM read_parquet('{files}')").fetchone())
    return len(found) == 1


def join() -> Row:
    """Many keys."""
    rows = int(os.environ.get(ROWS, "1_000_000"))
    return beside(rows, 20_000, sparks=rows <= VERY_MANY)


def join_few() -> Row:
    """Three keys."""
    return beside(min(int(os.environ.get(ROWS, "1_000_000")), 400_000), 3, sparks=False)
