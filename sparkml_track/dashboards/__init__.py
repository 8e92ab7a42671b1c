"""Dashboards: what a home holds, as pages that marimo serves. What they show is made here, without a browser.

    page     one page: its home, its links, what it shows where something is wrong
    shipped  the pages there are, and how they hang together
    blocks   pieces of HTML that several pages are made of
    charts   figures that several pages are made of
    stamps   what changed since the last look
    kept     what was made of something, until that changes
    asked    what pages ask the tables, without a record of it
    runs     what pages show of sweeps and trials
    graphs   things and arrows, drawn
    jobs     what pages show of jobs
    lineage  what pages show of what was made from what
    queries  what pages show of tables and SQL
    features  what they show of feature tables
    models   what they show of registered models
    monitoring  what they show of monitoring
    serving  what they show of endpoints and canaries

``pages/`` has the pages: marimo files, which hold layout alone.

A page asks a function of a room for rows or figures, and lays them out. Nothing here writes, but for the history of
queries that somebody asks on the page of SQL.
"""

from __future__ import annotations

from sparkml_track.dashboards.page import Page, open_page
from sparkml_track.dashboards.shipped import SHIPPED, PageSpec

__all__ = ["SHIPPED", "Page", "PageSpec", "open_page"]
