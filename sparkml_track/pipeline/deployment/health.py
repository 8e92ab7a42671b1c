"""What an endpoint says of itself: the address in its log, the versions at its path ``/health``."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Health", "address_in", "end_of", "health_of"]

_SERVING = re.compile(r"^serving .* on (https?://\S+)/invocations", re.MULTILINE)
_MOST = 64_000  # bytes of a log, or of an answer, that are read
_LINES = 12
_LONGEST = 300


@dataclass(frozen=True)
class Health:
    """What an endpoint answers.

    Attributes:
        versions: alias to version that answers requests.
        problems: what is not as it should be.
    """

    versions: Mapping[str, int]
    problems: Mapping[str, str]


def address_in(log: Path) -> str:
    """Where the process of this log answers; empty before it says so."""
    try:
        with log.open("rb") as file:
            found = _SERVING.search(file.read(_MOST).decode("utf-8", "replace"))
    except OSError:
        return ""
    return found[1] if found else ""


def end_of(log: Path) -> str:
    """The last lines of a log, for a message."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - _MOST))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError as error:
        return f"the log {log} cannot be read: {error.strerror or error}"
    last = [f"  {line[:_LONGEST]}" for line in lines if line.strip()][-_LINES:]
    return f"the end of its log {log}:\n" + "\n".join(last) if last else f"its log {log} is empty"


def health_of(url: str, token: str | None) -> Health | None:
    """Asks an endpoint; None where it does not answer yet.

    Args:
        url: of it.
        token: that it asks for.
    """
    headers = {} if token is None else {"authorization": f"Bearer {token}"}
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=10)
    try:
        connection.request("GET", "/health", headers=headers)
        response = connection.getresponse()
        said: Any = json.loads(response.read(_MOST))
        routes, problems = said.get("routes", {}), said.get("problems", {})
        return Health({alias: int(each["version"]) for alias, each in routes.items()}, dict(problems))
    except (OSError, http.client.HTTPException, ValueError, AttributeError, KeyError, TypeError):
        return None
    finally:
        connection.close()
