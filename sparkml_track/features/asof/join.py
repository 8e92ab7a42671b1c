"""The joins that callers see: what does not fit is refused, then the way is chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from sparkml_track.features.asof.contract import Asof, Side, check_join
from sparkml_track.features.asof.local import by_duckdb
from sparkml_track.features.asof.window import by_window, key_columns

__all__ = ["latest_join", "point_in_time", "points_in_time"]


def point_in_time(rows: DataFrame, features: DataFrame, how: Asof) -> DataFrame:
    """Add the feature values known at each row's time.

    Args:
        rows: any; a null key or time finds nothing.
        features: unique by keys, timestamp and ``created``; none of them null.
        how: see ``Asof``.

    Returns:
        Every row once, with its columns and the outputs; null where nothing was known.

    Raises:
        DataError: columns that are missing, clash or differ in type.
    """
    return points_in_time(rows, [Side(features, how)])


def points_in_time(rows: DataFrame, sides: Sequence[Side]) -> DataFrame:
    """Add what was known of several sides, looked up by the same keys and time of the rows, in one pass.

    Args:
        rows: as for ``point_in_time``.
        sides: one at least; outputs come in this order.

    Returns:
        As ``point_in_time`` for each side in turn.

    Raises:
        DataError: columns that are missing, clash or differ in type.
    """
    taken: list[str] = []
    for side in sides:
        how = side.how
        check_join(rows, side.features, how.keys, how.outputs, {how.time: how.feature_time}, taken)
        taken += how.outputs
    return by_duckdb(rows, sides) or by_window(rows, sides)


def latest_join(rows: DataFrame, features: DataFrame, keys: Mapping[str, str], outputs: Mapping[str, str]) -> DataFrame:
    """Add the values of features that have no timestamp.

    Args:
        rows: any; a null key finds nothing.
        features: unique by keys.
        keys: column of the rows to key column of the features.
        outputs: name in the result to column of the features.

    Returns:
        Every row once, with its columns and the outputs.

    Raises:
        DataError: columns that are missing, clash or differ in type.
    """
    check_join(rows, features, keys, outputs, {})
    # Columns of the user stand in structs, so that no name of theirs can be one of ours.
    values = F.struct(*[F.col(f"`{column}`").alias(name) for name, column in outputs.items()])
    names = [f"_key{index}" for index in range(len(keys))]
    right = features.select(*key_columns(keys.values(), names), values.alias("_feature")).alias("right")
    left = rows.select(*key_columns(keys, names), F.struct("*").alias("_row")).alias("left")
    match = [F.col(f"left.{name}") == F.col(f"right.{name}") for name in names]
    return left.join(right, match, "left").select("_row.*", *[F.col(f"_feature.`{name}`") for name in outputs])
