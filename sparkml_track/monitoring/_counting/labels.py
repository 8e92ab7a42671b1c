"""Labels that came later, from a table of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparkml_track.errors import DataError
from sparkml_track.monitoring._counting.windows import column_named
from sparkml_track.monitoring._spec import Labels
from sparkml_track.tables import Tables

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

__all__ = ["LABEL", "with_labels"]

#: The column of the label that was found; names of the user's columns may be anything but this and the keys'.
LABEL = "sparkml label"
_KEY = "sparkml key {}"


def with_labels(labels: Labels, name: str, rows: DataFrame, tables: Tables, what: str) -> DataFrame:
    """The rows, each with its label in ``LABEL``; null where it is not known.

    Args:
        labels: where they are.
        name: of their column.
        rows: that were scored.
        tables: read the labels.
        what: the rows are called in messages.

    Raises:
        DataError: a column is missing, the types of a key differ, or one key has two labels.
    """
    found = _known(labels, name, tables)
    here, there = dict(rows.dtypes), dict(found.dtypes)
    for place, key in enumerate(labels.keys):
        kinds = here.get(key, "not there"), there[_KEY.format(place)]
        if kinds[0] != kinds[1]:
            raise DataError(
                f"labels cannot be joined: key {key!r} is {kinds[0]} in {what} and {kinds[1]} in {labels.table}; "
                "name columns of one type as keys"
            )
    same = [rows[f"`{key.replace('`', '``')}`"] == found[f"`{_KEY.format(n)}`"] for n, key in enumerate(labels.keys)]
    return rows.join(found, same, "left")


def _known(labels: Labels, name: str, tables: Tables) -> DataFrame:
    """One row for each key whose label is known."""
    from pyspark.sql import functions as f

    part = tables.read(labels.table)
    wanted = [*labels.keys.values(), name, *([labels.known_at] if labels.known_at else [])]
    if missing := [each for each in wanted if each not in part.columns]:
        raise DataError(
            f"{labels.table} has no column {', '.join(map(repr, missing))}; it has {', '.join(part.columns)}"
        )
    keys = [column_named(key).alias(_KEY.format(place)) for place, key in enumerate(labels.keys.values())]
    when = column_named(labels.known_at) if labels.known_at else f.lit(None)
    part = part.select(*keys, column_named(name).alias(LABEL), when.alias("at")).where(f.col(f"`{LABEL}`").isNotNull())
    groups = part.groupBy(*(f"`{_KEY.format(place)}`" for place in range(len(keys))))
    label = f.col(f"`{LABEL}`")
    if labels.known_at:
        known = part.where(f.col("at").isNotNull() if labels.as_of is None else f.col("at") <= labels.as_of)
        groups = known.groupBy(*(f"`{_KEY.format(place)}`" for place in range(len(keys))))
        return groups.agg(f.max_by(label, "at").alias(LABEL))
    if twice := groups.agg(f.count_distinct(label).alias("n")).where("n > 1").limit(1).collect():
        shown = ", ".join(str(twice[0][place]) for place in range(len(keys)))
        raise DataError(
            f"{labels.table} has more than one label for the key {shown}; name the column of when a label became known "
            "as known_at=, and the last one counts"
        )
    return groups.agg(f.first(label).alias(LABEL))
