"""From an address to a store."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from urllib.parse import unquote, urlsplit

from sparkml_track.adapters.mlflow.uri import redacted
from sparkml_track.errors import SetupError, SpecError
from sparkml_track.home import Home
from sparkml_track.online_stores._base import OnlineStore
from sparkml_track.online_stores._databases.sqlite import SqliteOnlineStore
from sparkml_track.online_stores._memory import MemoryOnlineStore

__all__ = ["open_online_store"]

#: Scheme to the module and class of a member, and the package that it needs.
_SERVERS = {
    "redis": ("redis", "RedisOnlineStore", "redis"),
    "rediss": ("redis", "RedisOnlineStore", "redis"),
    "unix": ("redis", "RedisOnlineStore", "redis"),
    "postgres": ("postgres", "PostgresOnlineStore", "psycopg"),
    "postgresql": ("postgres", "PostgresOnlineStore", "psycopg"),
    "postgresql+psycopg": ("postgres", "PostgresOnlineStore", "psycopg"),
}
#: Package to the extra that brings it.
_EXTRAS = {"redis": "redis", "psycopg": "postgres"}


def open_online_store(url: str | Path) -> OnlineStore:
    """Open an online store. Nothing is connected before it is asked.

    Args:
        url: a folder, or ``sqlite:///folder``; ``sqlite`` for the folder of the home; ``redis://``, ``rediss://``,
            ``unix://`` for Redis; ``postgresql://`` for PostgreSQL; ``memory:`` for one in this object.

    Raises:
        SpecError: no store is at such an address.
        SetupError: the package for it is not installed.
    """
    text = str(url)
    scheme, mark, _ = text.partition(":")
    if isinstance(url, Path) or not mark:
        return SqliteOnlineStore(Home.find().online if text == "sqlite" else Path(url))
    if text in {"memory:", "memory://"}:
        return MemoryOnlineStore()
    if scheme == "sqlite" and urlsplit(text).path:
        return SqliteOnlineStore(unquote(urlsplit(text).path))
    if scheme in _SERVERS and "://" in text:
        return _server(scheme, text)
    raise SpecError(
        f"{redacted(text)!r} is not the address of an online store: allowed are a folder, sqlite, sqlite:///folder, "
        "redis://, rediss://, unix://, postgresql:// and memory:"
    )


def _server(scheme: str, text: str) -> OnlineStore:
    module, name, package = _SERVERS[scheme]
    try:
        import_module(package)
    except ImportError as error:
        extra = _EXTRAS[package]
        raise SetupError(
            f"{redacted(text)} needs the package {package}: pip install 'sparkml-track[{extra}]'"
        ) from error
    member = getattr(import_module(f"sparkml_track.online_stores._databases.{module}"), name)
    opened: OnlineStore = member(text)
    return opened
