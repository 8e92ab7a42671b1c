"""The rows that are counted: their window, slices, columns, score and label; and the bins of the columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any

from pyspark.errors import PySparkException

from sparkml_track.errors import DataError
from sparkml_track.monitoring._counting import slots, worker
from sparkml_track.monitoring._counting.cuts import frequent, number_cuts, text_cuts
from sparkml_track.monitoring._counting.labels import LABEL, with_labels
from sparkml_track.monitoring._counting.places import Cuts
from sparkml_track.monitoring._counting.windows import column_named, equals_any, name_windows, tag_window
from sparkml_track.monitoring._spec import CLASSIFICATION, Monitoring
from sparkml_track.refs import TableRef
from sparkml_track.tables import Tables

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

__all__ = ["Prepared", "prepared", "translated"]

# Names of our own: those of the user's columns may be anything, these as well.
_WINDOW, _SCORE, _LABEL, _GROUP = "window", "score", "label", "group"
_SAMPLE = 50_000  # rows that bins are taken from; the counts are of all rows
_NUMERIC = frozenset({"boolean", "tinyint", "smallint", "int", "bigint", "float", "double", "decimal"})
_INFINITE = float("inf")


@dataclass(frozen=True, slots=True)
class Prepared:
    """Rows, ready to be counted.

    Attributes:
        rows: window, slicings, columns by their place, score, and where they are known label and group.
        cuts: bins by column.
        slicings: the values of each that are told apart, by name; None for a condition.
        work: what is counted.
    """

    rows: DataFrame
    cuts: Mapping[str, Cuts]
    slicings: Mapping[str, tuple[str, ...] | None]
    work: worker.Pass


@contextmanager
def translated() -> Iterator[None]:
    """What Spark raises is said in a sentence."""
    try:
        yield
    except PySparkException as error:
        raise DataError(f"the rows could not be counted: {str(error).strip().splitlines()[0]:.500}") from error


def prepared(spec: Monitoring, tables: Tables) -> Prepared:
    """Looks at the baseline for bins.

    Raises:
        DataError: a column is missing or of a type that cannot be watched, or the baseline is empty.
    """
    floats = _floats(spec, tables)
    chosen = [_chosen(spec, tables, source, floats) for source in spec.sources]
    rows = reduce(lambda one, more: one.unionByName(more), chosen)
    columns = _watched(spec)
    ends, sample = _baseline(spec, rows, len(columns))
    cuts = {name: _cut(sample.column(str(place)), ends, str(place)) for place, name in enumerate(columns)}
    known = (frequent(sample.column(f"s{n}").to_pylist(), spec.slice_values) for n in range(len(spec.slices)))
    slicings = dict(zip(spec.slices, known, strict=True)) | dict.fromkeys(spec.conditions)
    labels = "" if spec.label is None else slots.CLASSES if spec.problem == CLASSIFICATION else slots.NUMBERS
    work = worker.Pass(
        tuple(cuts.values()), tuple(slicings.values()), labels, spec.threshold, ends.get("middle") or 0.0
    )
    return Prepared(rows, cuts, slicings, work)


def _watched(spec: Monitoring) -> dict[str, str | None]:
    """The columns that are watched, and of those that are the length of another one its name."""
    plain: dict[str, str | None] = dict.fromkeys([*spec.columns, spec.score])
    return plain | {f"length({name})": name for name in spec.lengths}


def _floats(spec: Monitoring, tables: Tables) -> frozenset[str]:
    """The columns that one source at least has as floats.

    An endpoint keeps what its model takes. As doubles such numbers lie beside those that they came from, and beside the
    bins that are made of them: all sources are looked at with the digits of a float.
    """
    kinds = (tables.read(source).dtypes for source in spec.sources)
    return frozenset(name for each in kinds for name, kind in each if kind == "float")


def _chosen(spec: Monitoring, tables: Tables, source: TableRef, floats: frozenset[str]) -> DataFrame:
    """The window first, then slicings, then the columns by their place, then score and label."""
    part = tables.read(source)
    kinds = dict(part.dtypes)
    if spec.labels is not None and spec.label is not None:
        part = with_labels(spec.labels, spec.label, part, tables, str(source))
        kinds |= {spec.label: dict(part.dtypes)[LABEL]}
    _check(spec, kinds, str(source))
    columns = [tag_window(spec.windows, kinds[spec.windows.column]).alias(_WINDOW), *_slicings(spec)]
    for place, (name, text) in enumerate(_watched(spec).items()):
        value = _value(name, text, kinds)
        columns.append((value.cast("float").cast("double") if name in floats else value).alias(str(place)))
    columns.append(column_named(spec.score).cast("double").alias(_SCORE))
    if spec.label:
        columns.append(_label(spec, kinds[spec.label]).alias(_LABEL))
    if spec.group:
        columns.append(column_named(spec.group).cast("string").alias(_GROUP))
    return part.select(*columns)


def _slicings(spec: Monitoring) -> Iterator[Column]:
    from pyspark.sql import functions as f

    for place, name in enumerate(spec.slices):
        yield column_named(name).cast("string").alias(f"s{place}")
    for place, condition in enumerate(spec.conditions.values(), start=len(spec.slices)):
        yield f.expr(condition).cast("boolean").cast("string").alias(f"s{place}")


def _value(name: str, text: str | None, kinds: Mapping[str, str]) -> Column:
    from pyspark.sql import functions as f

    if text is not None:
        return f.length(column_named(text)).cast("double")
    column = column_named(name)
    return column if kinds[name] == "string" else column.cast("double")


def _label(spec: Monitoring, kind: str) -> Column:
    from pyspark.sql import functions as f

    assert spec.label is not None
    name = spec.label if spec.labels is None else LABEL
    column = column_named(name)
    if spec.positive is None:
        return column.cast("double")
    return f.when(column.isNotNull(), equals_any(name, kind, [spec.positive], spec.label).cast("double"))


def _check(spec: Monitoring, kinds: Mapping[str, str], what: str) -> None:
    label = [spec.label] if spec.label else []
    names = list(dict.fromkeys([*spec.columns, spec.score, *label]))
    others = [spec.windows.column, *names, *spec.slices, *spec.lengths, *([spec.group] if spec.group else [])]
    wrong = [f"no column {name!r}" for name in dict.fromkeys(others) if name not in kinds]
    wrong += [f"column {name!r} is {kinds[name]}" for name in names if not _fits(spec, name, kinds.get(name, "int"))]
    lengths = [name for name in spec.lengths if kinds.get(name, "string") != "string"]
    wrong += [f"column {name!r} is {kinds[name]}, which has no length of text" for name in lengths]
    if wrong:
        raise DataError(
            f"{what} cannot be watched: {'; '.join(wrong)}. Columns may be numbers, booleans and text; scores are "
            "numbers, and a label that is text needs positive=, the value that counts as 1"
        )


def _fits(spec: Monitoring, name: str, kind: str) -> bool:
    if name == spec.label and name != spec.score and spec.positive is not None:
        return True
    return kind.partition("(")[0] in _NUMERIC or (kind == "string" and name not in (spec.score, spec.label))


def _baseline(spec: Monitoring, rows: DataFrame, columns: int) -> tuple[dict[str, Any], Any]:
    """The ends of the columns in the baseline, and a sample of its rows.

    Bins need no more than a sample: whatever they are, both distributions are counted between the same ones.
    """
    baseline, kinds = rows.where(rows[_WINDOW].startswith("+")), dict(rows.dtypes)
    numbers = [str(place) for place in range(columns) if kinds[str(place)] == "double"]
    ends: Any = baseline.agg(*_ends(numbers, spec.label is not None)).first()
    if not ends["rows"]:
        tags = [row[0] for row in rows.select(_WINDOW).distinct().limit(20).collect()]
        there = sorted(window.label for window in name_windows(tags).values())
        raise DataError(f"no row is in the baseline ({spec.windows}); there are {', '.join(there) or 'no rows at all'}")
    wanted = baseline.drop(_WINDOW, _SCORE, _LABEL, _GROUP)
    sample: Any = wanted.sample(fraction=min(1.0, _SAMPLE / ends["rows"]), seed=0).toArrow()
    if not sample.num_rows:
        sample = wanted.limit(_SAMPLE).toArrow()
    return ends.asDict(), sample


def _ends(places: list[str], labels: bool) -> list[Column]:
    """How many rows there are, the least and the most finite value of columns, the middle of labels; in one pass."""
    from pyspark.sql import functions as f

    # nan is more than infinity to Spark.
    numbers = [*places, *([_LABEL] if labels else [])]
    finite = {place: f.when(f.abs(f.col(place)) < _INFINITE, f.col(place)) for place in numbers}
    lows = [f.min(finite[place]).alias(f"low{place}") for place in places]
    highs = [f.max(finite[place]).alias(f"high{place}") for place in places]
    middle = [f.avg(finite[_LABEL]).alias("middle")] if labels else []
    return [f.count(f.lit(1)).alias("rows"), *lows, *highs, *middle]


def _cut(column: Any, ends: Mapping[str, Any], place: str) -> Cuts:
    if f"low{place}" not in ends:
        return text_cuts(column.to_pylist())
    return number_cuts(column.to_numpy(), ends[f"low{place}"], ends[f"high{place}"])
