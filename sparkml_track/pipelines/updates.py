"""Updates that were, from the system tables."""

from __future__ import annotations

from typing import Any

from sparkml_track.catalog.system.store import SystemTables
from sparkml_track.home import Home

__all__ = ["last_updates"]


def last_updates(home: Home) -> dict[str, list[dict[str, Any]]]:
    """The flows of the last update of each pipeline, with the expectations of each as ``rules``.

    Args:
        home: whose system tables are read.
    """
    from sparkml_track.tables import DeltaTables

    system = SystemTables(home.system, DeltaTables(home.tables_root))
    flows = sorted(system.rows("pipeline_updates").to_pylist(), key=lambda row: row["started_at"])
    last = {row["pipeline"]: row["update_id"] for row in flows}
    rules: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in system.rows("expectations").to_pylist():
        rules.setdefault((row["update_id"], row["flow"]), []).append(row)
    return {
        pipeline: [
            {**row, "rules": rules.get((update, row["flow"]), [])} for row in flows if row["update_id"] == update
        ]
        for pipeline, update in sorted(last.items())
    }
