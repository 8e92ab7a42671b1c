"""Scoring of rows as they come: the new rows of a table, or a stream of Spark's; each batch is appended exactly once.

A batch has a number that the target keeps with the rows, in the same commit: the version of the table that it reached,
or the number that Structured Streaming gave it. A batch whose number the target has already is passed over, so a call
that was killed is simply made again. Each batch is scored by one version: the one that has the alias when it begins.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparkml_track import schema
from sparkml_track.errors import DataError, TableError
from sparkml_track.refs import DataRef, ModelRef, TableRef
from sparkml_track.registries import Registry, Run
from sparkml_track.scoring._failures import translated
from sparkml_track.scoring._prepared import Work, chosen, pinned, prepared, scored_rows
from sparkml_track.scoring._spark_ml import SparkWork
from sparkml_track.scoring._spec import Follow, Followed
from sparkml_track.tables import Tables

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

__all__ = ["score_new", "score_stream"]


def score_new(source: str, spec: Follow, tables: Tables, registry: Registry) -> Followed:
    """Scores the rows that came to a table since the last call; at first all that it has.

    Args:
        source: name of the table; rows are only ever appended to it.
        spec: what scores, and where the scores go.
        tables: with a Spark session.
        registry: where the model is.

    Raises:
        RegistryError: no such model, or its files are not what was registered.
        DataError: the rows lack a column of the model or have it in another type.
        TableError: the source deleted or changed rows, or is not the one that was scored before.
    """
    latest, application = tables.latest(source), f"score {source}"
    batches = _Batches(spec, tables, registry, application, str(latest))
    done = tables.done(spec.target, application) if tables.exists(spec.target) else None
    if done is not None and done > latest.version:
        raise TableError(
            f"{spec.target} has the scores of {source} up to version {done}, but {source} is at version "
            f"{latest.version}: it was made anew. Score it into another table, or drop {spec.target}"
        )
    if done != latest.version:
        rows = tables.read(latest) if done is None else tables.appended(source, done, latest.version)
        batches.write(rows, latest.version, latest)
    return batches.ended()


def score_stream(
    rows: DataFrame, spec: Follow, tables: Tables, registry: Registry, checkpoint: Path, *, every: float | None = None
) -> Followed:
    """Scores a stream of Spark's.

    Args:
        rows: a streaming DataFrame.
        spec: what scores, and where the scores go.
        tables: with a Spark session.
        registry: where the model is.
        checkpoint: a folder, made if need be, that knows what was read; another one begins anew and scores all again.
        every: seconds between batches, until the query is stopped from outside; None takes what is there now, and ends.

    Raises:
        RegistryError: no such model, or its files are not what was registered.
        DataError: the rows are no stream, or lack a column of the model or have it in another type.
        TableError: the tables refused.
    """
    if not rows.isStreaming:
        raise DataError("the rows are not a stream: read them by spark.readStream, or score a table by score_new")
    batches = _Batches(spec, tables, registry, f"score {_identity(checkpoint)}", "the stream")
    with batches.raising():
        writer = rows.writeStream.foreachBatch(batches.take).option("checkpointLocation", checkpoint.as_uri())
        once = writer.trigger(availableNow=True) if every is None else writer.trigger(processingTime=f"{every} seconds")
        query = once.start()
        try:
            query.awaitTermination()
        finally:
            query.stop()
    return batches.ended()


def _identity(checkpoint: Path) -> str:
    """The name of a checkpoint, which it keeps: a folder of the same path that was made anew has another one."""
    file = checkpoint / "sparkml-id"
    checkpoint.mkdir(parents=True, exist_ok=True)
    if not file.exists():
        made = checkpoint / f".{uuid.uuid4().hex}"
        made.write_text(uuid.uuid4().hex)
        made.replace(file)
    return file.read_text()


@dataclass
class _Batches:
    """What one call writes.

    Attributes:
        spec: what scores, and where the scores go.
        tables: with a session.
        registry: where the model is.
        application: whose batches the target counts.
        what: the source, for messages.
    """

    spec: Follow
    tables: Tables
    registry: Registry
    application: str
    what: str
    _started: float = field(default_factory=time.time)
    _works: dict[tuple[ModelRef, str], Work] = field(default_factory=dict)
    _written: list[tuple[TableRef, ModelRef, int, int]] = field(default_factory=list)
    _raised: list[BaseException] = field(default_factory=list)

    def take(self, rows: Any, number: int) -> None:
        """One batch of Structured Streaming."""
        try:
            self.write(rows, number)
        except BaseException as error:
            self._raised.append(error)  # Spark would make text of it
            raise

    @contextmanager
    def raising(self) -> Iterator[None]:
        """Raises what a batch raised, not what Spark made of it."""
        try:
            with translated(f"scoring {self.what}"):
                yield
        except Exception:
            if self._raised:
                raise self._raised[0] from None
            raise

    def write(self, rows: DataFrame, number: int, source: TableRef | None = None) -> None:
        """Scores a batch and commits it, unless the target has it."""
        target = self.spec.target
        done = self.tables.done(target, self.application) if self.tables.exists(target) else None
        if done is not None and done >= number:
            return
        model = pinned(self.spec, self.registry)
        with translated(f"scoring {self.what} with {model}"):
            asked = chosen(rows, self.spec, self.what)
            work = self._work(asked, model)
            table = self.tables.write(
                target,
                scored_rows(asked, work),
                mode="append",
                description=f"scores of {model.name}",
                transaction=(self.application, number),
                made_from=(model, *([source] if source else [])),
            )
            self._written.append((table, model, *self._counted(table, work.problem)))

    def _work(self, rows: DataFrame, model: ModelRef) -> Work:
        shape = (model, rows.schema.json())
        if shape in self._works:
            return self._works[shape]
        work = prepared(self.spec, rows, model, self.registry, self.what)[0]
        # One that found no row to ask the model with says nothing of rows to come.
        self._works = {} if isinstance(work, SparkWork) and work.base is None else {shape: work}
        return work

    def _counted(self, table: TableRef, problem: str) -> tuple[int, int]:
        """How many rows a batch has, and how many without a score: of what was written."""
        from pyspark.sql import functions as f

        name = table.name
        first = table.version == 0
        rows = self.tables.read(table) if first else self.tables.appended(name, table.version - 1, table.version)
        found = rows.agg(f.count(f.lit(1)).alias("rows"), f.count(f.col(problem)).alias("bad")).first()
        assert found is not None
        return found["rows"], found["bad"]

    def ended(self) -> Followed:
        """What came of it, with a run where anything did."""
        target = self.spec.target
        table = self._written[-1][0] if self._written else None
        if table is None and self.tables.exists(target):
            table = self.tables.latest(target)
        rows, bad = sum(each[2] for each in self._written), sum(each[3] for each in self._written)
        seconds = time.time() - self._started
        models = tuple(dict.fromkeys(each[1] for each in self._written))
        run_id = self.registry.record(self._run(models, rows, bad, seconds)) if self._written else ""
        return Followed(table, models, run_id, len(self._written), rows, bad, seconds)

    def _run(self, models: tuple[ModelRef, ...], rows: int, bad: int, seconds: float) -> Run:
        table, last = self._written[-1][0], models[-1]
        return Run(
            kind="scoring",
            name=f"{self.spec.target} by {last}",
            experiment=self.spec.experiment,
            params={"model": last.name, "source": self.what, "target": table, "batches": len(self._written)},
            metrics={"rows": rows, "bad_rows": bad, "seconds": seconds, "rows_per_second": rows / seconds},
            tags={schema.TAG_MODEL: f"{last.name}/{last.version}", schema.TAG_MODEL_RUN: last.run_id},
            data=(DataRef("scores", f"v{table.version}", rows, table),),
            started=self._started,
        )
