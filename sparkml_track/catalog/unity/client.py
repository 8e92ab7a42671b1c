"""The REST interface of Unity Catalog, as far as it is needed: /api/2.1/unity-catalog.

The token goes into one header of each request and nowhere else: it is not sent on to where a server redirects to, and
is in no message.
"""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from sparkml_track.adapters.mlflow.uri import redacted
from sparkml_track.errors import InvalidInput, SyncError

__all__ = ["Missing", "UnityClient"]

_BASE = "/api/2.1/unity-catalog"
_LONGEST = 64 * 2**20  # bytes of an answer
_TIMEOUT = 30.0

Body = Mapping[str, Any]


class Missing(SyncError):
    """The server has no such thing."""


class _Stay(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: it would take the token elsewhere."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


class UnityClient:
    """One server.

    Args:
        url: of the server, such as ``http://localhost:8080``.
        token: of a person or a service; None where the server asks for none.

    Raises:
        InvalidInput: the URL is not one.
    """

    def __init__(self, url: str, token: str | None = None) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.netloc or "@" in parts.netloc:
            raise InvalidInput(
                f"{redacted(url)!r} is not the URL of a Unity Catalog server; write http://HOST:PORT, and the token "
                "into a file"
            )
        token = None if token is None else token.strip()
        if token is not None and (not token or not token.isascii() or not token.isprintable()):
            raise InvalidInput("the token for Unity Catalog is empty or has characters that no token has")
        self.url = url.rstrip("/").removesuffix(_BASE)
        self._token = token
        self._opener = urllib.request.build_opener(_Stay)

    def get(self, *path: str, **query: str) -> dict[str, Any]:
        """One thing.

        Raises:
            Missing: there is none.
            SyncError: the server is away or refuses.
        """
        return self.call("GET", path, query=query)

    def listed(self, key: str, *path: str, **query: str) -> Iterator[dict[str, Any]]:
        """All of a list, page by page.

        Args:
            key: of the answer that holds it.
            path: of the list.
            query: which.
        """
        token = ""
        seen = set[str]()
        while True:
            answer = self.get(*path, **query, **({"page_token": token} if token else {}))
            yield from answer.get(key) or ()
            token = str(answer.get("next_page_token") or "")
            if not token or token in seen:
                return
            seen.add(token)

    def call(
        self, method: str, path: tuple[str, ...], body: Body | None = None, query: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """One request.

        Raises:
            Missing: there is no such thing.
            SyncError: the server is away or refuses.
        """
        tail = "/".join(quote(part, safe="") for part in path)
        url = f"{self.url}{_BASE}/{tail}" + (f"?{urlencode(query)}" if query else "")
        request = urllib.request.Request(url, method=method)  # noqa: S310 - http and https alone
        request.add_header("Accept", "application/json")
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
        if self._token:
            request.add_unredirected_header("Authorization", f"Bearer {self._token}")
        what = f"{method} {tail} at {self.url}"
        try:
            with self._opener.open(request, timeout=_TIMEOUT) as answer:
                return _object(answer.read(_LONGEST), what)
        except urllib.error.HTTPError as error:
            raise self._refused(error, what) from None
        except (OSError, http.client.HTTPException) as error:
            raise SyncError(
                f"{what} failed: {getattr(error, 'reason', None) or error}; check that the server is there"
            ) from None

    def _refused(self, error: urllib.error.HTTPError, what: str) -> SyncError:
        try:
            said = json.loads(error.read(100_000)).get("message") or error.reason
        except (ValueError, AttributeError, OSError):
            said = error.reason
        text = f"{what} was refused with {error.code}: {' '.join(str(said).split()):.300}"
        if self._token:
            text = text.replace(self._token, "...")
        if error.code in (401, 403):
            text += "; give a token that may, by --token-file or SPARKML_UC_TOKEN"
        return Missing(text) if error.code == 404 else SyncError(text)


def _object(answer: bytes, what: str) -> dict[str, Any]:
    if not answer.strip():
        return {}
    try:
        found = json.loads(answer)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise SyncError(f"{what} gave no JSON object, so this is not a Unity Catalog server: {answer[:80]!r}")
    return found
