"""MLflow's accounts, for pages that MLflow does not guard itself."""

from __future__ import annotations

import base64
import binascii
import time
from typing import Any

from itsdangerous import BadData, URLSafeTimedSerializer
from mlflow.server import auth

from sparkml_track.server.gate import Visitor

__all__ = ["MlflowAccounts"]

#: Seconds for which a WebSocket is let in by the cookie: a page asks over HTTP before, which renews it.
LASTS = 12 * 3600
#: Seconds for which it is not asked again what an account may read.
_KNOWN = 30.0
_NAMED = 3


class MlflowAccounts:
    """Accounts of MLflow's basic-auth. Any thread.

    Pages show all of a home, so an account that may not read some of the experiments or models gets none of them.

    Args:
        key: signs the cookie.
    """

    cookie = "sparkml-lake"

    def __init__(self, key: str) -> None:
        self._signed = URLSafeTimedSerializer(key, salt="sparkml-lake")
        self._known: dict[str, tuple[float, str]] = {}

    def visitor(self, authorization: str, cookie: str) -> Visitor | None:
        """Who this is; None for nobody."""
        name = self._by_password(authorization) or self._by_cookie(cookie)
        if not name:
            return None
        return Visitor(name, self._refused(name), str(self._signed.dumps(name)))

    def _by_password(self, authorization: str) -> str:
        kind, _, given = authorization.partition(" ")
        if kind.lower() != "basic":
            return ""
        try:
            name, _, password = base64.b64decode(given, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return ""
        found = auth._authenticate_cached(name, password)  # noqa: SLF001  # as MLflow's own pages do
        return "" if found is None else str(found.username)

    def _by_cookie(self, cookie: str) -> str:
        try:
            name = str(self._signed.loads(cookie, max_age=LASTS))
        except BadData:
            return ""
        return name if auth.store.has_user(name) else ""

    def _refused(self, name: str) -> str:
        at, said = self._known.get(name, (0.0, ""))
        if not at or time.monotonic() - at > _KNOWN:
            said = _hidden(name)
            self._known[name] = (time.monotonic(), said)
        return said


def _hidden(name: str) -> str:
    """What of this server an account may not read, as a sentence."""
    if auth.store.get_user(name).is_admin:
        return ""
    known: list[tuple[str, str, str]] = [("experiment", one.experiment_id, one.name) for one in _experiments()]
    known += [("registered_model", one.name, one.name) for one in _models()]
    closed = [title for kind, key, title in known if not _permission(name, kind, key).can_read]
    if not closed:
        return ""
    some = ", ".join(closed[:_NAMED]) if len(closed) <= _NAMED else f"{len(closed)} experiments and models"
    return (
        f"These pages show all that is kept here, and {name} may not read {some}. MLflow's own pages show what this "
        "account may read; an administrator can grant the rest."
    )


def _permission(name: str, kind: str, key: str) -> Any:
    found = auth._role_permission_for_known_workspace(name, kind, key, None)  # noqa: SLF001  # MLflow has no other way
    return auth._get_role_permission_or_default(found)  # noqa: SLF001


def _experiments() -> list[Any]:
    return _all(auth._get_tracking_store().search_experiments)  # noqa: SLF001


def _models() -> list[Any]:
    return _all(auth._get_model_registry_store().search_registered_models)  # noqa: SLF001


def _all(search: Any) -> list[Any]:
    """All pages of a search."""
    found, token = [], None
    while True:
        page = search(max_results=1000, page_token=token)
        found += list(page)
        token = page.token
        if not token:
            return found
