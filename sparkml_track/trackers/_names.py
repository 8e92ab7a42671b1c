"""What names and values the tracking store takes, and how they are written when they are not checked before."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping

__all__ = ["MAX_KEY", "MAX_PARAM", "MAX_TAG", "clipped", "key", "problems"]

# MLflow's own limits: mlflow/utils/validation.py. It cuts longer values without a word.
MAX_KEY = 250
MAX_PARAM = 6000
MAX_TAG = 8000

_ALLOWED = re.compile(r"^[/\w.\- :]+$")
_FOREIGN = re.compile(r"[^/\w.\- :]")


def problems(params: Mapping[str, object]) -> list[str]:
    """Says what the tracking store would refuse or cut, so that a sweep can be refused before it starts.

    Args:
        params: flattened with dots.

    Returns:
        One sentence for each problem; empty if all can be stored as they are.
    """
    return [text for name, value in params.items() for text in _problems_of(name, str(value))]


def _problems_of(name: str, value: str) -> list[str]:
    found = []
    if len(name) > MAX_KEY:
        found.append(
            f"The parameter name {name[:40]!r}... has {len(name)} characters; MLflow stores at most {MAX_KEY}. "
            "Use a shorter name."
        )
    elif not _ALLOWED.match(name) or _resolves_elsewhere(name):
        found.append(
            f"The parameter name {name!r} cannot be stored by MLflow; names are made of letters, digits and "
            "_ - . : / or spaces, and read as a plain path. Rename it."
        )
    if len(value) > MAX_PARAM:
        found.append(
            f"The value of parameter {name[:40]!r} has {len(value)} characters as text; MLflow stores at most "
            f"{MAX_PARAM}. Use a short name for it and look the long value up in the objective."
        )
    return found


def key(name: str) -> str:
    """The name as the store takes it: itself where that is possible, else with "_" for what is not allowed."""
    if len(name) <= MAX_KEY and _ALLOWED.match(name) and not _resolves_elsewhere(name):
        return name
    name = posixpath.normpath(_FOREIGN.sub("_", name).strip("/") or "_")
    return ("_" + name.lstrip("."))[:MAX_KEY].rstrip("/") if name.startswith(".") else name[:MAX_KEY].rstrip("/")


def clipped(value: object, limit: int) -> str:
    """The value as text, cut as MLflow cuts it."""
    return str(value)[:limit]


def _resolves_elsewhere(name: str) -> bool:
    # MLflow once kept names as files and still refuses what would be another path.
    path = posixpath.normpath(name)
    return path != name or path == "." or path.startswith(("..", "/"))
