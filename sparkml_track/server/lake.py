"""The dashboards under MLflow's roof: marimo at ``/lake``, behind whatever keeps strangers from MLflow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sparkml_track.adapters.mlflow.links import PAGES
from sparkml_track.dashboards import SHIPPED
from sparkml_track.server.gate import Accounts, Gate

__all__ = ["OWN", "mount"]

#: Where the pages of the project are, below the prefix.
OWN = "/own"
#: Where marimo's own scripts are.
ASSETS = "/static"


def mount(app: Any, project: Path, accounts: Accounts | None = None) -> None:
    """Adds the pages to the application of MLflow's server, before what takes all other addresses.

    Args:
        app: FastAPI's.
        project: the folder whose ``dashboards/`` holds pages of its own.
        accounts: of whoever may look; None for all who reach the server.
    """
    import marimo
    from starlette.responses import RedirectResponse
    from starlette.routing import Mount, Route, Router
    from starlette.staticfiles import StaticFiles

    # One place for the scripts of all pages, so that a browser keeps them from page to page.
    builder = marimo.create_asgi_app(quiet=True, asset_url=f"{PAGES}{ASSETS}")
    for page in SHIPPED:
        builder = builder.with_app(path=f"/{page.name}", root=str(page.file))
    own = project / "dashboards"
    if own.is_dir():
        builder = builder.with_dynamic_directory(path=OWN, directory=str(own))

    assets = StaticFiles(directory=Path(marimo.__file__).parent / "_static")

    def first(_: object) -> RedirectResponse:
        return RedirectResponse(f"{PAGES}/home/")

    ours = Router([Route("/", first), Mount("/", builder.build())])
    # The scripts are marimo's and no secret; browsers ask for some of them without saying who they are.
    public = [Route(PAGES, first), Mount(f"{PAGES}{ASSETS}", assets)]
    app.router.routes[:0] = [*public, Mount(PAGES, Gate(ours, accounts))]
