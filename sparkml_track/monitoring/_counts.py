"""Rows to counts: bin edges from a sample of the baseline, then one pass over all rows on Spark."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial, reduce
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pyspark import cloudpickle
from pyspark.errors import PySparkException

from sparkml_track.errors import DataError
from sparkml_track.monitoring import _worker
from sparkml_track.monitoring._spec import EVERY, ByTime, ByValue, Monitoring
from sparkml_track.tables import Tables

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

__all__ = ["Counted", "Sums", "Window", "count"]

_WINDOW = "window"
_FINE = 100  # bins of each column, by equal counts of the baseline
_SAMPLE = 50_000  # rows that edges are taken from; the counts are of all rows
_NUMERIC = frozenset({"boolean", "tinyint", "smallint", "int", "bigint", "float", "double"})


@dataclass(frozen=True, slots=True)
class Sums:
    """What was counted of one column in one window.

    Attributes:
        head: the three sums below slot 0, by slot (-1, -2, -3).
        bins: counts.
        low: least value, inf if there is none.
        high: most value, -inf if there is none.
    """

    head: Mapping[int, float]
    bins: NDArray[np.float64]
    low: float
    high: float

    def __add__(self, other: Sums) -> Sums:
        head = {slot: value + other.head[slot] for slot, value in self.head.items()}
        return Sums(head, self.bins + other.bins, min(self.low, other.low), max(self.high, other.high))


class Window(NamedTuple):
    """The rows of one label, in the baseline or not."""

    label: str
    in_baseline: bool


@dataclass(frozen=True, slots=True)
class Counted:
    """All counts of a job.

    Attributes:
        windows: window to column to sums; the column ``_worker.QUALITY`` holds scores by label.
        edges: inner bin edges by column.
        shifts: what was taken from values before they were summed.
    """

    windows: Mapping[Window, Mapping[str, Sums]]
    edges: Mapping[str, NDArray[np.float64]]
    shifts: Mapping[str, float]


def count(spec: Monitoring, tables: Tables) -> Counted:
    """Counts all rows of the sources.

    Raises:
        DataError: a column is missing or not numeric, or the baseline is empty.
    """
    rows = _rows(spec, tables)
    with _translated():
        edges = _edges(spec, rows)
        shifts = {name: float(inner[len(inner) // 2]) if len(inner) else 0.0 for name, inner in edges.items()}
        names = (spec.score, spec.label) if spec.label else (None, None)
        found = _summed(rows, _worker.Pass(_WINDOW, edges, shifts, *names))
    windows: dict[Window, dict[str, Sums]] = {}
    for window, column, sums in _read(found, {name: len(inner) + 1 for name, inner in edges.items()}):
        windows.setdefault(Window(window[1:], window[0] == "+"), {})[column] = sums
    return Counted(windows, edges, shifts)


def _rows(spec: Monitoring, tables: Tables) -> DataFrame:
    label = [spec.label] if spec.label else []
    names = list(dict.fromkeys([*spec.columns, spec.score, *label]))
    chosen = []
    for source in spec.sources:
        part = tables.read(source)
        _check(names, spec.windows.column, dict(part.dtypes), str(source))
        window = _window(spec.windows, part[spec.windows.column]).alias(_WINDOW)
        chosen.append(part.select(window, *(part[name].cast("double") for name in names)))
    return reduce(lambda rows, more: rows.unionByName(more), chosen)


def _window(windows: ByTime | ByValue, column: Column) -> Column:
    """The label of a row's window, after "+" in the baseline and "-" outside."""
    from pyspark.sql import functions as f

    if isinstance(windows, ByTime):
        inside = (column >= windows.start) & (column < windows.end)
        label = f.date_format(f.date_trunc(windows.every, column), EVERY[windows.every])
    else:
        inside = column.cast("string").isin([str(value) for value in windows.baseline])
        label = column.cast("string")
    return f.concat(f.when(inside, "+").otherwise("-"), f.coalesce(label, f.lit("null")))


def _check(names: list[str], window: str, columns: Mapping[str, str], what: str) -> None:
    wrong = [f"no column {name!r}" for name in (window, *names) if name not in columns]
    wrong += [f"column {name!r} is {columns[name]}" for name in names if columns.get(name, "int") not in _NUMERIC]
    wrong += [f"column {_WINDOW!r} cannot be watched under that name"] if _WINDOW in names else []
    if wrong:
        raise DataError(f"{what} cannot be watched, numbers and booleans can: {'; '.join(wrong)}")


def _edges(spec: Monitoring, rows: DataFrame) -> dict[str, NDArray[np.float64]]:
    baseline = rows.where(rows[_WINDOW].startswith("+"))
    total = baseline.count()
    if not total:
        there = sorted(str(row[0])[1:] for row in rows.select(_WINDOW).distinct().limit(20).collect())
        raise DataError(f"no row is in the baseline ({spec.windows}); there are {', '.join(there) or 'no rows at all'}")
    # Edges need no more than a sample: whatever they are, both distributions are counted between the same ones.
    sample: Any = baseline.sample(fraction=min(1.0, _SAMPLE / total), seed=0).toArrow()
    if not sample.num_rows:
        sample = baseline.limit(_SAMPLE).toArrow()
    watched = dict.fromkeys([*spec.columns, spec.score])
    return {name: _quantiles(sample.column(name).to_numpy()) for name in watched}


def _quantiles(values: NDArray[np.float64]) -> NDArray[np.float64]:
    finite = values[np.isfinite(values)]
    if not len(finite):
        return np.empty(0)
    # "lower" gives values that occur, so a column of few values gets one bin for each.
    return np.unique(np.quantile(finite, np.arange(1, _FINE) / _FINE, method="lower"))


def _summed(rows: DataFrame, work: _worker.Pass) -> Any:
    from pyspark.sql import functions as f

    schema = "window string, column string, slot int, total double, low double, high double"
    with _by_value():
        parts = rows.mapInArrow(partial(_worker.count_batches, work), schema)
    sums = parts.groupBy("window", "column", "slot")
    return sums.agg(f.sum("total").alias("total"), f.min("low").alias("low"), f.max("high").alias("high")).toPandas()


def _read(found: Any, sizes: Mapping[str, int]) -> Iterator[tuple[str, str, Sums]]:
    for (window, column), group in found.groupby(["window", "column"]):
        bins = np.zeros(sizes.get(column, 2 * _worker.SCORE_BINS))
        inner = group[group["slot"] >= 0]
        bins[inner["slot"].to_numpy()] = inner["total"].to_numpy()
        head = dict.fromkeys((-1, -2, -3), 0.0) | dict(zip(group["slot"], group["total"], strict=True))
        sums = Sums({slot: head[slot] for slot in (-1, -2, -3)}, bins, group["low"].min(), group["high"].max())
        yield str(window), str(column), sums


@contextmanager
def _by_value() -> Iterator[None]:
    """Sends the functions of ``_worker`` themselves, so that workers need nothing of ours installed."""
    cloudpickle.register_pickle_by_value(_worker)  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        cloudpickle.unregister_pickle_by_value(_worker)  # type: ignore[no-untyped-call]


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except PySparkException as error:
        raise DataError(f"the rows could not be counted: {str(error).strip().splitlines()[0]:.500}") from error
