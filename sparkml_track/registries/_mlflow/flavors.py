"""Models that are not scikit-learn's: written by their flavor of MLflow, asked through its ``predict``."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path
from typing import Any

from sparkml_track.adapters.mlflow.inner import INNER, inner_model
from sparkml_track.adapters.spark.errors import first_line, is_spark_error
from sparkml_track.errors import RegistryError
from sparkml_track.registries._base import Package
from sparkml_track.registries._types import code_of

__all__ = ["save_model", "wrapped"]


def save_model(package: Package, folder: Path, mlflow_model: Any, signature: Any) -> None:
    """Writes the model by its flavor, whatever its first arguments are called.

    Raises:
        RegistryError: there is no such flavor, or its library is not installed.
    """
    flavor = _flavor(package.flavor)
    given: dict[str, Any] = {
        "mlflow_model": mlflow_model,
        "signature": signature,
        "input_example": package.sample,
        "pip_requirements": list(package.requirements) or _requirements(flavor),
        "code_paths": code_of(_modules(type(package.model))) or None,
    }
    formats = "serialization_format" in inspect.signature(flavor.save_model).parameters
    if formats and flavor.__name__ == "mlflow.pytorch":
        given["serialization_format"] = "pickle"  # its other one has no named columns
    if flavor.__name__ == "mlflow.pyfunc":
        flavor.save_model(path=str(folder), python_model=package.model, **given)
    else:
        flavor.save_model(package.model, str(folder), **given)


def wrapped(folder: Path) -> Any:
    """MLflow's wrapper of a model, or what its flavor loads where its features are looked up before it is asked.

    Raises:
        RegistryError: a model of Spark ML, which makes a local session where there is none, and there is no Spark.
    """
    from mlflow.models import Model
    from mlflow.pyfunc import load_model

    flavors = Model.load(str(folder)).flavors
    how = flavors.get("python_function", {})
    try:
        return inner_model(folder, how) if INNER in how else load_model(str(folder))
    except Exception as error:
        if not ("spark" in flavors and (is_spark_error(error) or isinstance(error, ImportError))):
            raise
        raise RegistryError(
            f"it is a model of Spark ML, and there is no Spark here ({first_line(error)}): give the machine Java and "
            "pyspark, or score with it in batches where there is Spark"
        ) from error


def _modules(kind: type) -> list[str]:
    """Where the classes of a model come from that are stored by their names; others are stored whole."""
    named = [each for each in kind.__mro__ if "<locals>" not in each.__qualname__]
    return [each.__module__ for each in named if each.__module__ != "__main__"]


def _requirements(flavor: Any) -> list[str] | None:
    """The library's own; None, for MLflow to find out, where they depend on the model."""
    try:
        return list(flavor.get_default_pip_requirements())
    except TypeError:
        return None


def _flavor(name: str) -> Any:
    try:
        flavor = importlib.import_module(name)
    except ImportError as error:
        raise RegistryError(
            f"models of {name} cannot be stored here: {error}. Install its library, or name another flavor"
        ) from error
    if not callable(getattr(flavor, "save_model", None)):
        raise RegistryError(f"{name} stores no models; a flavor is a module of MLflow such as mlflow.xgboost")
    return flavor
