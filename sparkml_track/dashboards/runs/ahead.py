"""Reads ahead: who opens a page soon after a server has started waits neither for imports nor for a long journal."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial

from sparkml_track.dashboards.page import Page, open_page
from sparkml_track.dashboards.runs.overview import overview
from sparkml_track.dashboards.runs.sweep.head import head_section
from sparkml_track.dashboards.runs.sweep.page import Choice, chosen_frame, drawn_view, more_sections, options

__all__ = ["read_ahead"]

_log = logging.getLogger(__name__)
_SWEEPS = 2  # those that people look at first


def read_ahead() -> None:
    """Makes what the pages of sweeps show first, of the home of ``SPARKML_HOME``; they find it kept.

    For a thread of its own. What cannot be read is for the page to say.
    """
    page = open_page("sweep")
    found: list[str] = []
    _tried(lambda: found.extend(row.sweep for row in overview(page)[:_SWEEPS]))
    for sweep in found:
        _tried(partial(_draw, page, sweep))


def _tried(make: Callable[[], None]) -> None:
    try:
        make()
    except Exception as error:  # noqa: BLE001  # nobody waits for it
        _log.debug("not read ahead: %s: %s", type(error).__name__, error)


def _draw(page: Page, sweep: str) -> None:
    offers = options(page, sweep)
    choice = Choice(sweep, offers.goal, offers.view or "")
    head_section(page, sweep)
    drawn_view(page, choice)
    chosen_frame(page, choice, (), ())
    more_sections(page, choice)
