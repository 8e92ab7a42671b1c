"""Batch scoring on Spark with one pinned model version, into a Delta table."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from sparkml_track import schema
from sparkml_track.errors import DataError
from sparkml_track.refs import DataRef, ModelRef, TableRef
from sparkml_track.registries import Registry, Run
from sparkml_track.scored import free_names
from sparkml_track.scoring._failures import translated
from sparkml_track.scoring._prepared import FIRST, Work, chosen, column_of, pinned, prepared, scored_rows
from sparkml_track.scoring._spec import Scored, Scoring
from sparkml_track.tables import Tables

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

__all__ = ["score"]

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
    model = pinned(spec, registry)
    what = f"scoring {spec.source} with {model}"
    with translated(what):
        rows = _rows(spec, tables)
        work, numbers = prepared(spec, rows, model, registry, str(spec.source))
        _check_model(rows, work, what)
        table = tables.write(
            spec.target,
            scored_rows(rows, work),
            mode="overwrite",
            description=f"scores of {spec.model}",
            made_from=(model,),
        )
        total, bad = _counts(tables, table, work.problem)
    run_id = registry.record(_run(spec, model, table, (total, bad), numbers, started))
    names = free_names(work.keep)
    return Scored(table, model, run_id, total, bad, time.time() - started, names)


def _rows(spec: Scoring, tables: Tables) -> DataFrame:
    period = spec.period
    rows = chosen(tables.read(spec.source), spec, str(spec.source), *([period.column] if period else []))
    if period is None:
        return rows
    time_column = column_of(period.column)
    return rows.where((time_column >= period.start) & (time_column < period.end))


def _check_model(rows: DataFrame, work: Work, what: str) -> None:
    """Refuses a model that raises on every row: a first few, and only if it does on those, all of them."""
    few = _problems(scored_rows(rows.limit(FIRST), work), work.problem)
    if not few or not _all_raised(few):
        return
    problems = _problems(scored_rows(rows, work), work.problem)
    if _all_raised(problems):
        raised = next(problem for problem in problems if not problem.startswith(_OWN))
        raise DataError(f"{what} failed: the model raised on every row, {raised}")


def _all_raised(problems: Mapping[str, int]) -> bool:
    """Whether each row has a problem, and one that the model raised at least once."""
    return all(problems) and not all(problem.startswith(_OWN) for problem in problems)


def _problems(scored: DataFrame, problem: str) -> dict[str, int]:
    """Rows by problem, "" for none: the most frequent ones, and the others under one name."""
    from pyspark.sql import functions as f

    counted = scored.groupBy(column_of(problem).alias("problem")).agg(f.count(f.lit(1)).alias("rows"))
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
