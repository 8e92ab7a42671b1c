"""Marimo's own scripts: browsers keep them for good, and fetch the large one while the page's cells still run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.staticfiles import StaticFiles
from typing_extensions import override

if TYPE_CHECKING:
    from starlette.responses import Response

__all__ = ["Assets"]

#: Files with a digest of their content in their names: another content has another name.
_NAMED_BY_CONTENT = "assets/"
#: Plotly, 4.6 MB, which marimo asks for only when the first figure has arrived.
_LATE = "Plot-*.js"


class Assets(StaticFiles):
    """All files of marimo, for any number of pages at one address.

    A page has some 300 of them. Without a lifetime a browser asks for each again whether it is still the same.

    Args:
        folder: with marimo's files.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(directory=folder)
        self._folder = folder

    def preload(self, address: str) -> str:
        """What the head of a page says so that the late script is there when it is needed.

        Args:
            address: where this is mounted.
        """
        found = sorted((self._folder / _NAMED_BY_CONTENT).glob(_LATE))
        return "".join(f'<link rel="modulepreload" href="{address}/{_NAMED_BY_CONTENT}{each.name}">' for each in found)

    @override
    async def get_response(self, path: str, scope: Any) -> Response:
        response = await super().get_response(path, scope)
        if path.startswith(_NAMED_BY_CONTENT) and response.status_code in (200, 304):
            response.headers["cache-control"] = "public, max-age=31536000, immutable"
        return response
