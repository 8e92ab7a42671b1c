"""Batch scoring on Spark with one pinned model version, into a Delta table."""

from __future__ import annotations

import hashlib
import pickle
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from pyspark import cloudpickle
from pyspark.errors import PySparkException

from sparkml_track import schema
from sparkml_track.errors import DataError, NotBuilt, RegistryError, TableError
from sparkml_track.refs import DataRef, ModelRef, TableRef
from sparkml_track.registries import Registry, Run, Signature
from sparkml_track.scoring import _worker
from sparkml_track.scoring._drift import check_columns
from sparkml_track.scoring._spec import ADDED, Scored, Scoring
from sparkml_track.tables import Tables

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

__all__ = ["score"]

#: Above this the model does not travel in the closure of a Spark job.
_MOST_BYTES = 256 * 2**20


def score(spec: Scoring, tables: Tables, registry: Registry) -> Scored:
    """Scores a table.

    The model version is looked up once; an alias that moves meanwhile changes nothing. The model is checked and loaded
    on the driver, sent with the Spark job, and unpacked once in each Python worker.

    Args:
        spec: what to score with what.
        tables: with a Spark session.
        registry: where the model is.

    Raises:
        RegistryError: no such model, or its files are not what was registered.
        DataError: the table lacks a column of the model or has it in another type (named, before anything starts); or
            the model raised on rows without nulls.
        TableError: the tables refused.
        NotBuilt: a model of more than two classes, or of more than 256 MB.
    """
    started = time.time()
    model = _pinned(spec, registry)
    rows = _rows(spec, tables)
    signature = registry.signature(model)
    check_columns(signature, dict(rows.dtypes), tuple(ADDED), str(spec.source))
    work = _work(spec, rows, signature, model, registry.load(model))
    with _translated(f"scoring {spec.source} with {model}"):
        table = tables.write(spec.target, _scored(rows, work), mode="overwrite", description=f"scores of {spec.model}")
        counts = _counts(tables, table)
    bad = {problem: count for problem, count in counts.items() if problem}
    total = sum(counts.values())
    run_id = registry.record(_run(spec, model, table, total, bad, started))
    return Scored(table, model, run_id, total, bad, time.time() - started)


def _pinned(spec: Scoring, registry: Registry) -> ModelRef:
    if spec.version is not None:
        return registry.version(spec.model, spec.version)
    model = registry.alias(spec.model, spec.alias)
    if model is None:
        raise RegistryError(
            f"no version of the model {spec.model!r} has the alias {spec.alias!r}; register one, or name a version"
        )
    return model


def _rows(spec: Scoring, tables: Tables) -> DataFrame:
    rows = tables.read(spec.source)
    period = spec.period
    unknown = sorted({*spec.where, *spec.keep, *([period.column] if period else [])} - set(rows.columns))
    if unknown:
        raise DataError(f"{spec.source} has no column {', '.join(unknown)}; it has {', '.join(rows.columns)}")
    for name, values in spec.where.items():
        rows = rows.where(rows[name].isin(list(values)))
    if period:
        rows = rows.where((rows[period.column] >= period.start) & (rows[period.column] < period.end))
    return rows


def _work(spec: Scoring, rows: DataFrame, signature: Signature, model: ModelRef, fitted: object) -> _worker.Work:
    import pyarrow as pa

    classes = getattr(fitted, "classes_", (0, 1))
    if signature.method == "predict_proba" and len(classes) != 2:
        raise NotBuilt(f"{model} tells {len(classes)} classes apart; batch scoring takes models of two, or of numbers")
    blob = pickle.dumps(fitted)
    if len(blob) > _MOST_BYTES:
        raise NotBuilt(f"{model} takes {len(blob) >> 20} MB, batch scoring sends at most {_MOST_BYTES >> 20} MB")
    constants = {
        "model_name": pa.scalar(model.name),
        "model_version": pa.scalar(model.version),
        "run_id": pa.scalar(model.run_id),
        "scored_at": pa.scalar(datetime.now(UTC), pa.timestamp("us", "UTC")),
    }
    return _worker.Work(
        blob,
        hashlib.sha256(blob).hexdigest(),
        signature.method,
        tuple((column.name, column.type) for column in signature.inputs),
        tuple(spec.keep) or tuple(rows.columns),
        constants,
    )


def _scored(rows: DataFrame, work: _worker.Work) -> DataFrame:
    from pyspark.sql.types import StructType

    schema = StructType([rows.schema[name] for name in work.keep])
    for name, kind in ADDED.items():
        schema.add(name, kind)
    needed = [name for name in rows.columns if name in {*work.keep, *dict(work.inputs)}]
    with _by_value():
        return rows.select(*needed).mapInArrow(partial(_worker.score_batches, work), schema)


def _counts(tables: Tables, table: TableRef) -> Mapping[str, int]:
    """Rows by problem, "" for none, from what was written: what readers will see."""
    counted = tables.read(table).groupBy("problem").count().collect()
    return {row["problem"] or "": row["count"] for row in counted}


def _run(spec: Scoring, model: ModelRef, table: TableRef, rows: int, bad: Mapping[str, int], started: float) -> Run:
    seconds = time.time() - started
    return Run(
        kind="scoring",
        name=f"{spec.target} by {model}",
        experiment=spec.experiment,
        params={"model": model.name, "model_version": model.version, "source": spec.source, "target": table},
        metrics={"rows": rows, "bad_rows": sum(bad.values()), "seconds": seconds, "rows_per_second": rows / seconds},
        tags={schema.TAG_MODEL: f"{model.name}/{model.version}", schema.TAG_MODEL_RUN: model.run_id},
        data=(
            DataRef("source", f"v{spec.source.version}", None, spec.source),
            DataRef("scores", f"v{table.version}", rows, table),
        ),
        started=started,
    )


@contextmanager
def _by_value() -> Iterator[None]:
    """Sends the functions of ``_worker`` themselves, so that workers need nothing of ours installed."""
    cloudpickle.register_pickle_by_value(_worker)  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        cloudpickle.unregister_pickle_by_value(_worker)  # type: ignore[no-untyped-call]


@contextmanager
def _translated(what: str) -> Iterator[None]:
    """Tells what the Python workers said, also where the tables wrapped it."""
    try:
        yield
    except (PySparkException, TableError) as error:
        cause = error if isinstance(error, PySparkException) else error.__cause__
        if not isinstance(cause, PySparkException):
            raise
        lines = [line.strip() for line in str(cause).splitlines()]
        # A Python worker's traceback ends with the line that says what was wrong.
        told = [line for line in lines if line.partition(":")[0].endswith(("Error", "Exception"))]
        raise DataError(f"{what} failed: {(told or lines or ['no message'])[0]:.500}") from error
