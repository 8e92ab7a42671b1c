"""What is recorded of an update: each flow and each expectation in system tables, and the lineage of what was made."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, datetime

from sparkml_track.catalog.system.store import SystemTables
from sparkml_track.errors import TableError
from sparkml_track.governance.edges import Job, Node, between, record
from sparkml_track.governance.names import full_name
from sparkml_track.governance.sources.columns import record_columns
from sparkml_track.pipelines.planning.graph import Node as FlowNode
from sparkml_track.pipelines.updating.executed import FlowResult

__all__ = ["Books"]

_log = logging.getLogger("sparkml_track.pipelines")


class Books:
    """The books of one update.

    Args:
        system: system tables.
        pipeline: its name.
        update: its id.
    """

    def __init__(self, system: SystemTables, pipeline: str, update: str) -> None:
        self._system = system
        self._pipeline = pipeline
        self._update = update

    def flow_ended(self, node: FlowNode, result: FlowResult, code: str, started: datetime) -> None:
        """Records what became of a flow; what was made stays made if that fails, and the log says so."""
        job = Job("PIPELINE", f"{self._pipeline}.{result.flow}", self._update, code)
        outside = [Node("SOURCE", f"{node.flow.place.partition(':')[0]}:{result.flow}")] if _from_outside(node) else []
        for made, sources in result.made.items():
            record(self._system.folder, between([*map(Node.of, sources), *outside], [Node.of(made)], job))
            record_columns(self._system.folder, made, job, result.columns.get(made))
        self._append("pipeline_updates", [self._flow_row(result, code, started)])
        self._append("expectations", self._rule_rows(result))

    def _append(self, table: str, rows: Sequence[dict[str, object]]) -> None:
        if not rows:
            return
        try:
            self._system.append(table, rows)
        except TableError as error:
            _log.warning("%d rows of system.%s were not recorded: %s", len(rows), table, error)

    def _flow_row(self, result: FlowResult, code: str, started: datetime) -> dict[str, object]:
        return {
            "pipeline": self._pipeline,
            "update_id": self._update,
            "flow": result.flow,
            "table_name": full_name(result.target),
            "table_version": _version(result),
            "state": result.state,
            "why": result.why,
            "rows": result.rows,
            "started_at": started,
            "ended_at": datetime.now(UTC),
            "code": code,
        }

    def _rule_rows(self, result: FlowResult) -> list[dict[str, object]]:
        return [
            {
                "recorded_at": datetime.now(UTC),
                "pipeline": self._pipeline,
                "update_id": self._update,
                "flow": result.flow,
                "table_name": full_name(result.target),
                "table_version": _version(result),
                "expectation": one.rule.name,
                "condition": one.rule.condition,
                "action": one.rule.action,
                "passed": one.passed,
                "failed": one.failed,
            }
            for one in result.counted
        ]


def _version(result: FlowResult) -> int | None:
    return max((ref.version for ref in result.made if ref.name == result.target), default=None)


def _from_outside(node: FlowNode) -> bool:
    return node.outside or node.outside_stream or not node.names
