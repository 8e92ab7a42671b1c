"""Models that carry their look-ups: logged with them, and asked by them in batches."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from sparkml_track.adapters.spark.errors import translated
from sparkml_track.carried import CarriedFeatures
from sparkml_track.errors import DataError, RegistryError, SpecError
from sparkml_track.features.lookup import FeatureLookup
from sparkml_track.features.online.carrying import lookup_of
from sparkml_track.features.online.function import add_outputs
from sparkml_track.online_stores import on_demand
from sparkml_track.online_stores.functions import loaded
from sparkml_track.refs import DataRef, ModelRef, TableRef
from sparkml_track.registries import SKLEARN, Package, Registry, Run

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

__all__ = ["Logged", "add_carried", "log_model", "model_at"]

_SAMPLE = 5  # rows of the input example
_URI = re.compile(r"models:/(?P<name>[^/@]+)(/(?P<version>[0-9]+)|@(?P<alias>[^/@]+))")
#: Adds one look-up to rows.
LookUp: TypeAlias = "Callable[[DataFrame, FeatureLookup], DataFrame]"


@dataclass(frozen=True, slots=True)
class Logged:
    """What is written with a model.

    Attributes:
        name: of the run.
        registered: the model's.
        experiment: of its run.
        tables: the table versions that were read for the training set.
        method: "predict_proba" or "predict"; None takes the first that the model has.
        params: of its run.
        metrics: of its run.
        requirements: see ``Package``.
        flavor: see ``Package``.
    """

    name: str
    registered: str
    experiment: str
    tables: Mapping[str, TableRef]
    method: str | None = None
    params: Mapping[str, object] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    requirements: Sequence[str] = ()
    flavor: str = SKLEARN


def log_model(
    model: object,
    rows: DataFrame,
    carried: CarriedFeatures,
    registry: Registry,
    what: Logged,
) -> ModelRef:
    """Register a model with what its features are made from.

    Args:
        model: fitted on the columns that it carries.
        rows: of the training set, lazily.
        carried: what it carries.
        registry: where to.
        what: is written with it.

    Raises:
        DataError: Spark failed.
        RegistryError: the model cannot be stored, or the registry failed.
    """
    with translated("the first rows of the training set", DataError):
        # Through Arrow, as batches and endpoints see the columns.
        sample = on_demand.to_pandas(rows.select(*(f"`{name}`" for name in carried.columns)).limit(_SAMPLE).toArrow())
    method = what.method or ("predict_proba" if hasattr(model, "predict_proba") else "predict")
    run = Run(
        kind="model",
        name=what.name,
        experiment=what.experiment,
        params=what.params,
        metrics=what.metrics,
        data=tuple(DataRef(name, f"v{ref.version}", None, ref) for name, ref in what.tables.items()),
        started=time.time(),
    )
    package = Package(model, sample, method, what.requirements, carried, what.flavor)
    return registry.register(what.registered, package, run)


def model_at(uri: str | ModelRef, registry: Registry) -> ModelRef:
    """The version that a URI names now.

    Raises:
        SpecError: it is not such a URI.
        RegistryError: there is no such model, version or alias.
    """
    if isinstance(uri, ModelRef):
        return uri
    found = _URI.fullmatch(uri)
    if not found:
        raise SpecError(f"{uri!r} is not the URI of a model: allowed are models:/NAME/VERSION and models:/NAME@ALIAS")
    if found["version"]:
        return registry.version(found["name"], int(found["version"]))
    ref = registry.alias(found["name"], found["alias"])
    if ref is None:
        raise RegistryError(f"no version of the model {found['name']!r} has the alias {found['alias']!r}")
    return ref


def add_carried(df: DataFrame, carried: CarriedFeatures, look_up: LookUp, *, allow_code: bool = False) -> DataFrame:
    """Add the features that rows lack; those that they have are taken as they are.

    Args:
        df: keys, times, and columns that are features already.
        carried: by a model.
        look_up: adds one look-up.
        allow_code: see ``online_features``.

    Raises:
        DataError: a column is missing or of another type, or a function is not here.
    """
    needed, rows = carried.needed(df.columns), df
    functions = [loaded(each, allow_code=allow_code) for each in needed.functions]
    for lookup in needed.lookups:
        rows = look_up(rows, lookup_of(lookup))
    return add_outputs(rows, functions, {each.output: each.type for each in needed.functions})
