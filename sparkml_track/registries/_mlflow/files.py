"""A model as a folder in MLflow's format: written from a package, read back into a model."""

from __future__ import annotations

import warnings
from collections.abc import Collection
from pathlib import Path
from typing import Any

from sparkml_track.errors import RegistryError
from sparkml_track.registries._base import SKLEARN, Column, Package, Signature
from sparkml_track.registries._columns import signature_of
from sparkml_track.registries._mlflow.carried import read_carried, write_carried
from sparkml_track.registries._mlflow.flavors import save_model, wrapped
from sparkml_track.registries._types import code_of, why_not

__all__ = ["read_model", "read_signature", "write_model"]


def write_model(package: Package, folder: Path, mlflow_model: Any) -> None:
    """Writes a model with signature, example and requirements; one like scikit-learn's as skops, with its code.

    Requirements are given, not inferred: MLflow infers by loading the model in a new process, 10 s and more.

    Raises:
        RegistryError: another process could not read the model.
    """
    flavor = _sklearn_flavor()
    if package.flavor == SKLEARN:
        _save_as_skops(flavor, package, folder, mlflow_model)
    else:
        named = hasattr(package.sample, "columns")
        save_model(package, folder, mlflow_model, _inputs_only(signature_of(package)) if named else None)
        if named:
            _ask(package, folder, mlflow_model)
    if package.carried is not None:
        write_carried(package.carried, folder, mlflow_model)


def _save_as_skops(flavor: Any, package: Package, folder: Path, mlflow_model: Any) -> None:
    types = _types_inside(package.model)
    flavor.save_model(
        package.model,
        str(folder),
        mlflow_model=mlflow_model,
        serialization_format=flavor.SERIALIZATION_FORMAT_SKOPS,
        skops_trusted_types=types,
        code_paths=code_of(types) or None,
        signature=_signature(package),
        input_example=package.sample,
        pip_requirements=list(package.requirements) or flavor.get_default_pip_requirements(include_skops=True),
        pyfunc_predict_fn=package.method,
    )


def _ask(package: Package, folder: Path, mlflow_model: Any) -> None:
    """Adds to the signature what the model gives once it is read back.

    Raises:
        RegistryError: it cannot be read back, or gives nothing for the sample.
    """
    from mlflow.models import ModelSignature
    from mlflow.models.signature import infer_signature

    try:
        outputs = infer_signature(model_output=wrapped(folder).predict(package.sample)).outputs
    # Whatever libraries and models raise.
    except Exception as error:
        raise RegistryError(
            f"{type(package.model).__name__} was written by {package.flavor} and cannot be asked when it is read back: "
            f"{type(error).__name__}: {error!s:.300}"
        ) from error
    mlflow_model.signature = ModelSignature(mlflow_model.signature.inputs, outputs)
    mlflow_model.save(str(folder / "MLmodel"))


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
    carried, named = read_carried(folder), {column.name: column for column in model.signature.inputs.inputs}
    columns = named.values() if carried is None else [named[name] for name in carried.columns]
    # Arrays and objects have no one word for their type.
    inputs = tuple(Column(column.name, getattr(column.type, "name", str(column.type))) for column in columns)
    return Signature(inputs, model.flavors.get("python_function", {}).get("predict_fn", "predict"))


def read_model(folder: Path, formats: Collection[str]) -> object:
    """The fitted model: scikit-learn's own object where there is one, else MLflow's wrapper with ``predict``.

    Raises:
        RegistryError: it is stored in a form that is not among ``formats``, or names what no model is made of.
    """
    from mlflow.models import Model

    flavor, flavors = _sklearn_flavor(), Model.load(str(folder)).flavors
    if "sklearn" not in flavors:
        _check_format("pyfunc", formats)
        return wrapped(folder)
    stored = flavors["sklearn"]
    _check_format(stored.get("serialization_format", "pickle"), formats)
    if "code" in formats or stored.get("serialization_format") != "skops":
        loaded: object = flavor.load_model(str(folder))
        return loaded
    return _read_skops(folder / stored["pickled_model"])


def _read_skops(file: Path) -> object:
    import skops.io  # type: ignore[import-untyped]

    types = skops.io.get_untrusted_types(file=file)
    problems = [why for name in types if (why := why_not(name))]
    if problems:
        raise RegistryError(
            f"the model is not read: {'; '.join(problems)}. Its own modules must be importable here, by code in the "
            "config file or on the Python path; where you trust all who can write to the store, let the code that "
            "came with the model run by adding 'code' to the allowed formats"
        )
    loaded: object = skops.io.load(file, trusted=types)
    return loaded


def _check_format(stored: str, formats: Collection[str]) -> None:
    if stored not in {"skops", *formats}:
        raise RegistryError(
            f"the model is stored as {stored}, which can run any code when it is read; allowed are "
            f"{', '.join(sorted(formats))}. Where you trust all who can write to the store, allow {stored} among the "
            "formats; else register the model again"
        )


def _sklearn_flavor() -> Any:
    with warnings.catch_warnings():
        # Importing mlflow.pyfunc warns about a type hint of MLflow's own.
        warnings.filterwarnings("ignore", message=".*inferred as AnyType", category=UserWarning)
        import mlflow.pyfunc
        import mlflow.sklearn
    return mlflow.sklearn


def _types_inside(model: object) -> list[str]:
    # skops reads only types that it is to trust. MLflow's own loaders believe this list, ours looks at each again.
    import skops.io

    try:
        types: list[str] = skops.io.get_untrusted_types(data=skops.io.dumps(model))
    # skops raises whatever its parts raise about an object they do not know.
    except Exception as error:
        raise RegistryError(
            f"{type(model).__name__} cannot be stored: {type(error).__name__}: {error!s:.200}. Models may hold classes "
            "and functions that are defined at the top of a module, not lambdas, open files or locks"
        ) from error
    problems = [why for name in types if (why := why_not(name))]
    if problems:
        raise RegistryError(f"{type(model).__name__} could not be loaded again: {'; '.join(problems)}")
    return types


def _signature(package: Package) -> Any:
    """Of named columns, as versions have it; else as MLflow infers it, None for what it does not know."""
    from mlflow.exceptions import MlflowException
    from mlflow.models.signature import infer_signature

    if package.sample is None:
        return None
    if hasattr(package.sample, "columns"):
        return _foreign_signature(signature_of(package), package)
    try:
        return infer_signature(package.sample, getattr(package.model, package.method)(package.sample))
    except MlflowException:
        return None


def _foreign_signature(signature: Signature, package: Package) -> Any:
    from mlflow.models import ModelSignature
    from mlflow.models.signature import infer_signature

    output = getattr(package.model, package.method)(package.sample)
    return ModelSignature(_inputs_only(signature).inputs, infer_signature(model_output=output).outputs)


def _inputs_only(signature: Signature) -> Any:
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    return ModelSignature(Schema([ColSpec(column.type, column.name) for column in signature.inputs]))
