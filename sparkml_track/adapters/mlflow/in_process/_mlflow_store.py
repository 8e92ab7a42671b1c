"""The store that MLflow of the driver's process asks while trials execute there.

Each attempt has a store of its own, as in slots. Calls that are no attempt's go where they went before.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
from mlflow.store.tracking.abstract_store import AbstractStore

from sparkml_track.adapters.mlflow.in_process import attempts
from sparkml_track.adapters.mlflow.in_process.attempts import InProcess
from sparkml_track.slot.own_store import no_registry, own_store

__all__ = ["TrialStore", "registry"]


def _forwarded(name: str) -> Callable[..., Any]:
    def call(self: TrialStore, *values: Any, **named: Any) -> Any:
        return getattr(self._target(*values, *named.values()), name)(*values, **named)

    call.__name__ = name
    return call


class _Forwarding(AbstractStore):  # type: ignore[misc]
    """All that a store can be asked, passed on."""

    for _name in [each for each in dir(AbstractStore) if not each.startswith("__")]:
        if callable(getattr(AbstractStore, _name)):
            locals()[_name] = _forwarded(_name)


class TrialStore(_Forwarding):
    """See the module. Threads: any."""

    def __init__(self, store_uri: str = "", artifact_uri: str = "") -> None:
        super().__init__()

    def __getattr__(self, name: str) -> Any:
        """What only some stores can."""
        return getattr(self._target(), name)

    def _target(self, *values: Any) -> Any:
        owner = next((one for one in map(_owner, values) if one is not None), None) or _owner_of_thread()
        if owner is None:
            return _outer_store()
        if owner.store is None:
            owner.store = own_store(owner.recorder, owner.nested, _end_runs)
        return owner.store


def _owner(value: object) -> InProcess | None:
    return attempts.owner_of(value) if isinstance(value, str) else None


def _owner_of_thread() -> InProcess | None:
    try:
        return attempts.owner_of_thread()
    except LookupError as error:
        raise MlflowException(str(error), INVALID_PARAMETER_VALUE) from None


def _end_runs() -> None:
    """Of the attempt's thread: other threads have theirs, and what else it chose is put back elsewhere."""
    fluent: Any = sys.modules["mlflow.tracking.fluent"]
    while fluent.active_run() is not None:
        fluent.end_run()


def _outer_store() -> Any:
    """Where the driver's own calls go."""
    from mlflow.tracking._tracking_service import utils

    outside = attempts.outside()
    uri = outside.tracking_uri if outside is not None else None
    return utils._get_store(uri or utils._get_default_tracking_uri())


def registry(*_: object, **__: object) -> Any:
    """What MLflow gets as a model registry: a trial has none, the driver its own.

    Raises:
        MlflowException: a trial asked for it.
    """
    if _owner_of_thread() is not None:
        return no_registry()
    from mlflow.tracking._model_registry import utils as registries
    from mlflow.tracking._tracking_service import utils

    outside = attempts.outside()
    uri = (outside.registry or outside.tracking_uri) if outside is not None else None
    return registries._get_store(uri or utils._get_default_tracking_uri())
