"""The two data steps of the main job: raw tables, then feature tables and a training set.

A project gives two functions, named in its config as ``package.module:function``: one that reads its data
(``Source``), one that builds its features (``Builder``). What is common is here.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from sparkml_track.adapters.spark.errors import translated
from sparkml_track.carried import CarriedFeatures
from sparkml_track.errors import DataError
from sparkml_track.features.online.carrying import carried_features
from sparkml_track.features.store import FeatureStore
from sparkml_track.features.training_set import TrainingSet
from sparkml_track.refs import TableRef
from sparkml_track.tables import TableExpectations, Tables

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession

__all__ = ["Builder", "BuiltTrainingSet", "RawTable", "Source", "build", "prepare"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RawTable:
    """One table of a project's data.

    Attributes:
        data: its rows.
        expect: what must hold, or nothing is written.
        description: for people.
    """

    data: DataFrame | pa.Table
    expect: TableExpectations
    description: str = ""


#: Reads a project's data: name to table, with the session.
Source: TypeAlias = "Callable[[SparkSession], Mapping[str, RawTable]]"
#: Builds a project's feature tables and its training set.
Builder: TypeAlias = Callable[[FeatureStore], TrainingSet]


@dataclass(frozen=True, slots=True)
class BuiltTrainingSet:
    """A training set that was written.

    Attributes:
        ref: where.
        tables: every table version it was built from, by name.
        label: the column to predict.
        features: the columns to predict from.
        keys: the columns that name a row.
        dropped: reason to number of rows left out.
        carried: by what its columns were looked up and computed, for models that carry it; None where nobody asked.
    """

    ref: TableRef
    tables: Mapping[str, TableRef]
    label: str
    features: tuple[str, ...]
    keys: tuple[str, ...]
    dropped: Mapping[str, int] = field(default_factory=dict)
    carried: CarriedFeatures | None = None


def prepare(spark: SparkSession, tables: Tables, source: Source) -> dict[str, TableRef]:
    """Write a project's raw tables, each as a new version.

    Args:
        spark: given to the source.
        tables: where.
        source: the project's function.

    Raises:
        DataError: the source gave nothing or failed in Spark, or a table is not as it says itself.
    """
    with translated(f"reading the data with {_named(source)}", DataError):
        given = source(spark)
    if not given:
        raise DataError("the source gave no table: it must return a mapping of names to RawTable")
    refs = {}
    for name, raw in given.items():
        refs[name] = tables.write(name, raw.data, mode="overwrite", expect=raw.expect, description=raw.description)
        _log.info("wrote %s", refs[name])
    return refs


def build(
    tables: Tables, builder: Builder, name: str, description: str = "", *, carry: bool = False
) -> BuiltTrainingSet:
    """Build a project's features and write its training set as a new version.

    Args:
        tables: with a session; the raw tables are there.
        builder: the project's function.
        name: of the training set's table.
        description: for people.
        carry: whether models are to carry its look-ups.

    Raises:
        DataError: the builder failed in Spark, the training set is empty, its keys are null or repeat, or it was not
            made by look-ups though models are to carry them.
        SpecError: a function cannot be carried.
    """
    with translated(f"building features with {_named(builder)}", DataError):
        made = builder(FeatureStore(tables))
    carried = _carried(made) if carry else None
    expect = TableExpectations(keys=made.keys, min_rows=1)
    ref = tables.write(name, made.load_df(), mode="overwrite", expect=expect, description=description)
    for reason, rows in made.dropped.items():
        _log.info("%s: left out %d rows: %s", ref, rows, reason)
    _log.info("wrote %s with %d features from %s", ref, len(made.features), ", ".join(map(str, made.tables.values())))
    return BuiltTrainingSet(ref, made.tables, made.label, made.features, made.keys, made.dropped, carried)


def _carried(made: TrainingSet) -> CarriedFeatures:
    if made.origin is None or not made.origin.lookups:
        raise DataError(
            "models are to carry their look-ups, and the training set has none: make it by create_training_set with "
            "FeatureLookup, or leave register.look_ups out"
        )
    there = set(made.origin.rows.columns)
    return carried_features(made.origin, [name for name in made.df.columns if name in there])


def _named(function: object) -> str:
    return f"{getattr(function, '__module__', '?')}:{getattr(function, '__qualname__', function)}"
