"""How ``mlflow.pyfunc`` loads a model that carries its look-ups: what rows lack is looked up, then the model is asked.

The store is that of ``model_config={"online_store": ...}``, else of the environment variable ``SPARKML_ONLINE_STORE``,
else the folder of the home. It is opened when the first row lacks a feature.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparkml_track.adapters.mlflow.inner import INNER, inner_model
from sparkml_track.errors import DataError
from sparkml_track.online_stores._features import RowFeatures, in_types_of_model, online_features
from sparkml_track.online_stores._open import open_online_store

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["LookupModel"]


class LookupModel:
    """A model that takes keys. Any number of threads may use it.

    Args:
        folder: of the model.
        address: of the online store.
    """

    def __init__(self, folder: Path, address: str) -> None:
        import mlflow.sklearn
        from mlflow.models import Model

        self._folder = folder
        self._address = address
        described: Any = Model.load(str(folder))
        how = described.flavors["python_function"]
        self._model: Any = inner_model(folder, how) if INNER in how else mlflow.sklearn.load_model(str(folder))
        self._method = str(how.get("predict_fn", "predict"))
        self._kinds = {each.name: getattr(each.type, "name", "") for each in described.signature.inputs.inputs}
        self._features: RowFeatures | None = None
        self._lock = threading.Lock()

    def predict(self, rows: pd.DataFrame) -> Any:
        """What the model gives for rows of keys, or of features, or of some of both.

        Args:
            rows: see ``RowFeatures.add``.
        """
        if not hasattr(rows, "columns"):
            raise DataError(f"the model takes a data frame with named columns, got {type(rows).__name__}")
        found, _ = self._adding().add(rows)
        kinds = {name: kind for name, kind in self._kinds.items() if name in found.columns}
        return getattr(self._model, self._method)(in_types_of_model(found, kinds))

    def _adding(self) -> RowFeatures:
        with self._lock:
            if self._features is None:
                self._features = online_features(self._folder, open_online_store(self._address))
            assert self._features is not None, "the model's files changed under it"
            return self._features


def _load_pyfunc(path: str, model_config: Mapping[str, object] | None = None) -> LookupModel:
    """What MLflow calls, with the file of look-ups."""
    address = str((model_config or {}).get("online_store") or os.environ.get("SPARKML_ONLINE_STORE") or "sqlite")
    return LookupModel(Path(path).parent, address)
