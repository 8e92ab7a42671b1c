"""The tables of the home: columns and versions, each with a prepared SELECT."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime

from sparkml_track.catalog.listing import Listed, listed
from sparkml_track.dashboards.blocks import Markup, empty, section, table
from sparkml_track.dashboards.page import Page
from sparkml_track.dashboards.stamps import Kind
from sparkml_track.governance.names import find, full_name
from sparkml_track.tables import DeltaTables, TableVersion

__all__ = ["prepared", "tables_section", "versions_section"]

#: Of the list; all can be asked.
_MOST = 300
_VERSIONS = 20
_PLAIN = re.compile(r"[a-z_][a-z0-9_]*")
#: Words that SQL takes for its own, as far as tables may have such names.
_TAKEN = frozenset(
    re.findall(
        r"\w+",
        """all and as asc by case check column create cross default desc distinct end except false for from full group
        having in inner into is join left limit natural not null offset on or order outer right select table then to
        true union unique using values when where window with""",
    )
)


def tables_section(page: Page) -> Markup:
    """All tables, with their columns to be unfolded."""
    found = page.kept.get("tables", page.stamp(Kind.TABLES), lambda: listed(_tables(page)))
    if not found:
        return section("Tables", empty(f"There is no table in {page.home.place} yet.", "sparkml-track run CONFIG"))
    rest = f" {len(found) - _MOST:,} more are in information_schema.tables." if len(found) > _MOST else ""
    entries = Markup().join(_entry(page, one) for one in found[:_MOST])
    box = Markup(
        '<div tabindex="0" aria-label="Tables" style="max-height:min(420px,40vh);overflow:auto">{}</div>'
    ).format(entries)
    return section("Tables", box, about=f"A version's number leads to a SELECT of it.{rest}")


def versions_section(page: Page) -> Markup:
    """The latest versions of the table that the address names; nothing where it names none."""
    name = page.query.get("table", "")
    if not name:
        return Markup()
    tables = _tables(page)
    own = find(name.partition("@")[0].split("."), tables.names())
    made = page.kept.get(("versions", own), page.stamp(Kind.TABLES, of=own), lambda: tables.history(own))
    rows = [_version(page, own, one) for one in sorted(made, key=lambda each: -each.version)[:_VERSIONS]]
    about = f"The latest {_VERSIONS} of {len(made):,}." if len(made) > _VERSIONS else ""
    return section(f"Versions of {_short(own)}", table(("version", "made (UTC)", "by", ""), rows), about=about)


def prepared(name: str, version: int | None = None) -> str:
    """A SELECT of one version of a table.

    Args:
        name: in any form.
        version: the latest by default.
    """
    parts = [part if _PLAIN.fullmatch(part) and part not in _TAKEN else f'"{part}"' for part in _short(name).split(".")]
    at = "" if version is None else f" AT (VERSION => {version})"
    return f"SELECT *\nFROM {'.'.join(parts)}{at}\nLIMIT 100"


def _entry(page: Page, one: Listed) -> Markup:
    name = _short(one.name)
    if one.info is None:
        return Markup("<details><summary>{}</summary><p>{}</p></details>").format(name, one.problem)
    version = one.info.ref.version
    number = page.link(f"@{version}", "sql", table=one.name, version=version)
    row = Markup('<div style="display:flex;gap:8px;justify-content:space-between"><span style="overflow-wrap:anywhere">'
                 '{}</span><span style="color:var(--muted-foreground)">{}</span></div>')  # fmt: skip
    columns = Markup().join(row.format(column, kind) for column, kind in one.info.columns.items())
    said = Markup('<p class="sk-soft">{}</p>').format(one.info.description) if one.info.description else Markup()
    lineage = page.link("lineage", "lineage", table=one.name, version=version)
    return Markup(
        '<details><summary style="overflow-wrap:anywhere">{} {}</summary><div style="padding:2px 0 8px 18px">'
        "{}{}<p>{}</p></div></details>"
    ).format(name, number, said, columns, lineage)


def _version(page: Page, name: str, one: TableVersion) -> Sequence[object]:
    asked = {"table": full_name(name), "version": one.version}
    made = datetime.fromtimestamp(one.time, UTC)
    return (
        page.link(f"@{one.version}", "sql", **asked),
        f"{made:%Y-%m-%d %H:%M:%S}",
        one.operation,
        page.link("lineage", "lineage", **asked),
    )


def _tables(page: Page) -> DeltaTables:
    return DeltaTables(page.home.tables_root, lineage=False)


def _short(name: str) -> str:
    """Without the catalog and schema that go without saying."""
    catalog, schema, own = full_name(name).split(".")
    parts = [own] if (catalog, schema) == ("main", "default") else [schema, own]
    return ".".join(parts if catalog == "main" else [catalog, schema, own])
