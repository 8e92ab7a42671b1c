"""A model whose loader for ``mlflow.pyfunc`` is ours, as the loader of its own flavor reads it."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["INNER", "InnerModel"]

#: In MLflow's description of such a model: which loader its flavor named, and of what it reads.
INNER = "sparkml_inner"


class InnerModel:
    """A model as its own flavor loads it for ``mlflow.pyfunc``.

    Args:
        folder: of the model.
        inner: what the flavor said before the loader became ours.
    """

    def __init__(self, folder: Path, inner: Mapping[str, Any]) -> None:
        # A loader may look into MLflow's description for what is its own.
        data = inner.get("data")
        self._model: Any = importlib.import_module(inner["loader_module"])._load_pyfunc(  # noqa: SLF001 - MLflow's name
            str(folder / data if data else folder)
        )

    def predict(self, rows: Any) -> Any:
        """What the model gives for rows that have all its features."""
        return self._model.predict(rows)

    def get_raw_model(self) -> Any:
        """As MLflow's wrapper has it."""
        return self._model.get_raw_model()
