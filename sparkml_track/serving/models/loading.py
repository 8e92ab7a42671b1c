"""A version of a model: files checked, loaded, and known by what it takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from sparkml_track.carried import CarriedFeatures
from sparkml_track.errors import RegistryError
from sparkml_track.refs import ModelRef
from sparkml_track.registries import Registry
from sparkml_track.serving._spec import KINDS
from sparkml_track.serving.models.asking import Call
from sparkml_track.serving.models.features import OpenFeatures, RowFeatures
from sparkml_track.serving.protocol.answers import plain_value
from sparkml_track.serving.protocol.columns import Input
from sparkml_track.serving.protocol.params import Param

__all__ = ["LoadedModel", "load_version"]

_MOST_EXAMPLES = 10


@dataclass(frozen=True, slots=True, eq=False)
class LoadedModel:
    """One version, ready to be asked from several threads.

    Attributes:
        ref: which version.
        inputs: the columns that it takes, in order.
        method: how it is asked.
        fitted: the model.
        params: what it takes beside rows, by name.
        features: the look-ups it carries.
        example: columns of its input example, as JSON has them; empty if it has none.
        wrapped: whether it is MLflow's wrapper, which takes params.
    """

    ref: ModelRef
    inputs: tuple[Input, ...]
    method: str
    fitted: Any
    params: Mapping[str, Param] = field(default_factory=dict)
    features: RowFeatures | None = None
    example: Mapping[str, Sequence[object]] = field(default_factory=dict)
    wrapped: bool = False

    def call(self, params: Mapping[str, object]) -> Call:
        """The method with params bound."""
        method: Call = getattr(self.fitted, self.method)
        more: dict[str, Any] = {"params": dict(params)}
        return partial(method, **more) if self.wrapped and params else method


def load_version(registry: Registry, ref: ModelRef, open_features: OpenFeatures | None) -> LoadedModel:
    """Loads a version, after its files are checked.

    Args:
        registry: that has it.
        ref: which one.
        open_features: for the look-ups that it carries; None where there is no online store.

    Raises:
        RegistryError: its files are not what was registered, it is in a form that may not be read, it has no signature
            with named columns, takes types that no request has, or looks up what there is no online store for.
    """
    signature = registry.signature(ref)
    odd = [f"{each.name!r} is {each.type}" for each in signature.inputs if each.type not in KINDS]
    if odd:
        raise RegistryError(f"{ref} cannot be served: the column {', '.join(odd)}; requests have {', '.join(KINDS)}")
    features = _features(ref, registry.carried(ref), open_features)
    fitted = registry.load(ref)
    inputs = tuple(Input(each.name, each.type) for each in signature.inputs)
    method = signature.method if callable(getattr(fitted, signature.method, None)) else "predict"
    with registry.files(ref) as folder:
        if folder is None:
            return LoadedModel(ref, inputs, method, fitted, features=features)
        return _with_files(LoadedModel(ref, inputs, method, fitted, features=features), folder)


def _features(ref: ModelRef, carried: CarriedFeatures | None, open_features: OpenFeatures | None) -> RowFeatures | None:
    if carried is None:
        return None
    if open_features is None:
        raise RegistryError(
            f"{ref} looks features up ({', '.join(each.table for each in carried.lookups)}), and there is no online "
            "store to look in; give open_features"
        )
    return open_features(carried)


def _with_files(made: LoadedModel, folder: Path) -> LoadedModel:
    """What only the files say: optional columns, params and the input example."""
    from mlflow.models import Model

    model = Model.load(str(folder))
    required = {each.name: each.required for each in model.signature.inputs.inputs}
    inputs = tuple(Input(each.name, each.kind, bool(required.get(each.name, True))) for each in made.inputs)
    params = {each.name: _param(each) for each in getattr(model.signature.params, "params", ())}
    wrapped = hasattr(made.fitted, "metadata") and hasattr(made.fitted, "unwrap_python_model")
    example = _example(model, folder)
    return LoadedModel(made.ref, inputs, made.method, made.fitted, params, made.features, example, wrapped)


def _param(spec: Any) -> Param:
    kind = getattr(spec.dtype, "name", "any")
    return Param(spec.name, kind, spec.default, is_list=getattr(spec, "shape", None) is not None)


def _example(model: Any, folder: Path) -> Mapping[str, Sequence[object]]:
    """The first rows of the input example, where that is a data frame."""
    frame: Any = model.load_input_example(str(folder)) if model.saved_input_example_info else None
    if not hasattr(frame, "columns"):
        return {}
    return {str(name): [plain_value(value) for value in frame[name].head(_MOST_EXAMPLES)] for name in frame.columns}
