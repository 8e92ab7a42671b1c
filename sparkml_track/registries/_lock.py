"""One process at a time moves aliases in a store that is a file on this host."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import unquote, urlsplit

from sparkml_track.slot.host.lock import exclusive_lock

__all__ = ["alone"]

_LOCK = ".aliases.lock"


@contextmanager
def alone(uri: str) -> Iterator[None]:
    """Holds the lock beside an SQLite file; any other store has none, and the block runs without."""
    parts = urlsplit(uri)
    path = unquote(parts.path)[1:]
    if not parts.scheme.startswith("sqlite") or not path or path == ":memory:":
        yield
        return
    with exclusive_lock(path + _LOCK):
        yield
