"""Deep links into MLflow's UI, whose first page shows none of what a sweep leaves."""

from __future__ import annotations

from urllib.parse import quote

__all__ = ["PAGES", "UI_PORT", "page_link", "run_link", "runs_link", "server_of"]

#: Where a server of ours has its dashboards.
PAGES = "/lake"

#: On which ``sparkml-track ui`` listens, unless it is given another one.
UI_PORT = 5000


def server_of(uri: str | None, port: int = UI_PORT) -> tuple[str, bool]:
    """The address of the UI of a store, and whether a person has to start it.

    Args:
        uri: of the store, without secrets; None for the home's own.
        port: of ``sparkml-track ui``.
    """
    if uri is not None and uri.startswith(("http://", "https://")):
        return uri.rstrip("/"), False
    return f"http://127.0.0.1:{port}", True


def runs_link(server: str, experiment_id: str, run_id: str = "") -> str:
    """The page of a run, or that of all runs of an experiment."""
    return f"{server}/#/experiments/{experiment_id}/runs" + (f"/{run_id}" if run_id else "")


def page_link(sweep: str) -> str:
    """The page of a sweep on whatever server shows it, if that is ``sparkml-track ui``."""
    return f"{PAGES}/sweep/?sweep={quote(sweep)}"


def run_link(server: str, run_id: str) -> str:
    """The page of a run whose experiment nobody knows."""
    return f"{server}/#/runs/{run_id}"
