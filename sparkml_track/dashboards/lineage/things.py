"""Where a thing of lineage leads: a table to its rows, a model and a sweep to their pages, an execution to its run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sparkml_track.dashboards.blocks import Markup, address
from sparkml_track.dashboards.page import Page
from sparkml_track.errors import TrackingError
from sparkml_track.governance.edges import Edge, Node
from sparkml_track.home import Home
from sparkml_track.readable import short_text
from sparkml_track.trackers import found_experiments

__all__ = ["COLOURS", "experiments", "lineage_of", "made_by", "place_of"]

COLOURS = {"TABLE": "#0072b2", "MODEL": "#009e73", "SWEEP": "#e69f00", "SOURCE": "#8c8c8c"}
_KEYS = {"TABLE": "table", "MODEL": "model", "SWEEP": "sweep", "SOURCE": "source"}
_PAGES = {"TABLE": "sql", "MODEL": "models", "SWEEP": "sweep"}


def place_of(node: Node) -> str:
    """The address of a thing; "" where it has no page."""
    page = _PAGES.get(node.kind, "")
    return address(page, {_KEYS[node.kind]: node.name, "version": node.version}) if page else ""


def lineage_of(page: Page, node: Node, text: str = "lineage") -> Markup:
    """A link to the lineage of a thing."""
    return page.link(text, "lineage", **{_KEYS[node.kind]: node.name, "version": node.version})


def made_by(page: Page, edge: Edge, runs: Mapping[str, str]) -> Markup:
    """The job of an edge, with a link to its run where MLflow has one.

    Args:
        page: of the link.
        edge: what was made.
        runs: of ``experiments``.
    """
    job = edge.job
    said = f"{job.kind.lower().replace('_', ' ')} {short_text(job.name, 60)}"
    return page.run_link(said, runs.get(job.run, ""), job.run)


def experiments(home: Home, runs: Iterable[str]) -> dict[str, str]:
    """The experiment of each run that the home's own store has; without one that can be read, none."""
    try:
        return found_experiments(home.database, runs)
    except TrackingError:  # links are left out
        return {}
