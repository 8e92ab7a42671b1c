"""What MLflow of this process was set to before trials executed here. MLflow is not imported for that."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from sparkml_track.slot.host.plugin import offer_mlflow_store

__all__ = ["TRIAL_URI", "Outside"]

#: The store of trials, as in slots.
TRIAL_URI = "sparkml://trial"
_PACKAGE = __name__.rpartition(".")[0]
_TRACKING, _REGISTRY = "mlflow.tracking._tracking_service.utils", "mlflow.tracking._model_registry.utils"
_FLUENT = "mlflow.tracking.fluent"
_OURS = ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI")
#: What a trial may change, and what would lead it to a run of the driver's.
_KEPT = (*_OURS, "MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID", "MLFLOW_EXPERIMENT_NAME")


@dataclass(frozen=True, slots=True)
class Outside:
    """MLflow's settings.

    Attributes:
        variables: of the environment; None for one that was not set.
        uri: that ``mlflow.set_tracking_uri`` was given; None for nothing.
        registry_uri: likewise.
        experiment_id: that ``mlflow.set_experiment`` made active; None for none.
        folder: where MLflow finds the store of trials if it is imported now.
    """

    variables: Mapping[str, str | None]
    uri: str | None
    registry_uri: str | None
    experiment_id: str | None
    folder: str

    @classmethod
    def put_aside(cls, host: str) -> Outside:
        """From now on ``mlflow`` in this process asks the store of trials.

        Args:
            host: a folder of ours, for as long as that lasts.
        """
        tracking, registry, fluent = (_module(name) for name in (_TRACKING, _REGISTRY, _FLUENT))
        outside = cls(
            {name: os.environ.get(name) for name in _KEPT},
            getattr(tracking, "_tracking_uri", None),
            getattr(registry, "_registry_uri", None),
            getattr(fluent, "_active_experiment_id", None),
            offer_mlflow_store(host, _PACKAGE),
        )
        sys.path.append(outside.folder)
        if tracking is not None:
            _register(tracking, registry)
            if outside.uri is not None:
                tracking.set_tracking_uri(TRIAL_URI)
        if outside.registry_uri is not None and registry is not None:
            registry.set_registry_uri(TRIAL_URI)
        os.environ.pop("MLFLOW_RUN_ID", None)
        os.environ.update(dict.fromkeys(_OURS, TRIAL_URI))
        return outside

    def restore(self) -> None:
        """All is as before, whatever trials did."""
        with suppress(ValueError):
            sys.path.remove(self.folder)
        self.forget_choices()
        tracking, registry = _module(_TRACKING), _module(_REGISTRY)
        if tracking is not None and tracking._tracking_uri != self.uri:
            tracking.set_tracking_uri(self.uri)
        if registry is not None and registry._registry_uri != self.registry_uri:
            registry._registry_uri = self.registry_uri
        for name, value in self.variables.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value

    def forget_choices(self) -> None:
        """What a trial has chosen by ``set_experiment``, ``set_tracking_uri`` and the like is not the next one's."""
        tracking, fluent = _module(_TRACKING), _module(_FLUENT)
        if fluent is not None and fluent._active_experiment_id != self.experiment_id:
            fluent._active_experiment_id = self.experiment_id
        if tracking is not None and tracking._tracking_uri not in {None, TRIAL_URI}:
            tracking.set_tracking_uri(TRIAL_URI)

    @property
    def tracking_uri(self) -> str | None:
        """Of the store that the driver's own calls go to; None for MLflow's default."""
        return self.uri or self.variables["MLFLOW_TRACKING_URI"]

    @property
    def registry(self) -> str | None:
        """Likewise of the registry; None for that of the tracking store."""
        return self.registry_uri or self.variables["MLFLOW_REGISTRY_URI"]


def _module(name: str) -> Any:
    return sys.modules.get(name)


def _register(tracking: Any, registry: Any) -> None:
    """For an MLflow that looked for stores when it was imported."""
    # By name, as from the entry point: it needs MLflow, and knows who needs this.
    store = import_module(f"{_PACKAGE}._mlflow_store")
    tracking._tracking_store_registry.register("sparkml", store.TrialStore)
    if registry is not None:
        registry._get_store_registry().register("sparkml", store.registry)
