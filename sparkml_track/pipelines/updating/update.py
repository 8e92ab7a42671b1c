"""All of a pipeline, once: flows in their order, with what they read pinned; what hangs on a failure is left out."""

from __future__ import annotations

import time
import traceback
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sparkml_track.adapters.spark.errors import first_line, is_spark_error
from sparkml_track.catalog.system.store import SystemTables
from sparkml_track.errors import InvalidInput, SparkmlError
from sparkml_track.pipelines.planning.decisions import Decision, Facts, decide
from sparkml_track.pipelines.planning.graph import Node
from sparkml_track.pipelines.planning.plan import Prepared
from sparkml_track.pipelines.updating.books import Books
from sparkml_track.pipelines.updating.executed import Executor, FlowResult
from sparkml_track.pipelines.updating.rules import RulesBroken, unparsed
from sparkml_track.pipelines.updating.writer import Writer
from sparkml_track.refs import TableRef
from sparkml_track.tables import Tables

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["Site", "Update", "UpdateResult"]


@dataclass(frozen=True, slots=True)
class UpdateResult:
    """What became of an update.

    Attributes:
        id: of the update, in system tables and notes of versions.
        flows: in the order of the work.
    """

    id: str
    flows: tuple[FlowResult, ...]

    @property
    def failed(self) -> tuple[FlowResult, ...]:
        """Flows that failed, and those that hang on them."""
        return tuple(one for one in self.flows if one.state in ("failed", "skipped"))


@dataclass(frozen=True, slots=True)
class Site:
    """Where an update works.

    Attributes:
        tables: of the home, with a session.
        spark: the session.
        system: system tables.
        streams: the folder with checkpoints of this pipeline.
    """

    tables: Tables
    spark: SparkSession
    system: SystemTables
    streams: Path


class Update:
    """One update of a pipeline.

    Args:
        pipeline: its name.
        ready: the pipeline, looked at.
        site: where.
    """

    def __init__(self, pipeline: str, ready: Prepared, site: Site) -> None:
        self.id = uuid.uuid4().hex
        self._pipeline = pipeline
        self._ready = ready
        self._site = site
        self._versions: dict[str, TableRef] = dict(ready.pinned)
        self._broken: dict[str, str] = {}
        self._executor = Executor(ready.graph, site.tables, site.spark, self._versions, site.streams)
        self._books = Books(site.system, pipeline, self.id)

    def run(self, shown: Callable[[FlowResult], None]) -> UpdateResult:
        """Runs all flows.

        Args:
            shown: gets the result of each flow when it has ended.

        Raises:
            InvalidInput: expectations that do not parse; nothing was started.
        """
        if problems := unparsed(self._ready.graph.declared, self._site.spark):
            raise InvalidInput(*problems)
        results = []
        for result in self._results():
            results.append(result)
            shown(result)
        return UpdateResult(self.id, tuple(results))

    def _results(self) -> Iterator[FlowResult]:
        for node in self._ready.graph.nodes:
            started, clock = datetime.now(UTC), time.monotonic()
            result = self._attempt(node)
            result = replace(result, seconds=time.monotonic() - clock)
            self._remember(node, result)
            self._books.flow_ended(node, result, self._code(node), started)
            yield result

    def _attempt(self, node: Node) -> FlowResult:
        target = self._ready.graph.declared.targets[node.flow.target]
        for name in node.names:
            if name in self._broken:
                return FlowResult(node.flow.name, target.name, "skipped", f"{name} {self._broken[name]}")
            if name not in self._versions:
                return FlowResult(node.flow.name, target.name, "skipped", f"{name} has no version yet")
        try:
            decision = self._decided(node)
            if decision.work == "skip":
                return FlowResult(node.flow.name, target.name, "unchanged", decision.why)
            if decision.work == "refuse":
                return FlowResult(node.flow.name, target.name, "failed", decision.why)
            return self._executor.run(decision, self._writer(node))
        except Exception as error:  # noqa: BLE001  # whatever a flow raises ends this flow alone
            counted = error.counted if isinstance(error, RulesBroken) else ()
            return FlowResult(node.flow.name, target.name, "failed", _said(error, node), counted=counted)

    def _decided(self, node: Node) -> Decision:
        declared = self._ready.graph.declared
        versions: dict[str, int | None] = {name: ref.version for name, ref in self._versions.items()}
        facts = Facts(self._pipeline, self._site.tables, versions, self._ready.refreshed)
        target = declared.targets[node.flow.target]
        return decide(node, target, declared.flows_of(target.name), self._code(node), facts)

    def _writer(self, node: Node) -> Writer:
        declared = self._ready.graph.declared
        target = declared.targets[node.flow.target]
        flows = [flow.name for flow in declared.flows_of(target.name)]
        return Writer(self._site.tables, target, self._pipeline, node.flow.name, flows, self.id, self._code(node))

    def _code(self, node: Node) -> str:
        return self._ready.codes[node.flow.name]

    def _remember(self, node: Node, result: FlowResult) -> None:
        """What those that read this table find."""
        target = self._ready.graph.declared.targets[node.flow.target]
        if result.state in ("failed", "skipped"):
            self._broken.setdefault(target.name, "failed" if result.state == "failed" else "was skipped")
            if target.quarantine:
                self._broken.setdefault(target.quarantine, self._broken[target.name])
        for name in filter(None, (target.name, target.quarantine)):
            if self._site.tables.exists(name):
                self._versions[name] = self._site.tables.pin(name)


def _said(error: Exception, node: Node) -> str:
    """An error as one sentence."""
    if isinstance(error, SparkmlError):
        return str(error)
    if is_spark_error(error):
        return f"it failed in Spark: {first_line(error)}"
    file = node.flow.place.partition(":")[0]
    lines = [each.lineno for each in traceback.extract_tb(error.__traceback__) if Path(each.filename).name == file]
    where = f" ({file}:{lines[-1]})" if lines else ""
    return f"{type(error).__name__}: {str(error)[:500]}{where}"
