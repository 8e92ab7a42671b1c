"""Expectations of pipelines: rows that passed and failed, in the last update of each and in the one before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sparkml_track.dashboards.blocks import Markup, empty, more, section, table
from sparkml_track.dashboards.jobs.kept import system_rows
from sparkml_track.dashboards.page import Page
from sparkml_track.dashboards.stamps import Kind
from sparkml_track.governance.names import full_name

__all__ = ["expectations_section"]

_MOST = 200
_HEAD = (
    "pipeline",
    "table",
    "expectation",
    "condition",
    "otherwise",
    "passed",
    "failed",
    "share",
    "before",
    "at (UTC)",
)
_Row = Mapping[str, Any]


def expectations_section(page: Page) -> Markup:
    """The last count of each, those that failed first."""
    found = page.kept.get("last expectations", page.stamp(Kind.SYSTEM, of="expectations"), lambda: _last(page))
    if not found:
        return section(
            "Expectations", empty("No expectation of a pipeline was checked yet.", "sparkml-track pipeline run FILES")
        )
    rows = [_row(page, *one) for one in found[:_MOST]]
    failed = sum(bool(now["failed"]) for now, _ in found)
    about = f"{len(found)} in the last updates, {failed} with rows that failed. Before is the share one update earlier."
    about += more(len(found), len(rows), "expectations")
    return section("Expectations", table(_HEAD, rows, texts=(3,)), about=about)


def _last(page: Page) -> list[tuple[_Row, _Row | None]]:
    """Of each expectation its last row and the one before."""
    found = dict[tuple[str, str, str], tuple[_Row, _Row | None]]()
    for row in system_rows(page, "expectations").sort_by("recorded_at").to_pylist():
        key = row["pipeline"], row["flow"], row["expectation"]
        found[key] = row, found[key][0] if key in found else None
    return sorted(found.values(), key=lambda one: (not one[0]["failed"], one[0]["pipeline"], one[0]["flow"]))


def _row(page: Page, now: _Row, before: _Row | None) -> Sequence[object]:
    name, version = full_name(now["table_name"]), now["table_version"]
    shown = name.removeprefix("main.").removeprefix("default.")
    written = page.link(f"{shown}@{version}", "sql", table=name, version=version) if version is not None else shown
    failed = now["failed"] or 0
    count = Markup('<b style="color:var(--red-11,#c0392b)">{}</b>').format(f"{failed:,}") if failed else "0"
    then = _share(before) if before else ""
    return (now["pipeline"], written, now["expectation"], now["condition"], now["action"], f"{now['passed'] or 0:,}",
            count, _share(now), then, f"{now['recorded_at']:%Y-%m-%d %H:%M}")  # fmt: skip


def _share(row: _Row) -> str:
    failed, passed = row["failed"] or 0, row["passed"] or 0
    return f"{failed / (failed + passed):.2%}" if failed + passed else ""
