"""A connection that is confined to the files of some views, and stays open for the next query over the same."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sparkml_track.sql._base import View
from sparkml_track.sql._duckdb.views import make_view, pattern, text

__all__ = ["CONFIG", "Opened"]

# Names of Python variables are no tables, and nothing is fetched from anywhere.
CONFIG = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "python_enable_replacements": "false",
}


class Opened:
    """A connection of DuckDB that reads these views' files and nothing else; closed when nobody has it any more.

    Args:
        library: duckdb.
        views: by the names they get.
    """

    def __init__(self, library: Any, views: Mapping[str, View]) -> None:
        self.views = dict(views)
        self.connection = library.connect(":memory:", config=CONFIG)
        folder = tempfile.mkdtemp(prefix="sparkml-sql-")
        # Also when the process ends.
        self.close = weakref.finalize(self, _close, self.connection, folder)
        try:
            self.connection.execute("SET TimeZone = 'UTC'")
            found = [make_view(self.connection, name, view, Path(folder, name)) for name, view in views.items()]
            _confine(self.connection, [path for paths in found for path in paths], Path(folder, "spill"))
        except BaseException:
            self.close()
            raise

    def fits(self, views: Mapping[str, View]) -> bool:
        """Whether a query over these views finds them, and no others; rows in memory are new each time."""
        return all(view.rows is None for view in views.values()) and self.views == views


def _close(connection: Any, folder: str) -> None:
    connection.close()
    shutil.rmtree(folder, ignore_errors=True)


def _confine(connection: Any, files: Sequence[str], spill: Path) -> None:
    """From here on the connection reads these files, and none of this can be taken back."""
    allowed = ", ".join(text(name) for path in files for name in {path, pattern(path)})
    for setting in (
        f"temp_directory = {text(str(spill))}",
        f"allowed_paths = [{allowed}]",
        "enable_external_access = false",
        "lock_configuration = true",
    ):
        connection.execute(f"SET {setting}")
