"""Who gets to the dashboards: whoever this machine's person lets in, from pages of this server alone.

MLflow guards its own addresses, and only those of HTTP. A page of marimo talks through a WebSocket, so both are looked
at here: the host that was asked for (else another site could take this server's place in a browser: DNS rebinding),
the page that asks (else any page in the same browser could), and, where there are accounts, who it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

from anyio import to_thread
from mlflow.server.fastapi_security import get_allowed_hosts
from mlflow.server.security_utils import get_allowed_origins_from_env, is_allowed_host_header

__all__ = ["Accounts", "Gate", "Visitor", "strange"]

_NOBODY = 401
_REFUSED = 403
_TEXT = (b"content-type", b"text/plain; charset=utf-8")
#: A WebSocket is closed by a policy (RFC 6455, 7.4.1); before it is accepted, servers answer 403.
_POLICY = 1008


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who asks.

    Attributes:
        name: of the account.
        refused: why not all of this home may be seen; "" if it may.
        cookie: by which a browser's WebSocket is known; no script reads it.
    """

    name: str
    refused: str
    cookie: str


class Accounts(Protocol):
    """Who has an account here."""

    #: Name of the cookie.
    cookie: str

    def visitor(self, authorization: str, cookie: str) -> Visitor | None:
        """Who this is, by what browsers send with HTTP, or else by a cookie; None for nobody. Blocks."""


class Gate:
    """Lets requests through to an application, or answers them.

    Args:
        app: what it stands before.
        accounts: None where whoever reaches the server may look.
    """

    def __init__(self, app: Any, accounts: Accounts | None = None) -> None:
        self._app = app
        self._accounts = accounts

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """One request, one WebSocket, or the start of the application."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = {key.decode("latin-1").lower(): value.decode("latin-1") for key, value in scope["headers"]}
        if why := strange(headers):
            await _answer(scope, send, _REFUSED, why)
            return
        if self._accounts is None:
            await self._app(scope, receive, send)
            return
        # A page's own requests carry the account; a WebSocket carries what the browser likes, but for cookies.
        cookie = _cookie(headers, self._accounts.cookie) if scope["type"] == "websocket" else ""
        found = await to_thread.run_sync(self._accounts.visitor, headers.get("authorization", ""), cookie)
        if found is None:
            await _answer(scope, send, _NOBODY, "These pages need an account of this server.")
        elif found.refused:
            await _answer(scope, send, _REFUSED, found.refused)
        else:
            known = {**scope, "user": {"username": found.name}}
            await self._app(known, receive, _with_cookie(send, self._accounts.cookie, found.cookie))


def strange(headers: Mapping[str, str]) -> str:
    """Why a request is not from a page of this server; "" if it may be.

    Args:
        headers: with names in small letters.
    """
    host = headers.get("host", "")
    if not is_allowed_host_header(get_allowed_hosts(), host):
        return f"This server is not asked as {host!r}; name it by --allowed-hosts if that is right."
    origin = headers.get("origin", "")
    if origin and urlsplit(origin).netloc != host and origin not in (get_allowed_origins_from_env() or []):
        return f"A page of {origin!r} may not ask this server."
    return ""


def _cookie(headers: Mapping[str, str], name: str) -> str:
    pairs = (pair.strip().partition("=") for pair in headers.get("cookie", "").split(";"))
    return next((value for key, _, value in pairs if key == name), "")


def _with_cookie(send: Any, name: str, value: str) -> Callable[[Any], Any]:
    kept = f"{name}={value}; Path=/; HttpOnly; SameSite=Strict".encode("latin-1")

    async def sending(message: Any) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), (b"set-cookie", kept)]}
        await send(message)

    return sending


async def _answer(scope: Any, send: Any, status: int, text: str) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": _POLICY, "reason": text[:120]})
        return
    asked = [(b"www-authenticate", b'Basic realm="mlflow"')] if status == _NOBODY else []
    await send({"type": "http.response.start", "status": status, "headers": [_TEXT, *asked]})
    await send({"type": "http.response.body", "body": text.encode()})
