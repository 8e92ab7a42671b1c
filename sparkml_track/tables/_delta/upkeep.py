"""What keeps Delta tables quick and small."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from sparkml_track.tables._delta import files, log
from sparkml_track.tables._delta.opened import OpenedTables


class KeptTables(OpenedTables):
    """The housekeeping part of ``DeltaTables``."""

    def vacuum(self, name: str, keep: timedelta = timedelta(days=7)) -> int:
        found, ref = self._open(name)
        deleted = log.vacuum(found, name, keep)
        path = Path(ref.path)
        with log.translated(f"sweeping table {name}"):
            named = {str(file.relative_to(path)) for file in log.files_of(found, path)} | log.ever_named(path)
            return deleted + files.sweep_leftovers(path, named, keep)
