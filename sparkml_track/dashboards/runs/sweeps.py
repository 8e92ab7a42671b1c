"""The list of sweeps: how far each one is, how fast, how good, and what went wrong."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from sparkml_track.dashboards.blocks import Markup, empty, note, section, state, table, tiles
from sparkml_track.dashboards.page import Page
from sparkml_track.dashboards.runs.overview import SweepRow, overview
from sparkml_track.readable import duration, number

__all__ = ["ALL_STATES", "latest_section", "progress_bar", "reasons_text", "sweeps_section", "sweeps_tiles"]

#: What a list may be limited to.
ALL_STATES = ("running", "unfinished", "finished", "failed", "killed", "unreadable")
_LATEST, _MOST = 12, 300
_HEAD = ("sweep", "state", "progress", "best", "rate", "left", "slots", "failures", "written", "note")
_ABOUT = "Those that run come first, then the last written."


def sweeps_tiles(rows: Sequence[SweepRow]) -> Markup:
    """How many there are, and what those that run do together."""
    by_state = {name: sum(row.state == name for row in rows) for name in ALL_STATES}
    running = [row for row in rows if row.state == "running"]
    numbers: list[tuple[str, object] | tuple[str, object, str]] = [("sweeps", len(rows)), ("running", len(running))]
    if running:
        numbers.append(("trials per second", _rate(sum(row.rate for row in running))))
        numbers.append(("slots busy", sum(row.at_work for row in running)))
    numbers += [(name, by_state[name]) for name in ("unfinished", "failed") if by_state[name]]
    numbers += [("unreadable", by_state["unreadable"], "bad")] if by_state["unreadable"] else []
    return tiles(numbers)


def sweeps_section(page: Page, name: str = "", states: Sequence[str] = ()) -> Markup:
    """The sweeps of the home: all in numbers, then those that are asked for.

    Args:
        page: whose home.
        name: a part of the name or id; "" for all.
        states: in which they may be; all if empty.
    """
    rows = overview(page)
    return section("", sweeps_tiles(rows), _listed(page, rows, name, states) if rows else _nothing(page))


def _listed(page: Page, rows: Sequence[SweepRow], name: str, states: Sequence[str]) -> Markup:
    part = name.strip().lower()
    found = [row for row in rows if part in f"{row.sweep} {row.name}".lower() and (not states or row.state in states)]
    if not found:
        return note(f"None of {len(rows)} sweeps is of this name and state.")
    more = f" The first {_MOST} of {len(found)} are shown." if len(found) > _MOST else ""
    return section("", _table(page, found[:_MOST]), about=_ABOUT + more)


def latest_section(page: Page) -> Markup:
    """The same of the latest sweeps, for the first page."""
    rows = overview(page, _LATEST)
    if not rows:
        return section("Sweeps", _nothing(page))
    return section("Sweeps", _table(page, rows), page.link("All sweeps", "sweeps"), about=_ABOUT)


def progress_bar(row: SweepRow) -> Markup:
    """How many trials have ended of those that are planned; their number alone where there is no limit."""
    if row.counts is None:
        return Markup()
    if not row.limited:
        return Markup("{} so far").format(f"{row.over:,}")
    one = Markup('<progress class="sk-bar" value="{}" max="{}">{}</progress> {}')
    return one.format(row.over, max(row.counts.planned, 1), row.over, f"{row.over:,} of {row.counts.planned:,}")


def reasons_text(failures: Mapping[str, int]) -> str:
    """Failures by reason in one line."""
    return ", ".join(f"{count:,} {reason}" for reason, count in failures.items())


def _nothing(page: Page) -> Markup:
    return empty(f"There is no sweep in {page.home.place} yet.", "sparkml-track run CONFIG")


def _table(page: Page, rows: Sequence[SweepRow]) -> Markup:
    return table(_HEAD, [_cells(page, row) for row in rows], texts=(9,))


def _cells(page: Page, row: SweepRow) -> Sequence[object]:
    best = "" if row.best is None or row.goal is None else f"{row.goal.metric} {number(row.best)}"
    left = "" if row.left is None else duration(row.left)
    slots = f"{row.at_work} busy, {max(row.slots - row.at_work, 0)} idle" if row.state == "running" else ""
    if row.hosts > 1:
        slots += f" on {row.hosts} hosts"
    written = f"{duration(max(0.0, time.time() - row.modified))} ago"
    rate = _rate(row.rate) + "/s" if row.state == "running" else ""
    return (
        page.link(row.sweep, "sweep", sweep=row.sweep),
        state(row.state),
        progress_bar(row),
        best,
        rate,
        left,
        slots,
        _failures(row),
        written,
        _note(row),
    )


def _failures(row: SweepRow) -> str:
    if row.failures is not None:
        return reasons_text(row.failures)
    return f"{row.counts.failed + row.counts.killed:,}" if row.counts is not None else ""


def _note(row: SweepRow) -> Markup | str:
    if row.resumable:
        way = Markup("{} To go on: <code>sparkml-track resume {}</code>")
        return way.format(row.note, row.sweep)
    return row.note


def _rate(rate: float) -> str:
    return f"{rate:.3g}" if rate < 100 else f"{rate:,.0f}"
