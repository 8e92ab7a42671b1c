"""The feature tables of a home: keys, versions, and how fresh they are; none of their rows comes here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sparkml_track.dashboards.asked import Rows, ask, lake, remembered, written
from sparkml_track.dashboards.page import Page
from sparkml_track.dashboards.stamps import Kind, Stamp
from sparkml_track.errors import SparkmlError
from sparkml_track.governance.names import SYSTEM, full_name

if TYPE_CHECKING:
    from sparkml_track.tables import TableInfo, TableVersion

__all__ = ["Feature", "changed", "events", "feature", "feature_names", "features", "versions"]

_MOST = 200
_DAYS = (1, 7, 28, 365)  # that a point of a figure may stand for
_POINTS = 120
_DAY = 86_400_000  # milliseconds


@dataclass(frozen=True, slots=True)
class Feature:
    """One feature table.

    Attributes:
        name: of the table.
        info: its last version; None where it cannot be read.
        problem: why it cannot be read.
        made: when the last version was, seconds since the epoch.
        rows: how many.
        last: the latest time that a row has, where the table has a timestamp.
        first: the earliest one.
    """

    name: str
    info: TableInfo | None = None
    problem: str = ""
    made: float = 0.0
    rows: int = 0
    last: datetime | None = None
    first: datetime | None = None


def feature_names(page: Page) -> Sequence[str]:
    """Tables with primary keys: those over time first, which are features and nothing else."""
    known = lake(page)
    infos = {}
    for name in known.names():
        if full_name(name).split(".")[1] != SYSTEM:
            infos[name] = _described(page, name)
    # One that cannot be read may be a feature table: it has a line that says so.
    found = [name for name, info in infos.items() if info is None or info.keys]
    return sorted(found, key=lambda name: (_rank(infos[name]), name))


def features(page: Page) -> Sequence[Feature]:
    """The first of them; each is read again only after it was written."""
    return [feature(page, name) for name in feature_names(page)[:_MOST]]


def feature(page: Page, name: str) -> Feature:
    """One of them; what cannot be read of it is said in its line."""
    try:
        return _feature(page, name)
    except SparkmlError as error:
        return Feature(name, problem=str(error))


def versions(page: Page, name: str) -> Sequence[TableVersion]:
    """The versions, newest first."""
    stamp = written(page, name)
    found: Sequence[TableVersion] = remembered(page, ("versions", name), stamp, lambda: lake(page).history(name))
    return found


def events(page: Page, one: Feature) -> Rows:
    """How many rows became known in each part of time: ``moment`` and ``rows``."""
    if one.info is None or one.info.timestamp is None or one.first is None or one.last is None:
        return []
    days = (one.last - one.first).days / _POINTS
    width = next((each for each in _DAYS if each >= days), _DAYS[-1])
    column = _quoted(one.info.timestamp)
    # In numbers: with time zones and calendars DuckDB takes a hundred times as long.
    text = f"""SELECT CAST(epoch_ms({column}) // $width * $width AS BIGINT) AS moment, count(*) AS "rows"
        FROM feature WHERE {column} IS NOT NULL GROUP BY moment ORDER BY moment"""
    found = ask(page, text, {"width": width * _DAY}, feature=one.name)
    return [row | {"moment": datetime.fromtimestamp(row["moment"] / 1000, UTC)} for row in found]


def changed(page: Page) -> Stamp:
    """When any table, or lineage, was last written."""
    return (*page.stamp(Kind.TABLES), *page.stamp(Kind.SYSTEM, of="lineage"))


def _feature(page: Page, name: str) -> Feature:
    info = lake(page).describe(name)
    time = _quoted(info.timestamp) if info.timestamp else "NULL"
    text = f'SELECT count(*) AS "rows", max({time}) AS last, min({time}) AS first FROM feature'
    (found,) = ask(page, text, feature=name)
    made = versions(page, name)
    first, last = (_instant(found[end]) for end in ("first", "last"))
    return Feature(name, info, "", made[0].time if made else 0.0, found["rows"], last, first)


def _described(page: Page, name: str) -> TableInfo | None:
    try:
        return lake(page).describe(name)
    except SparkmlError:
        return None


def _rank(info: TableInfo | None) -> int:
    return 1 if info is None else 0 if info.timestamp else 2


def _instant(value: object) -> datetime | None:
    if not isinstance(value, datetime):
        return None  # a date, or no row
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
