"""A page as a file, as a browser draws it: from a server of its own, which ends with it, and without a network."""

from __future__ import annotations

import secrets
import socket
import tempfile
import threading
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from sparkml_track.dashboards.blocks import address
from sparkml_track.errors import InvalidInput, SetupError
from sparkml_track.server.browser import Chromium, find_browser
from sparkml_track.server.gate import Visitor
from sparkml_track.server.lake import Lake

__all__ = ["export"]

#: Seconds until a page is whole, and for which it then has to stay as it is.
_WHOLE, _STILL = 120.0, 1.5
_WIDTH = 1280
#: What marimo shows while cells of a page run.
_BUSY = "Boolean(document.querySelector('[data-testid=loading-indicator]'))"
_KINDS = (".pdf", ".png")


def export(page: str, into: Path, project: Path, query: Mapping[str, str] | None = None) -> None:
    """Writes a page into a file.

    Args:
        page: its name; ``own/NAME`` for one of the project.
        into: a ``.pdf`` or ``.png`` file; what is there is replaced once the new one is whole.
        project: the folder whose ``dashboards/`` hold pages of its own.
        query: of its address.

    Raises:
        InvalidInput: another kind of file.
        SetupError: no browser is installed, or the page cannot be drawn.
    """
    if into.suffix not in _KINDS:
        raise InvalidInput(
            f"the file is {into.name!r}; it can be .pdf or .png. A page of HTML alone would take its scripts from the "
            "network, so it is not made"
        )
    if find_browser() is None:
        raise SetupError("a page is drawn by Chromium, which was not found: on Debian, sudo apt-get install chromium")
    account = _OneAccount()
    with (
        _served(project, account) as host,
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        Chromium(Path(folder)) as browser,
    ):
        browser.size(_WIDTH)
        browser.call("Network.setExtraHTTPHeaders", headers={"Authorization": account.header})
        try:
            browser.open(f"http://{host}{address(page, query)}", "document.querySelector('.sk-head')", _WHOLE)
        except TimeoutError:
            raise SetupError(f"the page {page!r} cannot be drawn: {browser.text()[-300:]}") from None
        _wait_until_still(browser)
        part = into.with_name(f".{into.name}.part")
        if into.suffix == ".pdf":
            browser.print(part)
        else:
            browser.size(_WIDTH, int(browser.run("document.documentElement.scrollHeight")))
            browser.picture(part)
        part.replace(into)


def _wait_until_still(browser: Chromium) -> None:
    """Until a page shows the same for a while: its parts come one by one."""
    deadline, shown, since = time.monotonic() + _WHOLE, "", time.monotonic()
    while time.monotonic() < deadline:
        now = browser.text()
        if now != shown or browser.run(_BUSY):
            shown, since = now, time.monotonic()
        elif time.monotonic() - since > _STILL:
            return
        time.sleep(0.1)


class _OneAccount:
    """Lets the browser of this process in, and nobody else on this machine."""

    cookie = "sparkml-export"

    def __init__(self) -> None:
        self._secret = secrets.token_hex(16)
        self.header = f"Basic {b64encode(f'export:{self._secret}'.encode()).decode()}"

    def visitor(self, authorization: str, cookie: str) -> Visitor | None:
        """The browser, or nobody."""
        known = secrets.compare_digest(authorization, self.header) or secrets.compare_digest(cookie, self._secret)
        return Visitor("", "", self._secret) if known else None


@contextmanager
def _served(project: Path, account: _OneAccount) -> Iterator[str]:
    """The pages on a free port of loopback."""
    import uvicorn
    from starlette.applications import Starlette

    lake = Lake(project, account)

    @asynccontextmanager
    async def lifespan(_: object) -> AsyncIterator[None]:
        yield
        await lake.close()

    app = Starlette(routes=lake.routes, lifespan=lifespan)
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", timeout_graceful_shutdown=1))
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        try:
            yield f"127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(20)
