"""Conformance cases of the families, and what checks a sweep: for tests of members and of jobs.

executors        the case of executors
_executor_roots  its part about shared storage
_executor_limits  its part about what cannot be recorded
_executor_payloads  its part about bytes that nobody reads
_executor_gangs  its part about attempts of several processes
_attempts        attempts and events for it
journals         the case of journals
plots            of plots
pruners          of pruners
registries       of registries
samplers         of samplers
tables           of tables
asof             of ways of the point-in-time join
sql              of SQL engines
_table_versions  its part about versions
_table_shapes    its part about columns that come, and partitions
_table_upkeep    its part about housekeeping
_table_followers its part about counts, notes and what was appended
_table_changes   its part about changes to chosen rows
trackers         of trackers
_tracker_parents its part about parent runs
_tracker_whole   its part about runs that are read back
_tracker_runs    runs for it
online_stores    of online stores
objects          an S3 server on loopback
servers          a tracking server, PostgreSQL and Redis on loopback
accounting       the accounting invariants of a sweep
"""

from __future__ import annotations
