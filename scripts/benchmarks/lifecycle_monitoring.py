"""Monitoring: drift of many columns by month, beside Spark's own aggregation of the same histograms.

    scripts/bench lifecycle --only monitoring

SPARKML_BENCH_ROWS (50,000,000) and SPARKML_BENCH_COLUMNS (20) make it smaller. The ratios are those of the
counting pass, and of the whole job.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rows import Row, main

from sparkml_track.monitoring import ByTime, Monitoring, monitor
from sparkml_track.monitoring._counting.counts import count
from sparkml_track.monitoring._counting.rows import Prepared, prepared
from sparkml_track.registries import MemoryRegistry
from sparkml_track.tables import DeltaTables

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

__all__ = ["monitoring"]

ROWS = int(os.environ.get("SPARKML_BENCH_ROWS", "50000000"))
COLUMNS = int(os.environ.get("SPARKML_BENCH_COLUMNS", "20"))
LIMIT = 2.0
_MANY = 10_000_000  # rows of which one round is enough


def monitoring() -> Row:
    """One pass over all rows for 12 months, three of which are the baseline."""
    from pyspark.sql import SparkSession

    folder = Path(os.environ["SPARKML_HOME"])
    builder = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    spark = builder.config("spark.driver.memory", "1500m").config("spark.sql.shuffle.partitions", "8").getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    tables = DeltaTables(folder / "tables", spark)
    source = tables.write("scored", _rows(spark))
    start, end = datetime(2023, 1, 1, tzinfo=UTC), datetime(2023, 4, 1, tzinfo=UTC)
    columns = [f"c{number}" for number in range(COLUMNS - 1)]
    spec = Monitoring((source,), ByTime("at", "month", start, end), "watched", "bench", columns)
    _timed(lambda: tables.read(source).agg({"at": "max"}).collect())  # files are read once before
    ready = prepared(spec, tables)
    passes, plain = [], []
    for _ in range(3 if ROWS <= _MANY else 1):  # in turn: the machine may be shared
        plain.append(_timed(lambda: _histograms(ready).collect()))
        passes.append(_timed(lambda: count(ready)))
    # Of many rows the pass alone: a row of a benchmark ends after ten minutes.
    whole = _timed(lambda: monitor(spec, tables, MemoryRegistry())) if ROWS <= _MANY else math.nan
    spark.stop()
    ours, theirs = min(passes), min(plain)
    return {
        "rows": ROWS,
        "columns": COLUMNS,
        "pass s": ours,
        "Spark's aggregation s": theirs,
        "ratio": ours / theirs,
        "whole job s": whole,
        "whole ratio": whole / theirs,
        "budget": f"ratio {LIMIT:g}",
    }


def _rows(spark: SparkSession) -> DataFrame:
    """Numbers of many values and of few, and text; a year of them in the order of time."""
    from pyspark.sql import functions as f

    made = spark.range(0, ROWS, 1, 16)
    seconds = (f.col("id") / ROWS * 364 * 86_400 + 1_672_531_200).cast("long")
    columns = [seconds.cast("timestamp").alias("at"), f.rand(99).alias("score")]
    for number in range(COLUMNS - 1):
        kinds = (
            f.randn(number),
            f.floor(f.rand(number) * 40).cast("int"),
            f.exp(f.randn(number)),
            f.concat(f.lit("value "), f.floor(f.rand(number) * 60).cast("string")),
        )
        columns.append(kinds[number % 4].alias(f"c{number}"))
    return made.select(*columns)


def _histograms(ready: Prepared) -> DataFrame:
    """Counts by window, column and the same fine bins, as a person would ask Spark for them; all of it in the JVM."""
    from pyspark.ml.feature import Bucketizer
    from pyspark.sql import functions as f

    cuts = list(ready.cuts.values())
    binned = [place for place, each in enumerate(cuts) if not each.text and len(each.points) > 0]
    bucketizer = Bucketizer(
        splitsArray=[[-math.inf, *map(float, cuts[place].points), math.inf] for place in binned],
        inputCols=[str(place) for place in binned],
        outputCols=[f"bin {place}" for place in binned],
        handleInvalid="keep",
    )
    slots = [f.col(f"bin {place}" if place in binned else str(place)).cast("string") for place in range(len(cuts))]
    pairs = [f.struct(f.lit(place).alias("column"), slot.alias("slot")) for place, slot in enumerate(slots)]
    rows = bucketizer.transform(ready.rows).select("window", f.explode(f.array(*pairs)).alias("pair"))
    return rows.groupBy("window", "pair.column", "pair.slot").count()


def _timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    main(__doc__, __file__, {"monitoring": monitoring}, {})
