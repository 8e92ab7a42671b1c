"""The quality of an order inside groups, such as the results of one search, among the first rows of each.

Source: Järvelin and Kekäläinen, Cumulated Gain-Based Evaluation of IR Techniques (2002), with binary gains.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sparkml_track.errors import DataError
from sparkml_track.monitoring._counting.windows import Window
from sparkml_track.monitoring._found import Quality
from sparkml_track.monitoring._judging.parts import order

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

__all__ = ["ranked"]


def ranked(rows: DataFrame, at: int) -> list[Quality]:
    """One for each window that has a group with a hit.

    Rows without a score or a label are not in the order; of rows of one score those that are no hit come first, so
    that a tie flatters nobody. Groups without a hit have no share of hits to find, and are left out.

    Args:
        rows: ``window`` (its tag), ``group``, ``score`` and ``label``.
        at: how many rows of a group are looked at.

    Raises:
        DataError: a label is neither 0 nor above.
    """
    from pyspark.sql import functions as f
    from pyspark.sql.window import Window as Over

    known = rows.where("score is not null and not isnan(score) and label is not null and not isnan(label)")
    hit = (f.col("label") > 0).cast("double")
    over = Over.partitionBy("window", "group")
    placed = known.withColumn("hit", hit).withColumn(
        "place", f.row_number().over(over.orderBy(f.col("score").desc(), f.col("hit")))
    )
    first, gain = f.col("place") <= at, 1 / f.log2(f.col("place") + 1)
    by_group = placed.groupBy("window", "group").agg(
        f.sum("hit").alias("hits"),
        f.sum(f.when(first, f.col("hit")).otherwise(0.0)).alias("found"),
        f.sum(f.when(first, f.col("hit") * gain).otherwise(0.0)).alias("gain"),
        f.count(f.lit(1)).alias("rows"),
        f.min("label").alias("least"),
    )
    ideal = f.aggregate(
        f.sequence(f.lit(1), f.least(f.col("hits").cast("int"), f.lit(at))),
        f.lit(0.0),
        lambda total, place: total + 1 / f.log2(place + 1),
    )
    with_hits = f.col("hits") > 0
    found = by_group.groupBy("window").agg(
        f.sum("rows").alias("rows"),
        f.min("least").alias("least"),
        f.count_if(with_hits).alias("groups"),
        f.avg(f.when(with_hits, f.col("found") / at)).alias("precision_at"),
        f.avg(f.when(with_hits, f.col("found") / f.col("hits"))).alias("recall_at"),
        f.avg(f.when(with_hits, f.col("gain") / ideal)).alias("ndcg_at"),
    )
    return _listed([row.asDict() for row in found.collect()])


def _listed(found: list[dict[str, Any]]) -> list[Quality]:
    from sparkml_track.monitoring._counting.windows import name_windows

    windows = name_windows(row["window"] for row in found)
    by_window: dict[Window, dict[str, Any]] = {windows[row.pop("window")]: row for row in found}
    for window, row in by_window.items():
        if row.pop("least") < 0:
            raise DataError(
                f"labels in window {window.label} go below 0; a label of a ranking is 0, or above 0 for a hit"
            )
    return [Quality(w.label, w.in_baseline, **by_window[w]) for w in order(by_window) if by_window[w]["groups"]]
