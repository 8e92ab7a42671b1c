"""Where the calling program, or its environment, makes MLflow write. MLflow is not imported to find that out."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import Any

from sparkml_track.adapters.mlflow.in_process.attempts import in_trial, outside

__all__ = ["Ambient", "ambient"]


@dataclass(frozen=True, slots=True)
class Ambient:
    """What applies where a sweep or a config file says nothing.

    Attributes:
        uri: of the tracking store; None for the home's own.
        experiment: its name; None for that of the sweep.
        active_run: the run that is active in the calling program, in this store; empty if none is.
        source: where that comes from, for a person.
    """

    uri: str | None = None
    experiment: str | None = None
    active_run: str = ""
    source: str = ""


def ambient() -> Ambient:
    """Looks: an active run first, then ``MLFLOW_TRACKING_URI``, which ``mlflow.set_tracking_uri`` sets, too.

    Raises:
        TrackingError: the experiment of the active run, or that of ``MLFLOW_EXPERIMENT_ID``, cannot be found.
    """
    around = outside()
    if around is not None and in_trial():  # whose run is in no store yet
        return Ambient(around.tracking_uri, None, "", "the driver's MLflow")
    fluent: Any = sys.modules.get("mlflow.tracking.fluent")
    run = fluent.active_run() if fluent is not None else None
    if run is not None:
        uri = str(sys.modules["mlflow"].get_tracking_uri())
        name = _name_of(uri, run.info.experiment_id)
        return Ambient(uri, name, run.info.run_id, "the run that is active")
    given = os.environ.get("MLFLOW_TRACKING_URI") or None
    if given is None:  # an experiment of what store?
        return Ambient(experiment=os.environ.get("MLFLOW_EXPERIMENT_NAME") or None)
    return Ambient(given, _experiment_in(given), "", "MLFLOW_TRACKING_URI or mlflow.set_tracking_uri")


def _experiment_in(uri: str) -> str | None:
    number = os.environ.get("MLFLOW_EXPERIMENT_ID")
    # mlflow.set_experiment sets both of these, and is the program's own word; the variable alone is not.
    chosen = getattr(sys.modules.get("mlflow.tracking.fluent"), "_active_experiment_id", None)
    if chosen:
        return _name_of(uri, str(chosen))
    return os.environ.get("MLFLOW_EXPERIMENT_NAME") or (_name_of(uri, number) if number else None)


def _name_of(uri: str, experiment_id: str) -> str:
    from mlflow import MlflowClient

    from sparkml_track.adapters.mlflow.errors import translated

    with translated(uri):
        return str(MlflowClient(tracking_uri=uri).get_experiment(experiment_id).name)
