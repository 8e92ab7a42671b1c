"""Two training sets side by side: which features are not what they were."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from sparkml_track.features.leaks.report import Cut

__all__ = ["Changes", "changes"]

#: Sums of doubles in another order differ by less.
_SAME = 1e-9


@dataclass(frozen=True, slots=True)
class Changes:
    """What one cut changed.

    Attributes:
        cut: with the rows that were compared.
        rows: feature to how many rows of it changed; only those that did.
        examples: feature to one of them, for a person.
    """

    cut: Cut
    rows: dict[str, int] = field(default_factory=dict)
    examples: dict[str, str] = field(default_factory=dict)


def changes(
    before: DataFrame, after: DataFrame, keys: Sequence[str], features: Sequence[str], time: str, cut: datetime
) -> Changes:
    """Compare the rows until a moment, in one Spark job.

    Args:
        before: the training set.
        after: as it is made of what was known at the moment.
        keys: columns that name a row; unique and never null.
        features: columns to compare. One that ``after`` lacks has changed in all rows.
        time: column of the prediction time.
        cut: the moment.
    """
    left = before.where(F.col(f"`{time}`") <= F.lit(cut)).select(
        *[F.col(f"`{key}`").alias(f"k{place}") for place, key in enumerate(keys)],
        F.col(f"`{time}`").alias("at"),
        *[F.col(f"`{name}`").alias(f"b{place}") for place, name in enumerate(features)],
    )
    there = set(after.columns)
    right = after.select(
        *[F.col(f"`{key}`").alias(f"k{place}") for place, key in enumerate(keys)],
        *[
            (F.col(f"`{name}`") if name in there else F.lit(None)).alias(f"a{place}")
            for place, name in enumerate(features)
        ],
        F.lit(True).alias("found"),
    )
    joined = left.join(right, [f"k{place}" for place in range(len(keys))], "left")
    types = dict(before.dtypes)
    moved = [
        F.col("found").isNotNull() & ~_same(f"b{place}", f"a{place}", types[name], lacks=name not in there)
        for place, name in enumerate(features)
    ]
    row = joined.agg(
        F.count("*").alias("rows"), F.count("found").alias("found"), *_counted(moved, keys, len(features))
    ).first()
    assert row is not None
    found = Cut(cut, row["rows"], row["rows"] - row["found"])
    changed = {name: row[f"n{place}"] for place, name in enumerate(features) if row[f"n{place}"]}
    examples = {name: row[f"e{place}"] for place, name in enumerate(features) if name in changed}
    return Changes(found, changed, examples)


def _counted(moved: Sequence[Column], keys: Sequence[str], features: int) -> list[Column]:
    counts = [F.count_if(one).alias(f"n{place}") for place, one in enumerate(moved)]
    named = [F.concat(F.lit(f"{key}="), _text(f"k{place}"), F.lit(" ")) for place, key in enumerate(keys)]
    said = [
        F.concat(
            *named, F.lit("at "), _text("at"), F.lit(": "), _text(f"b{place}"), F.lit(" became "), _text(f"a{place}")
        )
        for place in range(features)
    ]
    # The latest one: nearest to the cut.
    examples = [
        F.max_by(F.when(moved[place], said[place]), F.when(moved[place], F.col("at"))).alias(f"e{place}")
        for place in range(features)
    ]
    return [*counts, *examples]


def _text(column: str) -> Column:
    return F.coalesce(F.col(column).cast("string"), F.lit("null"))


def _same(one: str, other: str, kind: str, *, lacks: bool) -> Column:
    if lacks:
        return F.lit(False)
    left, right = F.col(one), F.col(other)
    if kind.startswith(("map", "variant")):
        left, right = F.to_json(left), F.to_json(right)
    same = left.eqNullSafe(right)
    if kind in ("float", "double"):
        near = F.abs(left - right) <= F.greatest(F.abs(left), F.abs(right)) * _SAME
        return same | F.coalesce(near & ~F.isnan(left - right), F.lit(False))
    return same
