"""Delta tables without a JVM jar: Spark or Arrow writes Parquet, delta-rs keeps the log.

member    the member of the family, and how it writes
changes   how rows change
upkeep    what keeps tables quick and small
cloning   a table made of a version of another
governed  who may, who did, and from what
opened    tables as they lie there, read and compared
known     what was read of versions, which is not read again
log       the Delta transaction log, through delta-rs
rewrite   changes to chosen rows
added     files that a range of versions added
actions   what a commit file holds
staging   rows in files that no version names yet
task_files  what Spark's tasks do with files in object stores
features  what the protocol asks that is not done here
outcomes  how a try to write ends
spark     Spark writes and reads plain Parquet
files     Parquet files on their way into a table
locations  where tables lie: folders and object stores
"""

from __future__ import annotations

from sparkml_track.tables._delta.member import DeltaTables

__all__ = ["DeltaTables"]
