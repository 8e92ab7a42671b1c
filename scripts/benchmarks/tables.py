"""Delta tables: appends and reads beside plain Parquet, a merge beside delta-rs's own, many commits to one table.

    scripts/bench tables [--only NAME ...]

SPARKML_BENCH_ROWS (10,000,000) and SPARKML_BENCH_COMMITS (1,000) make it smaller. What is compared takes turns in three
rounds, and medians are printed.
"""

from __future__ import annotations

import os
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
from rows import Row, main

from sparkml_track.tables import DeltaTables

ROWS = int(os.environ.get("SPARKML_BENCH_ROWS", "10_000_000"))
COMMITS = int(os.environ.get("SPARKML_BENCH_COMMITS", "1_000"))
FILES, TOUCHED, COME, ROUNDS = 100, 10, ROWS // 100, 3


def session() -> Any:
    """One local session on two cores."""
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    builder = builder.config("spark.driver.memory", "3g").config("spark.sql.shuffle.partitions", "8")
    spark = builder.config("spark.ui.showConsoleProgress", "false").getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    return spark


def new_folder() -> Path:
    """A folder in the home of the row, which goes with it."""
    return Path(tempfile.mkdtemp(dir=os.environ.get("SPARKML_HOME")))


def timed(work: Callable[[], object]) -> float:
    """Seconds."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def memory() -> float:
    """The most that this process held, in MB; the JVM is another process."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def append_and_read() -> Row:
    """Rows written and read by us and by Spark alone."""
    spark, folder = session(), new_folder()
    frame = spark.range(0, ROWS, 1, 8).selectExpr(
        "id", "id % 1000 as k", "rand(7) as v", "cast(id % 97 as string) as s"
    )
    tables = DeltaTables(folder / "tables", spark)
    times: dict[str, list[float]] = {"write": [], "plain write": [], "read": [], "plain read": []}
    for number in range(ROUNDS + 1):  # the first round warms up
        for key, seconds in _round(spark, tables, frame, folder, number).items() if number else ():
            times[key].append(seconds)
    middle = {key: statistics.median(each) for key, each in times.items()}
    return {
        **{f"{key} s": seconds for key, seconds in middle.items()},
        "write ratio": middle["write"] / middle["plain write"],
        "read ratio": middle["read"] / middle["plain read"],
        "budget": "ratios <= 1.15",
    }


def _round(spark: Any, tables: DeltaTables, frame: Any, folder: Path, number: int) -> dict[str, float]:
    name, plain = f"t{number}", f"file:{folder}/plain{number}"
    return {
        "plain write": timed(lambda: frame.write.option("compression", "zstd").parquet(plain)),
        "write": timed(lambda: tables.write(name, frame)),
        "plain read": timed(lambda: spark.read.parquet(plain).selectExpr("sum(v)", "max(s)").collect()),
        "read": timed(lambda: tables.read(name).selectExpr("sum(v)", "max(s)").collect()),
    }


def merge() -> Row:
    """Rows merged into a table of many files, a tenth of them touched, by Spark and by delta-rs."""
    import deltalake

    spark, folder = session(), new_folder()
    tables = DeltaTables(folder, spark)
    each = ROWS // FILES
    for name in ("ours", "rust"):
        frame = spark.range(0, ROWS, 1, FILES).selectExpr("id", "id % 1000 as k", "0D as v")
        tables.write(name, frame)
    assert len(tables.files("ours")) == FILES
    picked = f"(id div {COME // TOUCHED}) * {each * (FILES // TOUCHED)} + id % {COME // TOUCHED}"
    come = spark.range(COME).selectExpr(f"{picked} as id", "id % 7 as k", "1D as v")
    rows, before = come.toArrow(), memory()
    times: dict[str, list[float]] = {"ours": [], "rust": []}
    driver = 0.0
    for number in range(ROUNDS + 1):  # the first round warms up
        ours = timed(lambda: tables.merge("ours", come, keys=["id"]))
        driver = max(driver, memory() - before) if not number else driver  # delta-rs merges in this process later
        merger = deltalake.DeltaTable(folder / "rust").merge(rows, "target.id = source.id", "source", "target")
        rust = timed(merger.when_matched_update_all().when_not_matched_insert_all().execute)
        for key, seconds in (("ours", ours), ("rust", rust)) if number else ():
            times[key].append(seconds)
    middle = {key: statistics.median(found) for key, found in times.items()}
    changed = tables.read("ours").where("v = 1").count()
    assert changed == COME, changed
    return {
        "ours s": middle["ours"],
        "delta-rs s": middle["rust"],
        "ratio": middle["ours"] / middle["rust"],
        "driver grew MB": driver,
        "budget": "ratio <= 3, driver flat",
    }


def commits() -> Row:
    """Many commits to one table, without a JVM."""
    tables = DeltaTables(new_folder())
    rows = pa.table({"k": ["a", "b"], "v": [1, 2]})
    tables.write("t", rows)
    found = [timed(lambda: tables.write("t", rows, mode="append")) for _ in range(COMMITS)]
    edge = max(COMMITS // 20, 1)
    first, last = statistics.median(found[:edge]), statistics.median(found[-edge:])
    return {"first ms": first * 1e3, "last ms": last * 1e3, "ratio": last / first, "budget": "ratio <= 1.5"}


if __name__ == "__main__":
    main(__doc__, __file__, {"append and read": append_and_read, "merge": merge, "commits": commits}, {})
