"""A model whose loader for ``mlflow.pyfunc`` is ours, as the loader of its own flavor reads it."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["INNER", "inner_model"]

#: In MLflow's description of such a model: which loader its flavor named, and of what it reads.
INNER = "sparkml_inner"


def inner_model(folder: Path, python_function: Mapping[str, Any]) -> Any:
    """The model, with ``predict`` for rows that have all its features; nothing of it is this package's.

    Args:
        folder: of the model.
        python_function: what MLflow's description says under this name.
    """
    from mlflow.utils.model_utils import _add_code_from_conf_to_system_path

    inner = python_function[INNER]
    _add_code_from_conf_to_system_path(str(folder), dict(python_function))
    loader: Any = importlib.import_module(inner["loader_module"])
    return loader._load_pyfunc(str(folder / inner["data"] if inner.get("data") else folder))  # noqa: SLF001
