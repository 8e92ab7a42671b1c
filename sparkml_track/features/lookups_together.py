"""Look-ups by the same keys and time, in one pass over the rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from typing import TYPE_CHECKING

from sparkml_track.adapters.spark.errors import translated
from sparkml_track.errors import DataError
from sparkml_track.features.asof import Side, check_join, points_in_time
from sparkml_track.features.lookup import FeatureLookup
from sparkml_track.refs import TableRef

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

__all__ = ["in_passes", "joined_together", "of_table"]


def in_passes(lookups: Sequence[FeatureLookup]) -> Iterator[tuple[FeatureLookup, ...]]:
    """Give look-ups in their order, those together that follow each other and can be one join."""
    for _, group in groupby(enumerate(lookups), lambda each: _common(*each)):
        yield tuple(lookup for _, lookup in group)


def joined_together(df: DataFrame, sides: Sequence[tuple[TableRef, Side]]) -> DataFrame:
    """Join all sides of a pass.

    Args:
        df: the rows.
        sides: by the tables they come from.

    Raises:
        DataError: as each look-up alone would raise it, with its table.
    """
    taken: list[str] = []
    for ref, side in sides:
        how = side.how
        with of_table(ref):
            check_join(df, side.features, how.keys, how.outputs, {how.time: how.feature_time}, taken)
        taken += how.outputs
    return points_in_time(df, [side for _, side in sides])


@contextmanager
def of_table(ref: TableRef) -> Iterator[None]:
    """Say of an error which table was looked up."""
    try:
        with translated("the join", DataError):
            yield
    except DataError as error:
        raise DataError(f"lookup in {ref}: {error}") from error


def _common(number: int, lookup: FeatureLookup) -> object:
    """What look-ups of one pass have in common; one that can have no company has its number."""
    if lookup.timestamp_lookup_key is None or lookup.known_key is not None:
        return number
    return lookup.keys, lookup.timestamp_lookup_key
