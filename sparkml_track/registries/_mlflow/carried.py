"""What a model folder says of the model's features: ``features.json``, and how MLflow loads such a model.

The model itself stays as it is, in its own flavor, so that whatever looks features up first asks it directly. Only
``mlflow.pyfunc`` gets a loader of ours, which looks up what rows lack. MLflow refuses rows without a column of the
signature before a loader sees them, so there keys and features are all optional.
"""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

from sparkml_track.adapters.mlflow.inner import INNER
from sparkml_track.carried import FEATURES_FILE, CarriedFeatures

__all__ = ["read_carried", "write_carried"]

_LOADER = "sparkml_track.online_stores.pyfunc"
#: Arrow's name of a type to MLflow's; a column of another type is not checked.
_TYPES = {
    "string": "string",
    "bool": "boolean",
    "int8": "integer",
    "int16": "integer",
    "int32": "integer",
    "int64": "long",
    "float": "float",
    "double": "double",
    "binary": "binary",
}


def write_carried(carried: CarriedFeatures, folder: Path, model: Any) -> None:
    """Adds the file to a model folder, and says in MLflow's own how to load the model.

    Args:
        carried: what is kept.
        folder: of the model.
        model: MLflow's description of it.
    """
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema
    from mlflow.types.schema import AnyType

    (folder / FEATURES_FILE).write_text(carried.to_json())
    known = {column.name: column.type for column in model.signature.inputs.inputs}
    kinds = {name: _TYPES.get(kind) or AnyType() for name, kind in carried.readable_types.items()} | known
    first = [name for name in _asked(carried) if name in kinds]
    names = dict.fromkeys([*first, *carried.columns])
    inputs = Schema([ColSpec(kinds[name], name, required=False) for name in names])
    model.signature = ModelSignature(inputs, model.signature.outputs)
    described = model.flavors["python_function"]
    if "sklearn" not in model.flavors:
        described[INNER] = {key: described.get(key) for key in ("loader_module", "data")}
    described |= {
        "loader_module": _LOADER,
        "data": FEATURES_FILE,
        "config": {"online_store": ""},
    }
    model.save(str(folder / "MLmodel"))
    requirements = folder / "requirements.txt"
    requirements.write_text(requirements.read_text().rstrip("\n") + f"\nsparkml-track=={version('sparkml-track')}\n")


def read_carried(folder: Path) -> CarriedFeatures | None:
    """What the file of a model folder says; None where there is none.

    Raises:
        DataError: it cannot be read.
    """
    file = folder / FEATURES_FILE
    return CarriedFeatures.from_json(file.read_text()) if file.is_file() else None


def _asked(carried: CarriedFeatures) -> list[str]:
    """The columns by which features are found or computed, and which nothing looks up."""
    names: list[str] = []
    for lookup in carried.lookups:
        names += [*lookup.keys, *([lookup.time] if lookup.time else [])]
    names += [column for function in carried.functions for column in function.bindings.values()]
    made = {name for lookup in carried.lookups for name in lookup.outputs}
    made |= {function.output for function in carried.functions}
    return [name for name in dict.fromkeys(names) if name not in made]
