"""The models over the rows of another data frame: rows and models are sorted by key together, the model first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from sparkml_track.errors import SpecError
from sparkml_track.frontdoors._groups import worker
from sparkml_track.frontdoors._groups.staging import is_spark
from sparkml_track.frontdoors._groups.table import keys_of, read_by_spark
from sparkml_track.refs import TableRef

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

__all__ = ["Wanted", "score"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """How rows are scored; see ``predict_groups``."""

    predict: Any
    features: Sequence[str] | None
    output: str
    output_type: str
    missing: str


def score(data: DataFrame, ref: TableRef, wanted: Wanted) -> DataFrame:
    """The rows with a column more, lazily.

    Raises:
        SpecError: what is wrong with data or arguments, one sentence each.
    """
    keys = keys_of(ref)
    problems = _problems(data, keys, wanted)
    if problems:
        raise SpecError(*problems)
    from sparkml_track.adapters.spark.by_value import sent_by_value
    from sparkml_track.adapters.spark.functions import functions_of

    f = functions_of(data)
    by = [_column(f, key) for key in keys]
    both = _with_models(data, keys, read_by_spark(ref, data.sparkSession))
    ordered = both.repartition(*by).sortWithinPartitions(*by, _column(f, worker.RANK))
    predict = wanted.predict or worker.Predict(None if wanted.features is None else tuple(wanted.features))
    scoring = worker.Scoring(tuple(keys), predict, wanted.output, wanted.missing == "error")
    with sent_by_value(worker):
        kind, arrow = _output(data, wanted)
        return ordered.mapInArrow(partial(scoring.score, arrow), kind)


def _problems(data: Any, keys: dict[str, str], wanted: Wanted) -> list[str]:
    if not (is_spark(data) and hasattr(data, "mapInArrow")):
        return [f"the data is a {type(data).__name__}; allowed is a data frame of Spark (spark.createDataFrame(...))"]
    types = {field.name: field.dataType for field in data.schema}
    found = [f"key {key!r} is not a column; there are: {', '.join(types)}" for key in keys if key not in types]
    for key, kind in keys.items():
        name = types[key].jsonValue() if key in types else kind
        if name != kind:
            found.append(f"key {key!r} is {name} here and {kind} in the table of models; cast it")
    found += [f"column {name!r} is there twice; rename one" for name in types if data.columns.count(name) > 1]
    found += [f"feature {name!r} is not a column" for name in wanted.features or () if name not in types]
    if wanted.output.lower() in [name.lower() for name in types]:
        found.append(f"output is {wanted.output!r}, which is a column already; choose another name")
    if wanted.missing not in ("null", "error"):
        found.append(f"missing is {wanted.missing!r}; allowed are 'null' and 'error'")
    if wanted.predict is not None and not callable(wanted.predict):
        found.append(f"predict is {wanted.predict!r}; allowed is a function of a model and a pandas data frame")
    return found


def _with_models(data: DataFrame, keys: dict[str, str], models: DataFrame) -> DataFrame:
    from sparkml_track.adapters.spark.functions import functions_of

    f = functions_of(data)
    nothing = f.lit(None)
    rows = [_column(f, field.name) for field in data.schema]
    rows += [f.lit(1).alias(worker.RANK), nothing.cast("binary").alias(worker.MODEL)]
    rows += [nothing.cast("string").alias(worker.PATH)]
    empty = [
        _column(f, field.name) if field.name in keys else nothing.cast(field.dataType).alias(field.name)
        for field in data.schema
    ]
    empty += [
        f.lit(0).alias(worker.RANK),
        _column(f, "model").alias(worker.MODEL),
        _column(f, "model_path").alias(worker.PATH),
    ]
    return data.select(*rows).unionAll(models.select(*empty))


def _column(f: Any, name: str) -> Any:
    return f.col(f"`{name.replace('`', '``')}`")


def _output(data: DataFrame, wanted: Wanted) -> tuple[Any, bytes]:
    """The schema of what is given, Spark's and Arrow's.

    Raises:
        SpecError: Spark has no such type.
    """
    from pyspark.sql.types import StructType

    from sparkml_track.adapters.spark.errors import translated

    with translated(f"reading output_type {wanted.output_type!r}", SpecError, "allowed is a type such as 'double'"):
        kind = StructType([*data.schema.fields]).add(wanted.output, wanted.output_type)
    empty = data.sparkSession.createDataFrame([], kind).toArrow()
    return kind, empty.schema.serialize().to_pybytes()
