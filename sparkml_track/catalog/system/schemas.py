"""The columns of system tables: they are public."""

from __future__ import annotations

import pyarrow as pa

__all__ = ["SCHEMAS", "TIME", "empty"]

TIME = pa.timestamp("us", "UTC")

#: Each row has an ``id`` of its own, by which none is written twice.
SCHEMAS = {
    "query_history": pa.schema(
        [
            ("id", pa.string()),
            ("started_at", TIME),
            ("user", pa.string()),
            ("text", pa.string()),
            ("params", pa.string()),  # JSON
            ("engine", pa.string()),
            ("tables", pa.string()),  # JSON: ["main.air.flights@3", ...]
            ("rows", pa.int64()),
            ("ms", pa.float64()),
            ("cached", pa.bool_()),
            ("saved", pa.string()),  # the table version that it made
            ("error", pa.string()),
        ]
    ),
    # The names of columns are those of Unity Catalog's system.access.table_lineage where it has them.
    "lineage": pa.schema(
        [
            ("id", pa.string()),
            ("event_time", TIME),
            ("entity_type", pa.string()),
            ("entity_id", pa.string()),
            ("entity_run_id", pa.string()),
            ("source_type", pa.string()),
            ("source_full_name", pa.string()),
            ("source_version", pa.int64()),
            ("target_type", pa.string()),
            ("target_full_name", pa.string()),
            ("target_version", pa.int64()),
            ("created_by", pa.string()),
            ("code", pa.string()),
        ]
    ),
    "alerts": pa.schema(
        [
            ("id", pa.string()),
            ("checked_at", TIME),
            ("alert", pa.string()),
            ("state", pa.string()),  # ok, triggered, unknown
            ("before", pa.string()),
            ("value", pa.string()),
            ("condition", pa.string()),
            ("notified", pa.string()),
            ("tables", pa.string()),  # JSON
            ("error", pa.string()),
        ]
    ),
    # A run has a row when it begins and another when it ends; of an attempt, the one that has ended counts.
    "job_runs": pa.schema(
        [
            ("id", pa.string()),
            ("event_time", TIME),
            ("run_id", pa.string()),
            ("project", pa.string()),
            ("job", pa.string()),
            ("attempt", pa.int64()),  # from 1; each repair is one more
            ("state", pa.string()),  # running, succeeded, failed, interrupted, lost, skipped
            ("cause", pa.string()),  # manual, schedule, table, file, backfill, repair
            ("logical_time", TIME),  # the moment that the run is for
            ("parameters", pa.string()),  # JSON
            ("started_at", TIME),
            ("ended_at", TIME),
            ("config", pa.string()),
            ("user", pa.string()),
            ("host", pa.string()),
            ("pid", pa.int64()),
            ("reason", pa.string()),
        ]
    ),
    # Likewise for each try of a task; one that was never begun has number 0 and one row.
    "task_runs": pa.schema(
        [
            ("id", pa.string()),
            ("event_time", TIME),
            ("run_id", pa.string()),
            ("project", pa.string()),
            ("job", pa.string()),
            ("task", pa.string()),
            ("kind", pa.string()),
            ("attempt", pa.int64()),  # of the run
            ("try_number", pa.int64()),  # from 1 in each attempt
            ("state", pa.string()),  # running, succeeded, failed, interrupted, upstream_failed, excluded
            ("started_at", TIME),
            ("ended_at", TIME),
            ("exit_code", pa.int64()),
            ("reason", pa.string()),
            ("log", pa.string()),
        ]
    ),
    # Each column that another one was made from or chosen by; one without a source depends on none.
    "column_lineage": pa.schema(
        [
            ("id", pa.string()),
            ("event_time", TIME),
            ("entity_run_id", pa.string()),
            ("source_full_name", pa.string()),
            ("source_version", pa.int64()),
            ("source_column_name", pa.string()),
            ("target_full_name", pa.string()),
            ("target_version", pa.int64()),
            ("target_column_name", pa.string()),
            ("created_by", pa.string()),
        ]
    ),
    # Every change of a table and of the catalog, by the command line and from Python.
    "audit": pa.schema(
        [
            ("id", pa.string()),
            ("event_time", TIME),
            ("user", pa.string()),  # of the operating system
            ("action", pa.string()),
            ("object", pa.string()),
            ("request", pa.string()),  # JSON
            ("result", pa.string()),
        ]
    ),
    # Of a privilege, an object and a principal the latest row holds.
    "grants": pa.schema(
        [
            ("id", pa.string()),
            ("event_time", TIME),
            ("privilege", pa.string()),
            ("object", pa.string()),
            ("principal", pa.string()),
            ("granted", pa.bool_()),
            ("granted_by", pa.string()),
        ]
    ),
    # What became of each flow of each update of a pipeline.
    "pipeline_updates": pa.schema(
        [
            ("id", pa.string()),
            ("pipeline", pa.string()),
            ("update_id", pa.string()),
            ("flow", pa.string()),
            ("table_name", pa.string()),
            ("table_version", pa.int64()),
            ("state", pa.string()),  # built, unchanged, failed, skipped
            ("why", pa.string()),
            ("rows", pa.int64()),
            ("started_at", TIME),
            ("ended_at", TIME),
            ("code", pa.string()),
        ]
    ),
    "expectations": pa.schema(
        [
            ("id", pa.string()),
            ("recorded_at", TIME),
            ("pipeline", pa.string()),
            ("update_id", pa.string()),
            ("flow", pa.string()),
            ("table_name", pa.string()),
            ("table_version", pa.int64()),  # null where nothing was written
            ("expectation", pa.string()),
            ("condition", pa.string()),
            ("action", pa.string()),  # warn, drop, fail, quarantine
            ("passed", pa.int64()),
            ("failed", pa.int64()),
        ]
    ),
}


def empty(name: str) -> pa.Table:
    """A system table without rows."""
    return SCHEMAS[name].empty_table()
