"""Views that follow the versions of tables, for servers of SQL."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from sparkml_track.catalog.snapshot import view_of
from sparkml_track.errors import InvalidInput, QueryError, TableError
from sparkml_track.governance.names import full_name

if TYPE_CHECKING:
    from sparkml_track.sql import SharedViews, View
    from sparkml_track.tables import Tables

__all__ = ["Following"]

_log = logging.getLogger("sparkml_track.catalog")


class Following:
    """Keeps each view at the latest version of its table. Each table moves by itself.

    Args:
        tables: that are served.
        views: where.
    """

    def __init__(self, tables: Tables, views: SharedViews) -> None:
        self._tables = tables
        self._views = views
        self._seen: dict[str, View] = {}
        self._problems = dict[str, str]()

    def look(self) -> dict[str, int]:
        """Moves the views of tables that have changed; a table that cannot be read stays where it was, with a warning.

        Returns:
            The versions of those that moved, by full name.
        """
        moved, every = dict[str, int](), self._tables.names()
        names = _served(every)
        for gone in [name for name in self._seen if name not in names]:
            self._views.drop(self._seen.pop(gone).name)
            _log.warning("table %s is gone, and no longer served", gone)
        for name in set(every).difference(names):
            self._warn(name, InvalidInput(f"{name} differs from another table only in case or in defaults; rename one"))
        for name in names:
            try:
                version = self._move(name)
            except (TableError, QueryError, InvalidInput) as error:
                self._warn(name, error)
                continue
            self._problems.pop(name, None)
            if version is not None:
                moved[full_name(name)] = version
        return moved

    def _move(self, name: str) -> int | None:
        info = self._tables.describe(name)
        view = view_of(info, self._tables)
        # By the files, not by the version alone: a table that was made again counts from 0.
        if self._seen.get(name) == view:
            return None
        self._views.put(view, info.description)
        self._seen[name] = view
        return info.ref.version

    def _warn(self, name: str, error: Exception) -> None:
        if self._problems.get(name) != str(error):
            stays = "it stays at the version before" if name in self._seen else "it is not served"
            _log.warning("%s: %s", stays, error)
        self._problems[name] = str(error)


def _served(names: tuple[str, ...]) -> list[str]:
    """Without those that Spark would take for others: it does not tell capitals apart."""
    first: dict[str, str] = {}
    for name in names:
        first.setdefault(full_name(name).lower(), name)
    return list(first.values())
