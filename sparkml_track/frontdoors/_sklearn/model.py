"""The refitted estimator as a model in the parent run of its search."""

from __future__ import annotations

import logging
from contextlib import closing
from typing import Any

from sparkml_track.adapters.mlflow.ambient import ambient
from sparkml_track.engine.results.sweep_result import SweepResult
from sparkml_track.engine.spec.spec import Tracking
from sparkml_track.errors import RegistryError
from sparkml_track.home import Home
from sparkml_track.registries import MlflowRegistry, Package

__all__ = ["log_refitted"]

_log = logging.getLogger(__name__)
#: Rows of the input example.
_SAMPLE = 5


def log_refitted(estimator: Any, data: Any, sweep: SweepResult, tracking: Tracking) -> str | None:
    """Logs it, with a few rows of its data; what cannot be stored is logged as a warning.

    Returns:
        Its URI, None if it was not stored.
    """
    uri = tracking.uri or ambient().uri or Home.find().tracking_uri
    if uri == "memory:":
        return None
    method = "predict" if hasattr(estimator, "predict") else "transform"
    package = Package(estimator, _sample(data), method)
    try:
        with closing(MlflowRegistry(uri)) as registry:
            return registry.log_model("model", package, sweep.run_id, sweep.experiment_id)
    except RegistryError as error:
        _log.warning("the refitted estimator is not logged, all else is: %s", error)
        return None


def _sample(data: Any) -> Any:
    """A few rows; None of what has no rows that MLflow knows."""
    if hasattr(data, "iloc"):
        return data.iloc[:_SAMPLE]
    return data[:_SAMPLE] if hasattr(data, "shape") else None
