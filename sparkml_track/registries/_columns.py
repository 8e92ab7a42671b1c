"""From a sample of input rows to the columns of a signature."""

from __future__ import annotations

from typing import Any

from sparkml_track.errors import RegistryError
from sparkml_track.registries._base import SKLEARN, Column, Package, Signature

__all__ = ["signature_of"]

# numpy kind and item size to the name; other sizes widen.
_TYPES = {"b": "boolean", "i4": "integer", "f4": "float"}
_WIDE = {"i": "long", "u": "long", "f": "double", "O": "string", "U": "string"}


def signature_of(package: Package) -> Signature:
    """The signature a package is registered with.

    Raises:
        RegistryError: the sample is not a data frame with rows, a column has a type models do not take, or the model
            of scikit-learn lacks the method.
    """
    sample: Any = package.sample
    if not len(getattr(sample, "columns", ())) or not len(sample):
        raise RegistryError(f"the sample of a model must be a pandas data frame with rows, got {sample!r:.80}")
    method = package.method if package.flavor == SKLEARN else "predict"
    if package.flavor == SKLEARN and not callable(getattr(package.model, method, None)):
        raise RegistryError(f"{type(package.model).__name__} has no method {package.method!r} to be asked by")
    names = [str(name) for name in sample.columns]
    if len(set(names)) < len(names):
        raise RegistryError(f"the sample of a model has columns of the same name: {', '.join(names)}")
    inputs = tuple(Column(str(name), _type(str(name), sample[name])) for name in sample.columns)
    return Signature(inputs, method)


def _type(name: str, column: Any) -> str:
    dtype = column.dtype
    # pandas' own types of text and of categories have the kind of objects and no item size.
    kind, size = getattr(dtype, "kind", "?"), getattr(dtype, "itemsize", "")
    found = _TYPES.get(kind) or _TYPES.get(f"{kind}{size}") or _WIDE.get(kind)
    if found is None or (found == "string" and not all(isinstance(each, str) for each in column.dropna())):
        raise RegistryError(
            f"column {name!r} of the sample is {dtype}, models take booleans, integers, floats and text"
        )
    return found
