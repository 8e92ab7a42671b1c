"""The part of a feature store about features that are served."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from sparkml_track.carried import CarriedLookup
from sparkml_track.errors import DataError
from sparkml_track.features.feature_tables import feature_info
from sparkml_track.features.lookup import FeatureLookup
from sparkml_track.features.online.carrying import carried_features
from sparkml_track.features.online.function import FeatureFunction
from sparkml_track.features.online.models import Logged, add_carried, log_model, model_at
from sparkml_track.features.online.publishing import Published, opened, publish
from sparkml_track.features.online.spec import FeatureSpec, check_features, read_spec, spec_of, write_spec
from sparkml_track.online_stores import OnlineStore
from sparkml_track.refs import ModelRef
from sparkml_track.registries import SKLEARN, Registry
from sparkml_track.scoring import score_frame
from sparkml_track.tables import Tables

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from sparkml_track.features.training_set import TrainingSet

__all__ = ["OnlineFeatures"]


class OnlineFeatures(ABC):
    """What ``FeatureStore`` does for endpoints, and for models that carry their look-ups."""

    tables: Tables

    @abstractmethod
    def look_up(self, df: DataFrame, lookup: FeatureLookup) -> DataFrame:
        """Add the features of one lookup to ``df``; every row stays once."""

    @abstractmethod
    def _carried(self, lookup: FeatureLookup) -> CarriedLookup:
        """The look-up, with what its table says of it."""

    def publish_table(
        self,
        name: str,
        online_store: OnlineStore | str | Path = "sqlite",
        *,
        version: int | None = None,
        max_age: timedelta | None = None,
    ) -> Published:
        """Publish the newest row of each key to an online store.

        Where the store has an earlier version, what changed since then is published; else all rows. Readers see the
        earlier one until all is stored.

        Args:
            name: of the feature table.
            online_store: an open one, which stays open; or an address, as for ``open_online_store``.
            version: of the table; None means the latest one, whatever this store has pinned.
            max_age: rows that have been known for longer are not given out; None for any age. Where the table has no
                timestamp, the age counts from the publication.

        Raises:
            DataError: a type cannot be kept, or Spark failed.
            OnlineStoreError: the store is away or refuses.
            TableError: no such table or version, or it has no primary keys.
        """
        info = feature_info(self.tables, self.tables.pin(name, version))
        with opened(online_store) as store:
            return publish(self.tables, info, store, max_age)

    def create_feature_spec(
        self,
        name: str,
        features: Sequence[FeatureLookup | FeatureFunction],
        *,
        exclude_columns: str | Sequence[str] = (),
    ) -> FeatureSpec:
        """Store look-ups and functions under a name, in the table ``feature_specs``; one of that name is replaced.

        Args:
            name: an identifier.
            features: in the order of ``create_training_set``.
            exclude_columns: outputs that are only needed to compute others.

        Raises:
            DataError: keys or times that do not fit a table, or outputs that are there twice.
            SpecError: a function cannot be stored.
            TableError: no such table, or the storage refused.
        """
        check_features(features)
        lookups = [each for each in features if isinstance(each, FeatureLookup)]
        functions = [each for each in features if isinstance(each, FeatureFunction)]
        excluded = (exclude_columns,) if isinstance(exclude_columns, str) else tuple(exclude_columns)
        spec = FeatureSpec(name, spec_of(self.tables, list(map(self._carried, lookups)), functions, excluded))
        write_spec(self.tables, spec)
        return spec

    def get_feature_spec(self, name: str) -> FeatureSpec:
        """Find a stored spec.

        Raises:
            TableError: there is none of this name.
        """
        return read_spec(self.tables, name)

    def log_model(  # noqa: PLR0913 - keywords, in the words of Databricks
        self,
        model: object,
        name: str,
        *,
        training_set: TrainingSet,
        registry: Registry,
        flavor: ModuleType | None = None,
        registered_model_name: str | None = None,
        experiment: str | None = None,
        method: str | None = None,
        params: Mapping[str, object] | None = None,
        metrics: Mapping[str, float] | None = None,
        requirements: Sequence[str] = (),
    ) -> ModelRef:
        """Register a model that carries the look-ups and functions of its training set.

        They lie beside the model as ``features.json``: ``score_batch`` and endpoints look features up by it, and so
        does ``mlflow.pyfunc.load_model(uri).predict(rows)``, in the online store. The model itself stays as it is, so
        ``registry.load``, scoring of tables that have the features, and the digests of its files know no difference.

        Args:
            model: fitted on the features of the training set, in their order.
            name: of the run.
            training_set: of this store.
            registry: where to.
            flavor: the module of MLflow that stores it, such as ``mlflow.xgboost``. A model of any other than
                ``mlflow.sklearn``, the default, is read where the formats of the registry have "pyfunc".
            registered_model_name: ``name`` by default.
            experiment: of the run; the registered name by default.
            method: "predict_proba" or "predict"; the first that the model has by default.
            params: of the run.
            metrics: of the run.
            requirements: pip requirements of whoever loads it.

        Raises:
            DataError: the training set was not made by look-ups.
            RegistryError: the model cannot be stored by this flavor, or the registry failed.
            SpecError: a function cannot be carried.
        """
        if training_set.origin is None:
            raise DataError("nobody knows how this training set was made: make it with create_training_set")
        carried = carried_features(training_set.origin, training_set.features)
        registered = registered_model_name or name
        names = (name, registered, experiment or registered)
        kind = SKLEARN if flavor is None else flavor.__name__
        what = Logged(*names, training_set.tables, method, params or {}, metrics or {}, requirements, kind)
        return log_model(model, training_set.load_df(), carried, registry, what)

    def score_batch(
        self, model_uri: str | ModelRef, df: DataFrame, *, registry: Registry, allow_code: bool = False
    ) -> DataFrame:
        """Look up what a model needs, as known at each row's time, and score.

        Args:
            model_uri: "models:/NAME/VERSION", "models:/NAME@ALIAS", or a version.
            df: the keys and times of the model's look-ups. A feature that is among its columns is taken as it is.
            registry: where the model is.
            allow_code: whether functions that cannot be imported here may be read from the model's files.

        Returns:
            Lazily, every row once: its columns, the features, and what scoring adds (``scoring.ADDED``).

        Raises:
            DataError: the model carries no look-ups; a column is missing or of another type; a function is not here.
            RegistryError: no such model, or its files are not what was registered.
        """
        ref = model_at(model_uri, registry)
        carried = registry.carried(ref)
        if carried is None:
            raise DataError(f"{ref} carries no look-ups: log it with FeatureStore.log_model, or score a table with it")
        return score_frame(add_carried(df, carried, self.look_up, allow_code=allow_code), ref, registry)
