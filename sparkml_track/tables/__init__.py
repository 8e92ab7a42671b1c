"""Tables: named, versioned, written whole or not at all."""

from __future__ import annotations

from sparkml_track.tables._base import Mode, TableExpectations, TableInfo, Tables, TableVersion
from sparkml_track.tables._delta import DeltaTables
from sparkml_track.tables._memory import MemoryTables

__all__ = ["DeltaTables", "MemoryTables", "Mode", "TableExpectations", "TableInfo", "TableVersion", "Tables"]
