"""All feature tables, and one of them, as a page shows them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sparkml_track.dashboards.blocks import Markup, empty, facts, more, note, section, table
from sparkml_track.dashboards.charts import chart
from sparkml_track.dashboards.features.known import Feature, events, feature, feature_names, features, versions
from sparkml_track.dashboards.features.used import Published, published, used
from sparkml_track.dashboards.models.versions import when
from sparkml_track.dashboards.page import Page
from sparkml_track.errors import SparkmlError
from sparkml_track.governance.names import CATALOG, SCHEMA
from sparkml_track.readable import duration
from sparkml_track.schema import PROPERTY_OWNER

__all__ = ["all_features", "by_time", "columns", "one", "online"]

_VERSIONS = 10
_HEAD = (
    "table",
    "keys",
    "time",
    "rows",
    "columns",
    "version",
    "written, UTC",
    "last row known at",
    "used by models",
    "online",
)


def all_features(page: Page) -> Markup:
    """Every table with primary keys: how fresh it is, and who uses it."""
    found = features(page)
    if not found:
        why = "No table has primary keys yet."
        return section("Feature tables", empty(why, "sparkml-track features --config CONFIG"))
    stored, problem = _published(page)
    lines = [_line(page, each, stored.get(each.name)) for each in found]
    said = "Tables with primary keys; those over time first. Models by lineage, and by what their runs read."
    said += more(len(feature_names(page)), len(lines), "tables")
    return section("Feature tables", table(_HEAD, lines), *problem, about=said)


def one(page: Page, name: str) -> Markup:
    """What a table is, from what it comes, who uses it."""
    found = feature(page, name)
    if found.info is None:
        return section(name, note(found.problem or "It cannot be read.", "bad"))
    uses, info = used(page, name), found.info
    known: dict[str, object] = {
        "keys": ", ".join(info.keys),
        "timestamp": info.timestamp,
        "rows": f"{found.rows:,}",
        "known from": _moment(found.first),
        "to": _moment(found.last),
        "version": info.ref.version,
        "written": f"{when(found.made)} UTC, {duration(max(time.time() - found.made, 0.0))} ago",
        "made into": _links([page.link(_short(each), "lineage", table=each) for each in uses.tables]),
        "models": _links([page.link(each, "models", model=each) for each in uses.models]),
        "owner": info.properties.get(PROPERTY_OWNER, ""),
    }
    more = [page.link("lineage", "lineage", table=name), page.link("SQL", "sql", table=name)]
    return section(name, facts(known), Markup("<p>{}</p>").format(_links(more)), about=info.description)


def columns(page: Page, name: str) -> Markup:
    """The columns of a table, and its last versions."""
    found = feature(page, name)
    if found.info is None:
        return Markup()
    info, made = found.info, versions(page, name)[:_VERSIONS]
    rows = [
        (column, kind, info.roles.get(column, "feature"), info.comments.get(column, ""))
        for column, kind in info.columns.items()
    ]
    lines = [(each.version, when(each.time), each.operation) for each in made]
    first = section("Columns", table(("column", "type", "role", "comment"), rows, texts=(3,)))
    return first + section("Versions", table(("version", "written, UTC", "by"), lines))


def by_time(page: Page, name: str) -> Any:
    """How many rows became known when; nothing where the table has no timestamp."""
    rows = events(page, feature(page, name))
    if not rows:
        return Markup()
    bars = {"type": "bar", "name": "rows", "x": [row["moment"] for row in rows], "y": [row["rows"] for row in rows]}
    return chart([bars], yaxis={"title": "rows that became known"}, bargap=0.05)


def online(page: Page) -> Markup:
    """What is published, and how far it is behind."""
    stored, problem = _published(page)
    if not stored:
        why = "Nothing is published to the online store of this home; others are not known here."
        shown = [] if problem else [empty(why, "sparkml-track features publish TABLE")]
        return section("Online", *problem, *shown)
    lines = [(name, each.version, _behind(each), each.at, each.max_age) for name, each in stored.items()]
    head = ("table", "published version", "behind", "published, UTC", "rows hold for")
    return section("Online", table(head, lines), about=f"The online store of this home, {page.home.online}.")


def _line(page: Page, each: Feature, stored: Published | None) -> Sequence[object]:
    name = page.link(_short(each.name), "features", table=each.name)
    info = each.info
    if info is None:
        return (
            name,
            Markup('<span class="sk-state unreadable">{}</span>').format(each.problem),
            *[""] * (len(_HEAD) - 2),
        )
    models = _links([page.link(model, "models", model=model) for model in used(page, each.name).models])
    shown = f"version {stored.version}, {_behind(stored)}" if stored else ""
    keys = ", ".join(info.keys)
    count = len(info.columns) - len(info.roles)
    numbers = (f"{each.rows:,}", count, info.ref.version, when(each.made), _moment(each.last))
    return (name, keys, info.timestamp or "", *numbers, models, shown)


def _published(page: Page) -> tuple[Mapping[str, Published], Sequence[Markup]]:
    """What is published, or why that cannot be read."""
    try:
        return published(page), ()
    except SparkmlError as error:
        return {}, (note(str(error), "bad"),)


def _behind(stored: Published) -> str:
    if stored.behind < 0:
        return "of a table that was made anew"
    return "up to date" if not stored.behind else f"{stored.behind} behind"


def _moment(value: datetime | None) -> str:
    return f"{value:%Y-%m-%d %H:%M}" if value else ""


def _short(name: str) -> str:
    return name.removeprefix(f"{CATALOG}.{SCHEMA}.")


def _links(links: Sequence[Markup]) -> Markup:
    return Markup(", ").join(links)
