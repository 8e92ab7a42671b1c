"""The in-process twin: versions are Arrow tables held by an object.

member  the member of the family, and how it writes
held    versions, and what was said of them
"""

from __future__ import annotations

from sparkml_track.tables._memory.member import MemoryTables

__all__ = ["MemoryTables"]
