"""A model as a folder in MLflow's format: written from a package, read back into a model."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from sparkml_track.errors import RegistryError
from sparkml_track.registries._base import Column, Package, Signature
from sparkml_track.registries._columns import signature_of

__all__ = ["read_model", "read_signature", "write_model"]


def write_model(package: Package, folder: Path, mlflow_model: Any) -> None:
    """Writes a scikit-learn compatible model in the skops format, with signature, example and requirements.

    Requirements are given, not inferred: MLflow infers by loading the model in a new process, 10 s and more.
    """
    flavor = _sklearn_flavor()
    flavor.save_model(
        package.model,
        str(folder),
        mlflow_model=mlflow_model,
        serialization_format=flavor.SERIALIZATION_FORMAT_SKOPS,
        skops_trusted_types=_types_inside(package.model),
        signature=_foreign_signature(signature_of(package), package),
        input_example=package.sample,
        pip_requirements=list(package.requirements) or flavor.get_default_pip_requirements(include_skops=True),
        pyfunc_predict_fn=package.method,
    )


def read_signature(folder: Path) -> Signature:
    """The signature of a model folder.

    Raises:
        RegistryError: the model was registered without named columns.
    """
    from mlflow.models import Model

    model = Model.load(str(folder))
    if model.signature is None or not model.signature.inputs.has_input_names():
        raise RegistryError(
            f"the model at {folder.name} has no signature with named columns; register it with a sample of its inputs"
        )
    inputs = tuple(Column(column.name, column.type.name) for column in model.signature.inputs.inputs)
    return Signature(inputs, model.flavors.get("python_function", {}).get("predict_fn", "predict"))


def read_model(folder: Path) -> object:
    """The fitted model: scikit-learn's own object where there is one, else MLflow's wrapper with ``predict``."""
    from mlflow.models import Model

    flavor = _sklearn_flavor()
    if "sklearn" in Model.load(str(folder)).flavors:
        loaded: object = flavor.load_model(str(folder))
        return loaded
    wrapped: object = flavor.pyfunc.load_model(str(folder))
    return wrapped


def _sklearn_flavor() -> Any:
    with warnings.catch_warnings():
        # Importing mlflow.pyfunc warns about a type hint of MLflow's own.
        warnings.filterwarnings("ignore", message=".*inferred as AnyType", category=UserWarning)
        import mlflow.pyfunc
        import mlflow.sklearn
    return mlflow.sklearn


def _types_inside(model: object) -> list[str]:
    # skops reads only types it was told to trust. The model is in this process already, so its types run here anyway;
    # whoever loads it later is protected by the digests of the files.
    import skops.io  # type: ignore[import-untyped]

    types: list[str] = skops.io.get_untrusted_types(data=skops.io.dumps(model))
    return types


def _foreign_signature(signature: Signature, package: Package) -> Any:
    from mlflow.models import ModelSignature
    from mlflow.models.signature import infer_signature
    from mlflow.types import ColSpec, Schema

    output = getattr(package.model, package.method)(package.sample)
    inputs = Schema([ColSpec(column.type, column.name) for column in signature.inputs])
    return ModelSignature(inputs, infer_signature(model_output=output).outputs)
