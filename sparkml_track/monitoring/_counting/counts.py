"""Rows to counts: bins from a sample of the baseline, then one pass over all rows on Spark."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial, reduce
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pyspark.errors import PySparkException

from sparkml_track.adapters.spark.by_value import sent_by_value
from sparkml_track.errors import DataError
from sparkml_track.monitoring._counting import worker as _worker
from sparkml_track.monitoring._counting.cuts import number_cuts, text_cuts
from sparkml_track.monitoring._counting.windows import Window, column_named, equals_any, name_windows, tag_window
from sparkml_track.monitoring._counting.worker import Cuts
from sparkml_track.monitoring._spec import Monitoring
from sparkml_track.refs import TableRef
from sparkml_track.tables import Tables

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

__all__ = ["Counted", "Sums", "Window", "count", "counted"]

# Names of our own: those of the user's columns may be anything, these as well.
_WINDOW, _SCORE, _LABEL = "window", "score", "label"
_SAMPLE = 50_000  # rows that bins are taken from; the counts are of all rows
_NUMERIC = frozenset({"boolean", "tinyint", "smallint", "int", "bigint", "float", "double", "decimal"})
_INFINITE = float("inf")


@dataclass(frozen=True, slots=True)
class Sums:
    """What was counted of one column in one window.

    Attributes:
        totals: by slot, from ``-_worker.HEAD``.
        lows: least finite value of each slot, inf if there is none.
        highs: most finite value of each, -inf if there is none.
    """

    totals: NDArray[np.float64]
    lows: NDArray[np.float64]
    highs: NDArray[np.float64]

    def __add__(self, other: Sums) -> Sums:
        lows, highs = np.minimum(self.lows, other.lows), np.maximum(self.highs, other.highs)
        return Sums(self.totals + other.totals, lows, highs)

    @property
    def bins(self) -> NDArray[np.float64]:
        """Counts."""
        return self.totals[_worker.HEAD :]

    def total(self, slot: int) -> float:
        """The sum in a slot."""
        return float(self.totals[slot + _worker.HEAD])

    def range(self, slot: int) -> tuple[float, float]:
        """The least and the most value of a slot."""
        return float(self.lows[slot + _worker.HEAD]), float(self.highs[slot + _worker.HEAD])


@dataclass(frozen=True, slots=True)
class Counted:
    """All counts of a job.

    Attributes:
        windows: window to column to sums.
        quality: window to scores by label; empty without a label.
        cuts: bins by column.
    """

    windows: Mapping[Window, Mapping[str, Sums]]
    quality: Mapping[Window, Sums]
    cuts: Mapping[str, Cuts]


def count(spec: Monitoring, tables: Tables) -> Counted:
    """Counts all rows of the sources.

    Raises:
        DataError: a column is missing or of a type that cannot be watched, or the baseline is empty.
    """
    with _translated():
        rows = _rows(spec, tables)
        cuts = _cuts(spec, rows)
        return counted(cuts, _summed(rows, _worker.Pass(tuple(cuts.values()), spec.label is not None)))


def counted(cuts: Mapping[str, Cuts], found: Any) -> Counted:
    """Counts from the sums of the pass, a pandas data frame with one row for each window, column and slot."""
    names, tags = list(cuts), name_windows(found["window"])
    windows: dict[Window, dict[str, Sums]] = {window: {} for window in tags.values()}
    quality: dict[Window, Sums] = {}
    for (tag, place), group in found.groupby(["window", "column"]):
        if place == _worker.QUALITY:
            quality[tags[tag]] = _sums(group, 2 * _worker.SCORE_BINS)
        else:
            windows[tags[tag]][names[place]] = _sums(group, cuts[names[place]].bins)
    return Counted(windows, quality, cuts)


def _sums(group: Any, bins: int) -> Sums:
    size, at = _worker.HEAD + bins, group["slot"].to_numpy() + _worker.HEAD
    sums = Sums(np.zeros(size), np.full(size, _INFINITE), np.full(size, -_INFINITE))
    sums.totals[at], sums.lows[at], sums.highs[at] = (group[name].to_numpy() for name in ("total", "low", "high"))
    return sums


def _watched(spec: Monitoring) -> list[str]:
    return list(dict.fromkeys([*spec.columns, spec.score]))


def _rows(spec: Monitoring, tables: Tables) -> DataFrame:
    chosen = [_chosen(spec, tables.read(source), source) for source in spec.sources]
    return reduce(lambda rows, more: rows.unionByName(more), chosen)


def _chosen(spec: Monitoring, part: DataFrame, source: TableRef) -> DataFrame:
    """The window first, then the columns by their place, then score and label."""
    kinds = dict(part.dtypes)
    _check(spec, kinds, str(source))
    columns = [tag_window(spec.windows, kinds[spec.windows.column]).alias(_WINDOW)]
    for place, name in enumerate(_watched(spec)):
        column = column_named(name)
        columns.append((column if kinds[name] == "string" else column.cast("double")).alias(str(place)))
    if spec.label:
        label = _label(spec, kinds[spec.label])
        columns += [column_named(spec.score).cast("double").alias(_SCORE), label.alias(_LABEL)]
    return part.select(*columns)


def _label(spec: Monitoring, kind: str) -> Column:
    from pyspark.sql import functions as f

    assert spec.label is not None
    column = column_named(spec.label)
    if spec.positive is None:
        return column.cast("double")
    return f.when(column.isNotNull(), equals_any(spec.label, kind, [spec.positive]).cast("double"))


def _check(spec: Monitoring, kinds: Mapping[str, str], what: str) -> None:
    label = [spec.label] if spec.label else []
    names = list(dict.fromkeys([*_watched(spec), *label]))
    wrong = [f"no column {name!r}" for name in (spec.windows.column, *names) if name not in kinds]
    wrong += [f"column {name!r} is {kinds[name]}" for name in names if not _fits(spec, name, kinds.get(name, "int"))]
    if wrong:
        raise DataError(
            f"{what} cannot be watched: {'; '.join(wrong)}. Columns may be numbers, booleans and text; scores are "
            "numbers, and a label that is text needs positive=, the value that counts as 1"
        )


def _fits(spec: Monitoring, name: str, kind: str) -> bool:
    if name == spec.label and name != spec.score and spec.positive is not None:
        return True
    return kind.partition("(")[0] in _NUMERIC or (kind == "string" and name not in (spec.score, spec.label))


def _cuts(spec: Monitoring, rows: DataFrame) -> dict[str, Cuts]:
    baseline = rows.where(rows[_WINDOW].startswith("+"))
    names, kinds = _watched(spec), dict(rows.dtypes)
    ends = baseline.agg(*_ends([str(place) for place in range(len(names)) if kinds[str(place)] == "double"])).first()
    assert ends is not None
    if not ends["rows"]:
        tags = [row[0] for row in rows.select(_WINDOW).distinct().limit(20).collect()]
        there = sorted(window.label for window in name_windows(tags).values())
        raise DataError(f"no row is in the baseline ({spec.windows}); there are {', '.join(there) or 'no rows at all'}")
    # Bins need no more than a sample: whatever they are, both distributions are counted between the same ones.
    sample: Any = baseline.sample(fraction=min(1.0, _SAMPLE / ends["rows"]), seed=0).toArrow()
    if not sample.num_rows:
        sample = baseline.limit(_SAMPLE).toArrow()
    return {name: _cut(sample.column(str(place)), ends.asDict(), str(place)) for place, name in enumerate(names)}


def _ends(places: list[str]) -> list[Column]:
    """How many rows there are, and the least and the most finite value of columns; one pass for all."""
    from pyspark.sql import functions as f

    # nan is more than infinity to Spark.
    finite = {place: f.when(f.abs(f.col(place)) < _INFINITE, f.col(place)) for place in places}
    lows = [f.min(column).alias(f"low{place}") for place, column in finite.items()]
    highs = [f.max(column).alias(f"high{place}") for place, column in finite.items()]
    return [f.count(f.lit(1)).alias("rows"), *lows, *highs]


def _cut(column: Any, ends: Mapping[str, Any], place: str) -> Cuts:
    if f"low{place}" not in ends:
        return text_cuts(column.to_pylist())
    return number_cuts(column.to_numpy(), ends[f"low{place}"], ends[f"high{place}"])


def _summed(rows: DataFrame, work: _worker.Pass) -> Any:
    from pyspark.sql import functions as f

    schema = "window string, column int, slot int, total double, low double, high double"
    with sent_by_value(_worker):
        parts = rows.mapInArrow(partial(_worker.count_batches, work), schema)
    sums = parts.groupBy("window", "column", "slot")
    return sums.agg(f.sum("total").alias("total"), f.min("low").alias("low"), f.max("high").alias("high")).toPandas()


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except PySparkException as error:
        raise DataError(f"the rows could not be counted: {str(error).strip().splitlines()[0]:.500}") from error
