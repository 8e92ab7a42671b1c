"""Batch scoring on Spark with one pinned model version, into a Delta table."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from pyspark.errors import PySparkException

from sparkml_track import schema
from sparkml_track.errors import DataError, RegistryError, TableError
from sparkml_track.refs import DataRef, ModelRef, TableRef
from sparkml_track.registries import Registry, Run, Signature
from sparkml_track.scoring import _worker
from sparkml_track.scoring._drift import check_columns
from sparkml_track.scoring._numbers import numbers_of
from sparkml_track.scoring._shipping import by_value, pack
from sparkml_track.scoring._spec import ADDED, Scored, Scoring
from sparkml_track.tables import Tables

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

__all__ = ["score"]

_FIRST = 100  # rows that a model is tried on before anything is written
_OWN = ("null in ", "infinite ", "the model gave ")  # how problems begin that are not what a model raised
_MOST_PROBLEMS = 100  # that are counted one by one


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
            the model raised on every row, or gives something else than numbers.
        TableError: the tables refused.
        NotBuilt: a model with several outputs of which one has more than two classes, or of more than 256 MB.
    """
    started = time.time()
    model = _pinned(spec, registry)
    what = f"scoring {spec.source} with {model}"
    with _translated(what):
        rows = _rows(spec, tables)
        signature = registry.signature(model)
        check_columns(signature, dict(rows.dtypes), str(spec.source))
        fitted = registry.load(model)
        numbers = numbers_of(fitted, signature, model, lambda: _first_rows(rows, signature))
        work = _work(spec, rows, signature, pack(fitted, model), model, len(numbers))
        _check_model(rows, work, what)
        table = tables.write(
            spec.target,
            _scored(rows, work),
            mode="overwrite",
            description=f"scores of {spec.model}",
            made_from=(model,),
        )
        total, bad = _counts(tables, table, work.problem)
    run_id = registry.record(_run(spec, model, table, (total, bad), numbers, started))
    names = added_names(work.keep)
    return Scored(table, model, run_id, total, bad, time.time() - started, names)


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
        rows = rows.where(_is_one_of(name, values))
    if period:
        time_column = _column(period.column)
        rows = rows.where((time_column >= period.start) & (time_column < period.end))
    return rows


def _column(name: str) -> Column:
    """The column of exactly this name; Spark reads a dot in a plain name as a field of a struct."""
    from pyspark.sql import functions as f

    return f.col("`" + name.replace("`", "``") + "`")


def _is_one_of(name: str, values: Sequence[object]) -> Column:
    column, some = _column(name), [value for value in values if value is not None]
    found = column.isin(some)
    return found | column.isNull() if len(some) < len(values) else found


def _first_rows(rows: DataFrame, signature: Signature) -> Any:
    """A few rows as the model takes them, on the driver."""
    return rows.select(*(_column(each.name) for each in signature.inputs)).limit(_FIRST).toPandas()


def _work(
    spec: Scoring, rows: DataFrame, signature: Signature, blob: bytes, model: ModelRef, width: int
) -> _worker.Work:
    import pyarrow as pa

    names = added_names(spec.keep or rows.columns)
    constants = {
        "model_name": pa.scalar(model.name),
        "model_version": pa.scalar(model.version),
        "run_id": pa.scalar(model.run_id),
        "scored_at": pa.scalar(datetime.now(UTC), pa.timestamp("us", "UTC")),
    }
    keep, inputs = tuple(spec.keep) or tuple(rows.columns), [(each.name, each.type) for each in signature.inputs]
    return _worker.Work(
        blob,
        hashlib.sha256(blob).hexdigest(),
        signature.method,
        inputs,
        tuple(name for name in rows.columns if name in {*keep, *dict(inputs)}),
        keep,
        {names[name]: value for name, value in constants.items()},
        names["score"],
        names["problem"],
        width,
    )


def added_names(columns: Iterable[str]) -> dict[str, str]:
    """The names of the columns that scoring adds beside these: theirs, with "_" where a column has it already."""
    taken = {name.lower() for name in columns}
    names = {}
    for name in ADDED:
        free = name
        while free in taken:
            free += "_"
        taken.add(free)
        names[name] = free
    return names


def _scored(rows: DataFrame, work: _worker.Work) -> DataFrame:
    from pyspark.sql.types import ArrayType, DoubleType, StructType

    schema = StructType([rows.schema[name] for name in work.keep])
    for name, kind in zip((work.score, work.problem, *work.constants), ADDED.values(), strict=True):
        schema.add(name, ArrayType(DoubleType()) if name == work.score and work.width > 1 else kind)
    # Spark looks columns up by name on the way to Python, and a dot would be a field: it gets them by place.
    needed = [_column(name).alias(str(place)) for place, name in enumerate(work.columns)]
    with by_value():
        return rows.select(*needed).mapInArrow(partial(_worker.score_batches, work), schema)


def _check_model(rows: DataFrame, work: _worker.Work, what: str) -> None:
    """Refuses a model that raises on every row: a first few, and only if it does on those, all of them."""
    few = _problems(_scored(rows.limit(_FIRST), work), work.problem)
    if not few or not _all_raised(few):
        return
    problems = _problems(_scored(rows, work), work.problem)
    if _all_raised(problems):
        raised = next(problem for problem in problems if not problem.startswith(_OWN))
        raise DataError(f"{what} failed: the model raised on every row, {raised}")


def _all_raised(problems: Mapping[str, int]) -> bool:
    """Whether each row has a problem, and one that the model raised at least once."""
    return all(problems) and not all(problem.startswith(_OWN) for problem in problems)


def _problems(scored: DataFrame, problem: str) -> dict[str, int]:
    """Rows by problem, "" for none: the most frequent ones, and the others under one name."""
    from pyspark.sql import functions as f

    counted = scored.groupBy(_column(problem).alias("problem")).agg(f.count(f.lit(1)).alias("rows"))
    first = counted.orderBy(f.col("problem").isNotNull(), f.desc("rows")).limit(_MOST_PROBLEMS).collect()
    return {row["problem"] or "": row["rows"] for row in first}


def _counts(tables: Tables, table: TableRef, problem: str) -> tuple[int, dict[str, int]]:
    """How many rows there are, and those with a problem, from what was written: what readers will see."""
    written = tables.read(table)
    total, problems = written.count(), _problems(written, problem)
    others = total - sum(problems.values())
    bad = {text: rows for text, rows in problems.items() if text}
    return total, bad | ({"another problem": others} if others else {})


def _run(
    spec: Scoring,
    model: ModelRef,
    table: TableRef,
    counted: tuple[int, Mapping[str, int]],
    numbers: Sequence[str],
    started: float,
) -> Run:
    rows, bad = counted
    seconds = time.time() - started
    params = {"model": model.name, "model_version": model.version, "source": spec.source, "target": table}
    return Run(
        kind="scoring",
        name=f"{spec.target} by {model}",
        experiment=spec.experiment,
        params=params | ({"scores": ", ".join(numbers)} if len(numbers) > 1 else {}),
        metrics={"rows": rows, "bad_rows": sum(bad.values()), "seconds": seconds, "rows_per_second": rows / seconds},
        tags={schema.TAG_MODEL: f"{model.name}/{model.version}", schema.TAG_MODEL_RUN: model.run_id},
        data=(
            DataRef("source", f"v{spec.source.version}", None, spec.source),
            DataRef("scores", f"v{table.version}", rows, table),
        ),
        started=started,
    )


@contextmanager
def _translated(what: str) -> Iterator[None]:
    """Says what the Python workers said, also where the tables wrapped it."""
    try:
        yield
    except (PySparkException, TableError) as error:
        cause = error if isinstance(error, PySparkException) else error.__cause__
        if not isinstance(cause, PySparkException):
            raise
        raise DataError(f"{what} failed: {_said(str(cause)):.500}") from error


def _said(text: str) -> str:
    """What a worker said of its own failure; else the last line of its traceback, or the first of anything."""
    for part in reversed(text.split(_worker.FAILED)[1:]):
        with suppress(ValueError):
            found = json.JSONDecoder().raw_decode(part)[0]
            return f"{found['error']}: {' '.join(found['message'].split())}"
    lines = text.splitlines()
    # Code is indented in a traceback, what was raised is not.
    raised = [line for line in lines if line.partition(":")[0].endswith(("Error", "Exception")) and line[:1].strip()]
    return (raised[-1:] or [line.strip() for line in lines] or ["no message"])[0]
