"""The sweeps of a home, the last modified first."""

from __future__ import annotations

from collections.abc import Sequence

from sparkml_track.dashboards.blocks import Markup, empty, section, state, table
from sparkml_track.dashboards.page import Page
from sparkml_track.dashboards.stamps import Kind
from sparkml_track.engine.audit.sweep_list import SweepState, overview
from sparkml_track.readable import duration

__all__ = ["latest", "latest_section"]

_SHOWN = 12


def latest(page: Page, most: int = _SHOWN) -> Sequence[SweepState]:
    """Sweeps, read again only after one of them was written."""
    return page.kept.get(("latest", most), page.stamp(Kind.SWEEPS), lambda: overview(page.home.root, most))


def latest_section(page: Page) -> Markup:
    """The latest sweeps: state, counts, and why one did not finish."""
    found = latest(page)
    if not found:
        return section("Sweeps", empty(f"There is no sweep in {page.home.place} yet.", "sparkml-track run CONFIG"))
    rows = [_row(page, one) for one in found]
    head = ("sweep", "state", "finished", "pruned", "failed", "running", "written", "note")
    return section("Sweeps", table(head, rows, texts=(7,)), about="The last modified first.")


def _row(page: Page, one: SweepState) -> Sequence[object]:
    counts = one.counts
    figures = [getattr(counts, name) if counts else "" for name in ("finished", "pruned", "failed", "running")]
    name = page.link(one.sweep, "sweep", sweep=one.sweep)
    return (name, state(one.state), *figures, f"{duration(one.age)} ago", one.note)
