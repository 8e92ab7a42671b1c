"""Tables: named, versioned, written whole or not at all.

_base    the contract
_memory  the twin
_delta   Delta tables without a JVM jar
_rows    rows and columns on their way into a table
"""

from __future__ import annotations

from sparkml_track.tables._base import Mode, TableExpectations, TableInfo, Tables, TableVersion
from sparkml_track.tables._delta import DeltaTables
from sparkml_track.tables._memory import MemoryTables

__all__ = ["DeltaTables", "MemoryTables", "Mode", "TableExpectations", "TableInfo", "TableVersion", "Tables"]
