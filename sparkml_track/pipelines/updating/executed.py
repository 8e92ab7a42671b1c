"""One flow, from its function to the versions that it made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from sparkml_track.errors import InvalidInput
from sparkml_track.governance.sources.columns import Columns
from sparkml_track.pipelines.planning.decisions import Decision
from sparkml_track.pipelines.planning.graph import Graph
from sparkml_track.pipelines.planning.marks import Place, place_of
from sparkml_track.pipelines.updating.reader import FlowReader
from sparkml_track.pipelines.updating.rules import Counted, summed
from sparkml_track.pipelines.updating.stream import run_stream
from sparkml_track.pipelines.updating.writer import Writer, Written
from sparkml_track.refs import TableRef
from sparkml_track.tables import Tables

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

__all__ = ["Executor", "FlowResult", "State"]

#: built: it made versions; unchanged: nothing was to do; failed; skipped: what it reads failed or is not there.
State = Literal["built", "unchanged", "failed", "skipped"]


@dataclass(frozen=True, slots=True)
class FlowResult:
    """What became of a flow.

    Attributes:
        flow: its name.
        target: the table that it writes.
        state: of it.
        why: why it was built or left, or what is wrong, in a clause.
        made: versions that it made, with what each was made from.
        rows: how many it wrote.
        seconds: that it took.
        counted: rows for each expectation.
        columns: of versions that it made, from which columns theirs were, where that is known.
    """

    flow: str
    target: str
    state: State
    why: str
    made: Mapping[TableRef, tuple[TableRef, ...]] = field(default_factory=dict)
    rows: int = 0
    seconds: float = 0.0
    counted: tuple[Counted, ...] = ()
    columns: Mapping[TableRef, Columns] = field(default_factory=dict)


@dataclass
class Executor:
    """Executes what was decided about a flow.

    Attributes:
        graph: of the pipeline.
        tables: of the home, with a session.
        spark: the session.
        versions: the version of each table that can be read.
        streams: the folder with checkpoints of this pipeline.
    """

    graph: Graph
    tables: Tables
    spark: SparkSession
    versions: Mapping[str, TableRef]
    streams: Path

    def run(self, decision: Decision, writer: Writer) -> FlowResult:
        """Executes one flow.

        Raises:
            Exception: whatever its function, Spark or the tables raise; what it made before is made.
        """
        result = FlowResult(decision.flow.name, writer.target.name, "built", decision.why)
        if decision.work == "build":
            reader = self._reader(decision)
            return _with(result, writer.whole(self._plain(reader, writer), reader.refs), reader)
        if decision.work == "append":
            return self._appended(result, decision, writer)
        return self._streamed(result, decision, writer)

    def _appended(self, result: FlowResult, decision: Decision, writer: Writer) -> FlowResult:
        source = str(decision.source)
        for upto in self._steps(decision, writer, self.versions[source].version):
            place = Place(decision.generation, upto)
            reader = self._reader(decision, upto)
            written = writer.append(self._plain(reader, writer), reader.refs, place)
            result = _with(result, written, reader)
            decision = replace(decision, place=place)
        return result

    def _steps(self, decision: Decision, writer: Writer, last: int) -> list[int]:
        """The versions to go to. A quarantine that was written before a kill is ahead: its table follows first."""
        ahead = place_of(self.tables, writer.target.quarantine, writer.app) if writer.target.quarantine else None
        here = decision.place or Place(decision.generation, -1)
        between = ahead is not None and ahead.generation == here.generation and here.count < ahead.count < last
        return [ahead.count, last] if ahead is not None and between else [last]

    def _streamed(self, result: FlowResult, decision: Decision, writer: Writer) -> FlowResult:
        reader, found = self._reader(decision), [result]
        rows = reader.rows()
        if not rows.isStreaming:
            raise InvalidInput(
                f"{writer.target.name} is a streaming table and its flow gives a DataFrame that is no stream; read new "
                "rows by dp.read_stream or spark.readStream, or declare a materialized view"
            )

        def commit(frame: DataFrame, place: Place) -> None:
            found.append(_with(found[-1], writer.append(frame, reader.refs, place), reader))

        run_stream(rows, decision, self.streams / decision.flow.name, commit)
        if found[-1].made:
            return found[-1]
        return replace(result, state="unchanged", why="nothing came")

    def _reader(self, decision: Decision, upto: int | None = None) -> FlowReader:
        return FlowReader(self.graph, self.tables, self.spark, self.versions, decision, upto)

    def _plain(self, reader: FlowReader, writer: Writer) -> DataFrame:
        rows = reader.rows()
        if rows.isStreaming:
            raise InvalidInput(
                f"{writer.target.name} is a {writer.target.kind} and its flow gives a stream of Spark; declare a "
                "streaming table by @dp.table that reads nothing by dp.read_stream"
            )
        return rows


def _with(result: FlowResult, written: Written, reader: FlowReader) -> FlowResult:
    sources = tuple(reader.refs)
    return replace(
        result,
        made={**result.made, **dict.fromkeys(written.made, sources)},
        rows=result.rows + written.rows,
        columns={**result.columns, **written.columns},
        counted=summed(result.counted, written.counted) if written.counted else result.counted,
    )
