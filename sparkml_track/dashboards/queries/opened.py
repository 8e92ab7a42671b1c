"""The text that the page begins with, by its address; and the fields for the parameters of a text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sparkml_track.catalog.queries.saved import parse_saved
from sparkml_track.dashboards.page import Page
from sparkml_track.dashboards.queries.past import past_query
from sparkml_track.dashboards.queries.saved import saved_query
from sparkml_track.dashboards.queries.tables import prepared
from sparkml_track.errors import InvalidInput, SparkmlError
from sparkml_track.governance.names import parse_pin
from sparkml_track.sql import open_engine

__all__ = ["Opened", "fields", "opened"]

_EMPTY = "SELECT table_schema, table_name, version, description\nFROM information_schema.tables"


@dataclass(frozen=True)
class Opened:
    """How the page begins.

    Attributes:
        text: SQL.
        values: of parameters, as words.
        problem: why it is not what the address asks for.
    """

    text: str
    values: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""


def opened(page: Page) -> Opened:
    """A saved query (``query``), one that was asked (``past``), or a SELECT of a table (``table``, ``version``)."""
    query = page.query
    try:
        if name := query.get("query", ""):
            return Opened(saved_query(page, name).text)
        if number := query.get("past", ""):
            return Opened(*past_query(page, number))
        if name := query.get("table", ""):
            return Opened(_select(name, query.get("version", "")))
    except (SparkmlError, ValueError) as error:
        return Opened(_EMPTY, problem=str(error))
    return Opened(_EMPTY)


def fields(text: str) -> dict[str, tuple[str, str]]:
    """For each parameter its type, if its text says one, and its default; none of a text that cannot be read yet."""
    try:
        names = open_engine("duckdb").parse(text).parameters
        params = parse_saved("", text).params
    except SparkmlError:
        return {}
    known = {name: (one.kind or "", one.default or "") for name, one in params.items()}
    return {name: known.get(name, ("", "")) for name in [*(each for each in known if each in names), *sorted(names)]}


def _select(name: str, version: str) -> str:
    if "@" in name or version:
        name, number = parse_pin(name if "@" in name else f"{name}@{version}")
        return prepared(_checked(name), number)
    return prepared(_checked(name))


def _checked(name: str) -> str:
    parts = name.split(".")
    if len(parts) > 3 or not all(part.isidentifier() for part in parts):
        raise InvalidInput(f"{name!r} is not the name of a table, like air.flights")
    return name
