"""MLflow's autologging, switched on for a library when that is imported: a trial that does not use it pays nothing."""

from __future__ import annotations

import importlib
import importlib.util
import json
import sys
from collections.abc import Mapping, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

__all__ = ["FLAVORS", "VARIABLE", "autolog_on_import"]

#: In the environment of a template: flavors and their options as JSON.
VARIABLE = "SPARKML_AUTOLOG"
#: MLflow's modules that log by themselves, and what each of them waits for.
FLAVORS: Mapping[str, tuple[str, ...]] = {
    "keras": ("keras",),
    "lightgbm": ("lightgbm",),
    "pytorch": ("lightning", "pytorch_lightning"),
    "sklearn": ("sklearn",),
    "statsmodels": ("statsmodels",),
    "tensorflow": ("tensorflow",),
    "xgboost": ("xgboost",),
}
#: A model for each trial is seldom wanted, and takes a second or more.
_DEFAULTS: Mapping[str, object] = {"log_models": False, "silent": True}


def autolog_on_import(text: str) -> None:
    """Switches flavors on for libraries that are imported, and for others when they will be.

    Args:
        text: a mapping of flavors to options of their ``autolog``, as JSON; empty for none.

    Raises:
        ValueError: MLflow does not take the options, or is not installed.
    """
    flavors: dict[str, dict[str, object]] = json.loads(text) if text else {}
    waiting = {library: name for name in flavors for library in FLAVORS[name]}
    for library in [library for library in waiting if library in sys.modules]:
        _switch_on(waiting[library], flavors[waiting.pop(library)])
    if waiting:
        sys.meta_path.insert(0, _Finder(waiting, flavors))


def _switch_on(flavor: str, options: Mapping[str, object]) -> None:
    try:
        importlib.import_module(f"mlflow.{flavor}").autolog(**{**_DEFAULTS, **options})
    except (ImportError, TypeError) as error:
        raise ValueError(f"autolog of {flavor} with {dict(options)} cannot be switched on: {error}") from error


class _Finder(MetaPathFinder):
    """Finds libraries as others do, and learns when they have been imported."""

    def __init__(self, waiting: dict[str, str], flavors: Mapping[str, Mapping[str, object]]) -> None:
        self._waiting, self._flavors = waiting, flavors

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        """What is found elsewhere, with a loader that says when it is done."""
        flavor = self._waiting.pop(fullname, None)
        if flavor is None:
            return None
        spec = importlib.util.find_spec(fullname)
        if spec is not None and spec.loader is not None:
            spec.loader = _Switching(spec.loader, flavor, self._flavors[flavor])
        return spec


class _Switching(Loader):
    """Loads as another loader does, then switches the flavor on."""

    def __init__(self, inner: Loader, flavor: str, options: Mapping[str, object]) -> None:
        self._inner, self._flavor, self._options = inner, flavor, options

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """As the other does."""
        return self._inner.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        """Executes the module; from then on its loader is the other one."""
        module.__loader__ = self._inner
        if module.__spec__ is not None:
            module.__spec__.loader = self._inner
        self._inner.exec_module(module)
        _switch_on(self._flavor, self._options)
