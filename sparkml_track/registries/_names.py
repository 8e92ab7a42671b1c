"""Names of metrics, params and tags as MLflow takes them, one to one."""

from __future__ import annotations

import hashlib
import posixpath
import re

__all__ = ["stored_name"]

_MOST = 250  # MLflow's own limit: mlflow/utils/validation.py
_FOREIGN = re.compile(r"[^/\w.\- :]")
_SUFFIX = 9  # "-" and 8 digits


def stored_name(name: str) -> str:
    """The name itself where MLflow takes it, else what is left of it with a digest that keeps it apart from others."""
    if len(name) <= _MOST and name and not _FOREIGN.search(name) and _is_plain_path(name):
        return name
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[: _SUFFIX - 1]
    plain = _FOREIGN.sub("_", name).replace("/", "_").lstrip(".")
    return f"{plain[: _MOST - _SUFFIX]}-{digest}"


def _is_plain_path(name: str) -> bool:
    # MLflow once kept names as files and still refuses what would be another path.
    path = posixpath.normpath(name)
    return path == name and path != "." and not path.startswith(("..", "/"))
