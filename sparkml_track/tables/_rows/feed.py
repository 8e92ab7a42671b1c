"""The change data feed: rows of versions that came, went or changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import pyarrow as pa

from sparkml_track.errors import TableError
from sparkml_track.tables._rows.arrow import normalised

#: The property by which a table keeps it.
FEED = "delta.enableChangeDataFeed"
#: Columns of a feed beside the table's.
TYPE, VERSION, TIME = "_change_type", "_commit_version", "_commit_timestamp"


def is_fed(properties: Mapping[str, str]) -> bool:
    """Whether a version keeps what changed."""
    return properties.get(FEED, "").lower() == "true"


def check_feed(name: str, properties: Mapping[str, str], columns: Iterable[str]) -> None:
    """Refuse to begin a feed of a table whose own columns have the names of the feed's.

    Raises:
        TableError: names them.
    """
    taken = sorted({TYPE, VERSION, TIME} & set(columns))
    if is_fed(properties) and taken:
        raise TableError(
            f"table {name} has the column {', '.join(taken)}, as a change feed has: write it under another name first"
        )


def check_range(name: str, since: object, until: object) -> None:
    """Refuse what is not a range of versions.

    Raises:
        TableError: says so.
    """
    for number in (since, until):
        if number is not None and (isinstance(number, bool) or not isinstance(number, int) or number < 0):
            raise TableError(f"table {name}: changes are asked from version to version, by numbers; {number!r} is none")
    if isinstance(since, int) and isinstance(until, int) and until < since:
        raise TableError(f"table {name}: changes from version {since} to {until} are none; the first comes first")


def no_feed(name: str, version: int) -> TableError:
    """A version that did not keep what changed."""
    return TableError(
        f"table {name} kept no change feed at version {version}: set {FEED} to true by set_properties, and changes are "
        "kept from that version on; earlier versions are compared by diff"
    )


def feed_of(found: pa.Table, columns: Sequence[str], name: str) -> pa.Table:
    """A feed in our form: the table's columns, what happened, the version, and when it was made, in order.

    Args:
        found: with columns of these names, in any order and type that Arrow has for them.
        columns: of the table; those that are not there yet are left out.
        name: of the table.
    """
    at = found[TIME].cast(pa.timestamp("us")).cast(pa.timestamp("us", "UTC"))
    rows = normalised(found.select([column for column in columns if column in found.column_names]), name)
    rows = rows.append_column(TYPE, found[TYPE].cast(pa.string()))
    return rows.append_column(VERSION, found[VERSION].cast(pa.int64())).append_column(TIME, at).sort_by(VERSION)


def marked(rows: pa.Table, change: str) -> pa.Table:
    """Rows to which the same happened."""
    return rows.append_column(TYPE, pa.array([change] * rows.num_rows, pa.string()))


def compared(before: pa.Table | None, after: pa.Table) -> pa.Table:
    """What a write did: rows that are behind those before came; otherwise all before went and all after came."""
    if before is None:
        return marked(after, "insert")
    same = set(before.column_names) <= set(after.column_names)
    if same and after.slice(0, before.num_rows).select(before.column_names).equals(before):
        return marked(after.slice(before.num_rows), "insert")
    return pa.concat_tables([marked(before, "delete"), marked(after, "insert")], promote_options="default")
