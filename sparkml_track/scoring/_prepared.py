"""One model version made ready for rows of one shape, and the rows with its scores."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from sparkml_track.errors import DataError, RegistryError
from sparkml_track.refs import ModelRef
from sparkml_track.registries import Registry, Signature
from sparkml_track.scored import ADDED, free_names
from sparkml_track.scoring import _worker
from sparkml_track.scoring._drift import check_columns
from sparkml_track.scoring._numbers import numbers_of
from sparkml_track.scoring._shipping import by_value, pack
from sparkml_track.scoring._spark_ml import SparkWork, scored_by_spark, spark_model_of, spark_work

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

__all__ = ["FIRST", "Asked", "Work", "chosen", "column_of", "pinned", "prepared", "scored_rows"]

#: A version made ready: for Python workers, or for Spark itself.
Work: TypeAlias = _worker.Work | SparkWork
FIRST = 100  # rows that a model is tried on before anything is written


class Asked(Protocol):
    """What any kind of scoring says."""

    @property
    def model(self) -> str: ...
    @property
    def alias(self) -> str: ...
    @property
    def version(self) -> int | None: ...
    @property
    def where(self) -> Mapping[str, Sequence[object]]: ...
    @property
    def keep(self) -> Sequence[str]: ...


def pinned(asked: Asked, registry: Registry) -> ModelRef:
    """The version that is asked for now.

    Raises:
        RegistryError: there is none.
    """
    if asked.version is not None:
        return registry.version(asked.model, asked.version)
    model = registry.alias(asked.model, asked.alias)
    if model is None:
        raise RegistryError(
            f"no version of the model {asked.model!r} has the alias {asked.alias!r}; register one, or name a version"
        )
    return model


def chosen(rows: DataFrame, asked: Asked, what: str, *columns: str) -> DataFrame:
    """The rows that are asked for.

    Raises:
        DataError: a column is not there: of those asked for, or of ``columns``.
    """
    unknown = sorted({*asked.where, *asked.keep, *columns} - set(rows.columns))
    if unknown:
        raise DataError(f"{what} has no column {', '.join(unknown)}; it has {', '.join(rows.columns)}")
    for name, values in asked.where.items():
        rows = rows.where(_is_one_of(name, values))
    return rows


def prepared(asked: Asked, rows: DataFrame, model: ModelRef, registry: Registry, what: str) -> tuple[Work, list[str]]:
    """A version, checked and packed, for rows of this shape; and the names of the numbers it gives.

    Raises:
        RegistryError: its files are not what was registered.
        DataError: the rows lack a column of the model or have it in another type.
        NotBuilt: a model with several outputs of which one has more than two classes, of more than 256 MB, or of Spark
            ML that leaves rows out.
    """
    signature = registry.signature(model)
    check_columns(signature, dict(rows.dtypes), what)
    fitted = registry.load(model)
    spark_model = spark_model_of(fitted)
    if spark_model is not None:
        work = spark_work(spark_model, rows, _inputs(signature), _columns(asked, rows, model), model)
        return work, [model.name] if work.width == 1 else [str(place) for place in range(work.width)]
    numbers = numbers_of(fitted, signature, model, lambda: _first_rows(rows, signature))
    return _work(asked, rows, signature, pack(fitted, model), model, len(numbers)), numbers


def column_of(name: str) -> Column:
    """The column of exactly this name; Spark reads a dot in a plain name as a field of a struct."""
    from pyspark.sql import functions as f

    return f.col("`" + name.replace("`", "``") + "`")


def _is_one_of(name: str, values: Sequence[object]) -> Column:
    column, some = column_of(name), [value for value in values if value is not None]
    found = column.isin(some)
    return found | column.isNull() if len(some) < len(values) else found


def _first_rows(rows: DataFrame, signature: Signature) -> Any:
    """A few rows as the model takes them, on the driver."""
    return rows.select(*(column_of(each.name) for each in signature.inputs)).limit(FIRST).toPandas()


def _work(
    asked: Asked, rows: DataFrame, signature: Signature, blob: bytes, model: ModelRef, width: int
) -> _worker.Work:
    columns, inputs = _columns(asked, rows, model), _inputs(signature)
    return _worker.Work(
        blob,
        hashlib.sha256(blob).hexdigest(),
        signature.method,
        inputs,
        tuple(name for name in rows.columns if name in {*columns["keep"], *dict(inputs)}),
        width=width,
        **columns,
    )


def _inputs(signature: Signature) -> list[tuple[str, str]]:
    return [(each.name, each.type) for each in signature.inputs]


def _columns(asked: Asked, rows: DataFrame, model: ModelRef) -> dict[str, Any]:
    """What is kept of the rows, and the names and values of what is added."""
    import pyarrow as pa

    names = free_names(asked.keep or rows.columns)
    constants = {
        "model_name": pa.scalar(model.name),
        "model_version": pa.scalar(model.version),
        "run_id": pa.scalar(model.run_id),
        "scored_at": pa.scalar(datetime.now(UTC), pa.timestamp("us", "UTC")),
    }
    return {
        "keep": tuple(asked.keep) or tuple(rows.columns),
        "constants": {names[name]: value for name, value in constants.items()},
        "score": names["score"],
        "problem": names["problem"],
    }


def scored_rows(rows: DataFrame, work: Work) -> DataFrame:
    """Rows with the columns that scoring adds; nothing is computed before it is used."""
    if isinstance(work, SparkWork):
        return scored_by_spark(rows, work)
    from pyspark.sql.types import ArrayType, DoubleType, StructType

    schema = StructType([rows.schema[name] for name in work.keep])
    for name, kind in zip((work.score, work.problem, *work.constants), ADDED.values(), strict=True):
        schema.add(name, ArrayType(DoubleType()) if name == work.score and work.width > 1 else kind)
    # Spark looks columns up by name on the way to Python, and a dot would be a field: it gets them by place.
    needed = [column_of(name).alias(str(place)) for place, name in enumerate(work.columns)]
    with by_value():
        return rows.select(*needed).mapInArrow(partial(_worker.score_batches, work), schema)
