"""The class with the surface of MLflow's ``MlflowSparkStudy``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import mlflow
from mlflow.pyspark.optuna import study as mlflows
from optuna import Study
from optuna.trial import FrozenTrial

from sparkml_track.engine.results.sweep_result import SweepResult
from sparkml_track.engine.spec.spec import Tracking
from sparkml_track.frontdoors._optuna.asked import Asked, Slots
from sparkml_track.frontdoors._optuna.call import search

__all__ = ["MlflowSparkStudy"]


class MlflowSparkStudy(mlflows.MlflowSparkStudy):  # type: ignore[misc]
    """MLflow's class with the trials of ``optimize`` in resident workers; all else is MLflow's.

    The study is in its ``MlflowStorage``, as MLflow's; the sweep has a parent run in the same experiment. Callbacks are
    called on the driver, not in slots, and the sampler learns of every trial.

    Attributes:
        sweep_result: of the last ``optimize``, with the ids of its runs; None before.
    """

    sweep_result: SweepResult | None = None

    def optimize(
        self,
        func: Callable[[Any], Any],
        n_trials: int | None = None,
        timeout: float | None = None,
        n_jobs: int = -1,
        catch: Iterable[type[Exception]] | type[Exception] = (),
        callbacks: Iterable[Callable[[Study, FrozenTrial], None]] | None = None,
    ) -> None:
        """As ``optimize`` of this module, with MLflow's arguments.

        Raises:
            Exception: as ``optimize``; MLflow's own raises its ``ExecutionException`` for what objectives raise.
        """
        asked = Asked(
            study=self._study,
            objective=func,
            n_trials=n_trials,
            timeout=timeout,
            n_jobs=n_jobs,
            catch=tuple(catch) if isinstance(catch, Iterable) else (catch,),
            callbacks=() if callbacks is None else tuple(callbacks),
            experiment=mlflow.get_experiment(self._storage._experiment_id).name,  # noqa: SLF001 - as in MLflow's
            tracking=Tracking(uri=self._mlflow_tracking_env),
        )
        state = "KILLED"
        try:
            self.sweep_result = search(asked, Slots(session=self.spark))
            state = "FINISHED"
        finally:
            self._storage.flush_all_batches()
            self.mlflow_client.set_terminated(self._study_id, state)
