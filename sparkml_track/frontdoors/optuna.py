"""Optuna's ``study.optimize``, with the trials in slots: define-by-run objectives, any sampler, pruner and storage.

Study, sampler, pruner and storage live on the driver; trials ask there for what they suggest. ``MlflowSparkStudy`` has
the surface of MLflow's class of this name. Nothing that comes from a slot is unpickled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import optuna
from optuna.trial import FrozenTrial

from sparkml_track.engine.results.sweep_result import SweepResult
from sparkml_track.engine.spec.spec import Failures, Tracking
from sparkml_track.executors import Resources
from sparkml_track.frontdoors._optuna.asked import Asked, Slots
from sparkml_track.frontdoors._optuna.call import search

if TYPE_CHECKING:
    from sparkml_track.api.session import SparkSession
    from sparkml_track.frontdoors._optuna.mlflow_study import MlflowSparkStudy

__all__ = ["MlflowSparkStudy", "optimize"]

_RESOURCES, _FAILURES, _TRACKING = Resources(), Failures(), Tracking()


def optimize(  # noqa: PLR0913 - Optuna's arguments, and where the trials are executed
    study: optuna.Study,
    objective: Callable[[Any], Any],
    n_trials: int | None = None,
    timeout: float | None = None,
    n_jobs: int | None = None,
    catch: Iterable[type[Exception]] | type[Exception] = (),
    callbacks: Iterable[Callable[[optuna.Study, FrozenTrial], None]] | None = None,
    gc_after_trial: bool = False,
    show_progress_bar: bool = False,
    *,
    spark: SparkSession | None = None,
    executor: str = "auto",
    name: str | None = None,
    experiment: str | None = None,
    trial_timeout: float | None = None,
    isolation: str = "recycled",
    resources: Resources = _RESOURCES,
    failures: Failures = _FAILURES,
    tracking: Tracking = _TRACKING,
) -> SweepResult | None:
    """``study.optimize`` with the trials in slots, tracked as one sweep.

    With one slot and one seed the study gets the same trials as by ``study.optimize``. A call on a study that lasts
    first fails what a driver of this host left running that was killed, and tries its parameters again.

    Args:
        study: any; its sampler, pruner and storage stay on the driver.
        objective: called in a slot with a trial of Optuna's surface; returns a number, or one for each objective.
        n_trials: how many trials; None for no limit.
        timeout: seconds from the first trial on, after which none is started; those that run end.
        n_jobs: trials at one time; None and -1 for as many as there are slots.
        catch: exceptions of the objective that do not end the search.
        callbacks: called here with the study and each trial that ended; ``study.stop()`` works in them.
        gc_after_trial: garbage is collected in the slot after each trial.
        show_progress_bar: shows Optuna's.
        spark: the session; the active one by default, else a local one.
        executor: "auto" or "resident" (Spark slots), "driver" (threads), "processes" (this host, without Spark) or
            "inline" (this process).
        name: of the sweep; by default that of the study, or of the objective where the study has none.
        experiment: MLflow's; the sweep's name by default.
        trial_timeout: seconds after which a trial is killed, and fails.
        isolation: as of ``sweep()``, as all below.
        resources: of a slot.
        failures: how much is put up with.
        tracking: where runs go.

    Returns:
        The sweep with the ids of its runs; None if there was nothing to execute.

    Raises:
        InvalidInput: arguments are wrong; nothing was started.
        SetupError: trials could not ask the driver, as on Spark Connect.
        Exception: what the objective raised, if its class is built into Python, else of its nearest base that is; where
            there is none, ``SparkmlError``. And what callbacks, sampler and pruner raised.
        KeyboardInterrupt: a signal came; trials that ran count as failed.
    """
    asked = Asked(
        study=study,
        objective=objective,
        n_trials=n_trials,
        timeout=timeout,
        n_jobs=n_jobs,
        catch=tuple(catch) if isinstance(catch, Iterable) else (catch,),
        callbacks=() if callbacks is None else tuple(callbacks),
        collect=gc_after_trial,
        bar=show_progress_bar,
        name=name,
        experiment=experiment,
        tracking=tracking,
    )
    return search(asked, Slots(executor, spark, isolation, resources, failures, trial_timeout))


def __getattr__(name: str) -> Any:
    """MLflow is imported for its class alone."""
    if name != "MlflowSparkStudy":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from sparkml_track.frontdoors._optuna.mlflow_study import MlflowSparkStudy

    return MlflowSparkStudy
