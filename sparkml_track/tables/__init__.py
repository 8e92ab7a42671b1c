"""Tables: named, versioned, written whole or not at all.

_base     the contract
_memory   the twin
_delta    Delta tables without a JVM jar
_log      the Delta transaction log, through delta-rs
_spark    Spark writes and reads plain Parquet
_files    Parquet files on their way into a table
_arrow    Arrow tables in the types a Delta table holds
_columns  columns as the Delta log writes them
_expect   checks before a commit
_errors   what tables say when they refuse
"""

from __future__ import annotations

from sparkml_track.tables._base import Mode, TableExpectations, TableInfo, Tables, TableVersion
from sparkml_track.tables._delta import DeltaTables
from sparkml_track.tables._memory import MemoryTables

__all__ = ["DeltaTables", "MemoryTables", "Mode", "TableExpectations", "TableInfo", "TableVersion", "Tables"]
