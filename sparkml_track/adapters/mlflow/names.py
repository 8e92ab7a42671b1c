"""Names of metrics, params and tags as MLflow takes them, one to one."""

from __future__ import annotations

import hashlib
import posixpath
import re
from functools import lru_cache

__all__ = ["MAX_KEY", "is_stored_as_it_is", "stored_name"]

#: MLflow's own limit: mlflow/utils/validation.py.
MAX_KEY = 250
_FOREIGN = re.compile(r"[^/\w.\- :]")
_SUFFIX = 9  # "-" and 8 digits


def is_stored_as_it_is(name: str) -> bool:
    """Whether MLflow takes the name."""
    return 0 < len(name) <= MAX_KEY and not _FOREIGN.search(name) and _is_plain_path(name)


@lru_cache(maxsize=10_000)
def stored_name(name: str) -> str:
    """The name itself where MLflow takes it, else what is left of it with a digest that keeps it apart from others."""
    if is_stored_as_it_is(name):
        return name
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[: _SUFFIX - 1]
    plain = _FOREIGN.sub("_", name).replace("/", "_").lstrip(".")
    return f"{plain[: MAX_KEY - _SUFFIX]}-{digest}"


def _is_plain_path(name: str) -> bool:
    # MLflow once kept names as files and still refuses what would be another path.
    path = posixpath.normpath(name)
    return path == name and path != "." and not path.startswith(("..", "/"))
