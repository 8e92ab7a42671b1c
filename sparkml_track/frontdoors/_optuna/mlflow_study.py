"""The class with the surface of MLflow's ``MlflowSparkStudy``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mlflow
from mlflow.pyspark.optuna.study import MlflowSparkStudy as MlflowsOwn

from sparkml_track.engine.results.sweep_result import SweepResult

__all__ = ["MlflowStudy"]

Optimize = Callable[..., SweepResult | None]


class MlflowStudy(MlflowsOwn):  # type: ignore[misc]
    """MLflow's class, but for its ``optimize``: constructor, properties and what it keeps in its storage are the same.

    Attributes:
        sweep_result: of the last ``optimize``, with the ids of its runs; None before.
    """

    #: ``optimize`` of the front door.
    _door: Optimize

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.sweep_result: SweepResult | None = None

    def _asked(self, func: Callable[[Any], Any], **given: Any) -> None:
        name = mlflow.get_experiment(self._storage._experiment_id).name  # noqa: SLF001 - MLflow's class reads it, too
        self.sweep_result = type(self)._door(self._study, func, experiment=name, spark=self.spark, **given)  # noqa: SLF001
