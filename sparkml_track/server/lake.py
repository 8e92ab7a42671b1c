"""The dashboards under MLflow's roof: marimo at ``/lake``, behind whatever keeps strangers from MLflow."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sparkml_track.adapters.mlflow.links import PAGES
from sparkml_track.dashboards import SHIPPED
from sparkml_track.dashboards.runs.ahead import read_ahead
from sparkml_track.server.assets import Assets
from sparkml_track.server.gate import Accounts, Gate

__all__ = ["NO_FORMULAS", "OWN", "Lake", "mount"]

#: Where the pages of the project are, below the prefix.
OWN = "/own"
#: Marimo's charts fetch a script for formulas from another machine, unless it is there and its status is known.
NO_FORMULAS = (
    '<script type="text/plain" data-status="error" '
    'src="https://cdn.jsdelivr.net/npm/mathjax-full@3.2.2/es5/tex-mml-svg.min.js"></script>'
)
#: Where marimo's own scripts are.
ASSETS = "/static"


def mount(app: Any, project: Path, accounts: Accounts | None = None) -> None:
    """Adds the pages to the application of MLflow's server, before what takes all other addresses.

    Args:
        app: FastAPI's.
        project: the folder whose ``dashboards/`` holds pages of its own.
        accounts: of whoever may look; None for all who reach the server.
    """
    lake = Lake(project, accounts)
    app.router.routes[:0] = lake.routes
    inner = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(served: Any) -> AsyncIterator[Any]:
        async with inner(served) as state:
            threading.Thread(target=read_ahead, name="sparkml-ahead", daemon=True).start()
            yield state
        await lake.close()

    app.router.lifespan_context = lifespan


class Lake:
    """All pages as one application; see ``mount``.

    Attributes:
        routes: of Starlette.
    """

    def __init__(self, project: Path, accounts: Accounts | None = None) -> None:
        import marimo
        from starlette.requests import Request
        from starlette.responses import RedirectResponse
        from starlette.routing import Mount, Route, Router

        self._pages: list[Any] = []
        # One place for the scripts of all pages, so that a browser keeps them from page to page. They are marimo's and
        # no secret; browsers ask for some of them without saying who they are.
        assets, at = Assets(Path(marimo.__file__).parent / "_static"), f"{PAGES}{ASSETS}"
        builder = marimo.create_asgi_app(quiet=True, asset_url=at, html_head=NO_FORMULAS + assets.preload(at))
        for page in SHIPPED:
            builder = builder.with_app(path=f"/{page.name}", root=str(page.file), middleware=[self._seen])
        own = project / "dashboards"
        if own.is_dir():
            builder = builder.with_dynamic_directory(path=OWN, directory=str(own), middleware=[self._seen])

        def first(_: Request) -> RedirectResponse:
            return RedirectResponse(f"{PAGES}/home/")

        ours = Router([Route("/", first), Mount("/", builder.build())])
        self.routes = [Route(PAGES, first), Mount(at, assets), Mount(PAGES, Gate(ours, accounts))]

    async def close(self) -> None:
        """Ends what runs for those who look; else their threads keep the process."""
        for page in self._pages:
            await page.state.session_manager.shutdown()

    def _seen(self, page: Any) -> Any:
        self._pages.append(page)
        return page
