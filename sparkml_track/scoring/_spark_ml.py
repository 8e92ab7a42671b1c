"""Scoring with a model of Spark ML: by its own ``transform``, which needs no Python worker.

Spark ML knows no bad rows: one value that a stage refuses ends the job. So what is known to be refused, an infinite
number or a null where the model takes none, is replaced for the time of the transform by the value of a row that it
takes, and such a row then has its problem in the place of a score. Which nulls are refused is found out by asking.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sparkml_track.adapters.spark.errors import is_spark_error
from sparkml_track.errors import DataError, NotBuilt
from sparkml_track.refs import ModelRef
from sparkml_track.scored import ADDED

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

__all__ = ["SparkWork", "scored_by_spark", "spark_model_of", "spark_work"]

_KEPT = "_sparkml_row"
_NO_NUMBER = "the model gave no number"
_KINDS = {
    "boolean": "boolean",
    "integer": "int",
    "long": "bigint",
    "float": "float",
    "double": "double",
    "string": "string",
}
_EMPTY: Mapping[str, object] = {"boolean": False, "string": ""}


@dataclass(frozen=True)
class SparkWork:
    """What all rows of a job share.

    Attributes:
        model: has ``transform``.
        inputs: names and types of the columns the model takes.
        keep: columns that are carried over.
        constants: names of the last columns to values, the same in each row.
        score: name of the column of scores.
        problem: name of the column of problems.
        output: the column of the model that has them.
        is_vector: whether that is one of probabilities.
        width: numbers of a score; more than one are a list.
        base: values of a row that the model takes, by column; None where there is none, so that it is not asked.
        refused: columns of which it takes no null.
    """

    model: Any
    inputs: Sequence[tuple[str, str]]
    keep: Sequence[str]
    constants: Mapping[str, Any]
    score: str
    problem: str
    output: str
    is_vector: bool
    width: int
    base: Mapping[str, object] | None
    refused: frozenset[str]


def spark_model_of(fitted: object) -> Any:
    """The model of Spark ML that MLflow has wrapped; None for any other."""
    raw: Any = None
    with suppress(NotImplementedError, AttributeError):
        raw = fitted.get_raw_model()  # type: ignore[attr-defined]
    is_spark = any(kind.__module__.startswith("pyspark.ml") for kind in type(raw).__mro__)
    return raw if is_spark and hasattr(raw, "transform") else None


def spark_work(
    model: Any, rows: DataFrame, inputs: Sequence[tuple[str, str]], names: Mapping[str, Any], ref: ModelRef
) -> SparkWork:
    """A model made ready.

    Args:
        model: of Spark ML.
        rows: that it is to score, of which one is looked for that it takes.
        inputs: names and types of its columns.
        names: the fields of ``SparkWork`` about columns that are kept and added.
        ref: its name and version.

    Raises:
        NotBuilt: a stage leaves rows out.
        DataError: it gives no prediction, or raises on a whole row.
    """
    stages = list(_stages(model))
    for stage in stages:
        if getattr(stage, "getHandleInvalid", str)() == "skip":
            raise NotBuilt(
                f"{ref} leaves rows out (handleInvalid of {type(stage).__name__} is 'skip'), and every row is to have "
                "a score or a reason: fit it with 'keep' or 'error'"
            )
    base, is_whole = _base(rows, inputs)
    if not is_whole and not _takes(model, _frame(rows, inputs, [base]), 1):
        every = frozenset(name for name, _ in inputs)
        return SparkWork(model, tuple(inputs), **names, **_unasked(stages[-1]), base=None, refused=every)
    output, is_vector, width = _output(stages[-1], _gives(model, rows, inputs, base, ref), ref)
    refused = _refused(model, rows, inputs, base)
    return SparkWork(
        model, tuple(inputs), output=output, is_vector=is_vector, width=width, base=base, refused=refused, **names
    )


def _stages(model: Any) -> Iterator[Any]:
    """The stages of a model, those inside its stages and of the model that a search chose too, in their order."""
    inner = [*getattr(model, "stages", ()), *filter(None, [getattr(model, "bestModel", None)])]
    for each in inner:
        yield from _stages(each)
    if not inner:
        yield model


def _unasked(last: Any) -> dict[str, Any]:
    """Of a model that cannot be asked, as where there are no rows, what its last stage says it would give."""
    classes = int(getattr(last, "numClasses", 2))
    return {"output": "", "is_vector": False, "width": 1 if classes <= 2 else classes}


def scored_by_spark(rows: DataFrame, work: SparkWork) -> DataFrame:
    """Rows with the columns that scoring adds; nothing is computed before it is used."""
    from pyspark.ml.functions import vector_to_array
    from pyspark.sql import functions as f

    problem = _problem(work)
    # The model's own columns may have the names of those that are kept: they travel apart, by place.
    own = [_column(name).alias(str(place)) for place, name in enumerate(work.keep)]
    kept = f.struct(*own, problem.alias("problem"))
    if work.base is None:
        made, numbers = rows.select(kept.alias(_KEPT)), f.lit(None).cast("array<double>")
    else:
        made = work.model.transform(rows.select(kept.alias(_KEPT), *_asked(work, work.base, problem)))
        output = _column(work.output)
        numbers = vector_to_array(output) if work.is_vector else f.array(output.cast("double"))
    bad = f.exists(numbers, lambda each: each.isNull() | f.isnan(each) | (f.abs(each) == f.lit(float("inf"))))
    why = f.coalesce(f.col(f"{_KEPT}.problem"), f.when(numbers.isNull() | bad, f.lit(_NO_NUMBER)))
    score = numbers if work.width > 1 else f.element_at(numbers, -1)
    return made.select(
        *(f.col(f"{_KEPT}.`{place}`").alias(name) for place, name in enumerate(work.keep)),
        f.when(why.isNull(), score).alias(work.score),
        why.alias(work.problem),
        *(
            f.lit(value.as_py()).cast(kind).alias(name)
            for (name, value), kind in zip(work.constants.items(), list(ADDED.values())[2:], strict=True)
        ),
    )


def _asked(work: SparkWork, base: Mapping[str, object], problem: Column) -> list[Column]:
    """What the model is asked: in a bad row the holes have the values of a good one."""
    from pyspark.sql import functions as f

    bad = problem.isNotNull()
    return [
        f.when(bad & _is_hole(name, kind), f.lit(base[name])).otherwise(_column(name)).cast(_KINDS[kind]).alias(name)
        for name, kind in work.inputs
    ]


def _problem(work: SparkWork) -> Column:
    """Why a row cannot be asked for; null where it can. The last column counts, as in Python workers."""
    from pyspark.sql import functions as f

    inputs = list(reversed(work.inputs))
    said = [f.when(_is_infinite(name), f.lit(f"infinite {name}")) for name, kind in inputs if _is_float(kind)]
    said += [f.when(_is_null(name, kind), f.lit(f"null in {name}")) for name, kind in inputs if name in work.refused]
    return f.coalesce(f.lit(None).cast("string"), *said)


def _is_hole(name: str, kind: str) -> Column:
    return _is_null(name, kind) | _is_infinite(name) if _is_float(kind) else _is_null(name, kind)


def _is_null(name: str, kind: str) -> Column:
    from pyspark.sql import functions as f

    column = _column(name)
    return column.isNull() | f.isnan(column.cast("double")) if _is_float(kind) else column.isNull()


def _is_infinite(name: str) -> Column:
    from pyspark.sql import functions as f

    return f.coalesce(f.abs(_column(name).cast("double")) == f.lit(float("inf")), f.lit(False))


def _is_float(kind: str) -> bool:
    return kind in {"float", "double"}


def _column(name: str) -> Column:
    from pyspark.sql import functions as f

    return f.col("`" + name.replace("`", "``") + "`")


def _base(rows: DataFrame, inputs: Sequence[tuple[str, str]]) -> tuple[dict[str, object], bool]:
    """The first row without holes, and that it is one; else what the first row has, with fillers for its holes."""
    whole = rows.select(*(_column(name).cast(_KINDS[kind]).alias(name) for name, kind in inputs))
    complete = whole
    for name, kind in inputs:
        complete = complete.where(~_is_hole(name, kind))
    found = complete.first()
    if found is not None:
        return found.asDict(), True
    # No row is whole: of each column the first value that is none of its holes.
    from pyspark.sql import functions as f

    firsts = [
        f.first(f.when(~_is_hole(name, kind), f.col(name)), ignorenulls=True).alias(name) for name, kind in inputs
    ]
    values = whole.select(*firsts).first()
    some = values.asDict() if values is not None else {}
    return {name: _EMPTY.get(kind, 0) if _hole(some.get(name)) else some[name] for name, kind in inputs}, False


def _hole(value: object) -> bool:
    return value is None or (isinstance(value, float) and not abs(value) < float("inf"))


def _frame(rows: DataFrame, inputs: Sequence[tuple[str, str]], values: Sequence[Mapping[str, object]]) -> DataFrame:
    from pyspark.sql.types import StructType, _parse_datatype_string

    schema = StructType()
    for name, kind in inputs:
        schema.add(name, _parse_datatype_string(_KINDS[kind]))
    plain = [tuple(_typed(each[name], kind) for name, kind in inputs) for each in values]
    return rows.sparkSession.createDataFrame(plain, schema)


def _typed(value: Any, kind: str) -> object:
    return float(value) if _is_float(kind) and value is not None else value


def _gives(
    model: Any, rows: DataFrame, inputs: Sequence[tuple[str, str]], base: Mapping[str, object], ref: ModelRef
) -> dict[str, object]:
    """What the model gives for the row that it should take."""
    made = model.transform(_frame(rows, inputs, [base])).first()
    if made is None:
        raise NotBuilt(f"{ref} leaves rows out, and every row is to have a score or a reason: fit it without that")
    given: dict[str, object] = made.asDict()
    return given


def _output(last: Any, given: Mapping[str, Any], ref: ModelRef) -> tuple[str, bool, int]:
    """The column of the scores, whether it is one of probabilities, and how many numbers a score has."""
    probability = getattr(last, "getProbabilityCol", lambda: "probability")()
    size = getattr(given.get(probability), "size", None)
    if size is not None:
        return probability, True, 1 if int(size) <= 2 else int(size)
    prediction = getattr(last, "getPredictionCol", lambda: "prediction")()
    value = given.get(prediction)
    if isinstance(value, bool | int | float):
        return prediction, False, 1
    raise DataError(
        f"{ref} gives no column {probability!r} of probabilities and no column {prediction!r} of numbers; it gives "
        f"{', '.join(given)}"
    )


def _refused(
    model: Any, rows: DataFrame, inputs: Sequence[tuple[str, str]], base: Mapping[str, object]
) -> frozenset[str]:
    """The columns of which the model takes no null: asked for all at once, and one by one if it refuses any."""
    holed = {name: dict(base) | {name: None} for name, _ in inputs}
    if _takes(model, _frame(rows, inputs, list(holed.values())), len(holed)):
        return frozenset()
    return frozenset(name for name, row in holed.items() if not _takes(model, _frame(rows, inputs, [row]), 1))


def _takes(model: Any, asked: DataFrame, count: int) -> bool:
    try:
        return len(model.transform(asked).collect()) == count
    except Exception as error:
        if not is_spark_error(error):
            raise
        return False
