"""Tables: named, versioned, written whole or not at all.

_base    the contract
_housekeeping  the part of it that keeps tables quick, small and right
_followed  the part of it by which others follow a table
_values  what goes in and out
_memory  the twin
_delta   Delta tables without a JVM jar
_rows    rows and columns on their way into a table
"""

from __future__ import annotations

from sparkml_track.tables._base import Tables
from sparkml_track.tables._delta import DeltaTables
from sparkml_track.tables._memory import MemoryTables
from sparkml_track.tables._values import (
    UPSERT,
    BeforeCommit,
    DataFile,
    MergeRule,
    Mode,
    Moment,
    TableExpectations,
    TableInfo,
    TableVersion,
    TransactionId,
    check_name,
)

__all__ = [
    "UPSERT",
    "BeforeCommit",
    "DataFile",
    "DeltaTables",
    "MemoryTables",
    "MergeRule",
    "Mode",
    "Moment",
    "TableExpectations",
    "TableInfo",
    "TableVersion",
    "Tables",
    "TransactionId",
    "check_name",
]
