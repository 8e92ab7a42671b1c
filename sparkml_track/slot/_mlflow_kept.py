"""What MLflow's store in a slot keeps of a run, and how MLflow is left for the next attempt."""

from __future__ import annotations

import math
import sys
from typing import Any

from mlflow.entities import Experiment, Metric
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
from mlflow.store.entities.paged_list import PagedList
from mlflow.store.tracking.abstract_store import AbstractStore

from .attempt.run_log import Recorder

__all__ = ["EXPERIMENT", "Kept", "OneExperiment", "end_runs", "keep_clients", "number", "refused"]

#: Its id.
EXPERIMENT = "0"


class Kept:
    """What one run has, as MLflow reads it back."""

    def __init__(self, run_id: str, name: str, started: float, params: dict[str, str]) -> None:
        self.run_id, self.name, self.started = run_id, name, started
        self.params = params
        self.history: dict[str, list[Metric]] = {}
        self.tags: dict[str, str] = {}
        self.sent = False  # a nested run that the driver knows

    def latest(self) -> list[Metric]:
        """The current value of each metric."""
        return [max(points, key=lambda one: (one.step, one.timestamp, one.value)) for points in self.history.values()]


def refused(what: str) -> MlflowException:
    """The answer to what a trial cannot do."""
    return MlflowException(f"a trial cannot {what}: do it when the sweep has ended", INVALID_PARAMETER_VALUE)


def number(value: float) -> float | str:
    """JSON has no name for these."""
    value = float(value)
    return value if math.isfinite(value) else str(value)


def end_runs() -> None:
    """Leaves MLflow in this process as the next attempt must find it."""
    fluent: Any = sys.modules.get("mlflow.tracking.fluent")
    if fluent is None:
        return
    while fluent.active_run() is not None:
        fluent.end_run()
    fluent._active_experiment_id = None


def keep_clients() -> None:
    """MLflow's functions get one client for each store; they would make two for each metric, a third of its cost."""
    from mlflow.tracking import fluent, get_registry_uri, get_tracking_uri  # imports this

    new = fluent.MlflowClient
    clients: dict[tuple[str, str], Any] = {}

    def client() -> Any:
        key = (get_tracking_uri(), get_registry_uri())
        if key not in clients:
            clients[key] = new()
        return clients[key]

    fluent.MlflowClient = client


class OneExperiment(AbstractStore):  # type: ignore[misc]
    """The part of the store about experiments: there is one, by whatever name."""

    def _trial(self) -> Recorder:
        raise NotImplementedError

    def get_experiment(self, experiment_id: Any) -> Experiment:
        """See ``AbstractStore``."""
        return Experiment(EXPERIMENT, "sweep", f"file://{self._trial().artifact_dir}", "active")

    def get_experiment_by_name(self, experiment_name: str) -> Experiment:
        """See ``AbstractStore``."""
        return self.get_experiment(experiment_name)

    def search_experiments(self, *_: object, **__: object) -> Any:
        """See ``AbstractStore``."""
        return PagedList([self.get_experiment(EXPERIMENT)], None)

    def create_experiment(self, name: Any, artifact_location: Any = None, tags: Any = None) -> str:
        """See ``AbstractStore``."""
        return EXPERIMENT

    def set_experiment_tag(self, experiment_id: Any, tag: Any) -> None:
        """See ``AbstractStore``; experiments are the driver's."""

    def delete_experiment(self, experiment_id: Any) -> None:
        """See ``AbstractStore``."""
        raise refused("delete experiments")

    def restore_experiment(self, experiment_id: Any) -> None:
        """See ``AbstractStore``."""
        raise refused("restore experiments")

    def rename_experiment(self, experiment_id: Any, new_name: Any) -> None:
        """See ``AbstractStore``."""
        raise refused("rename experiments")
