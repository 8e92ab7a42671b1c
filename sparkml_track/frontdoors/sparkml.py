"""The Spark ML door: ``tune`` takes the place of ``CrossValidator`` and ``TrainValidationSplit`` of pyspark.ml.

A trial is fitted in a thread of the driver; its Spark jobs have a group and a scheduler pool of their own, so that
several share the cluster and each can be cancelled alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pyspark.ml import Estimator, Model
from pyspark.ml.evaluation import Evaluator
from pyspark.ml.param import Param
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.utils import is_remote

from sparkml_track.api.sweep import run
from sparkml_track.engine.loop.progress import ProgressListener
from sparkml_track.engine.results.sweep_result import SweepResult
from sparkml_track.engine.spec.arguments import SweepArguments
from sparkml_track.engine.spec.spec import Failures, Tracking
from sparkml_track.frontdoors._sparkml_objective import FitAndEvaluate, deviation_name
from sparkml_track.frontdoors._sparkml_params import ParamSpace
from sparkml_track.frontdoors._sparkml_split import Split, SplitPlan
from sparkml_track.governance.sources.watch import tables_of
from sparkml_track.home import Home
from sparkml_track.samplers import Sampler
from sparkml_track.space import flatten

__all__ = ["TunedModel", "tune"]

_FAILURES, _TRACKING = Failures(), Tracking()
#: What goes on with a sweep that was interrupted.
_ORIGIN = {"door": "tune(...) with the same arguments"}
#: The first release whose Connect server has pyspark.ml.
_CONNECT = 4


@dataclass(frozen=True)
class TunedModel:
    """What ``tune`` found, by the names of ``CrossValidatorModel`` and ``TrainValidationSplitModel``.

    Attributes:
        bestModel: fitted on all rows with the best params; None with ``refit=False``.
        avgMetrics: the mean over folds of each trial, by number; nan where a trial did not finish.
        stdMetrics: the standard deviation over folds likewise; empty with ``validation``.
        bestParams: as ``Estimator.fit`` takes them.
        best_params: as they are recorded.
        sweep_result: what ``sweep()`` returns.
    """

    bestModel: Model | None  # noqa: N815 - these four are pyspark's names
    avgMetrics: list[float]  # noqa: N815
    stdMetrics: list[float]  # noqa: N815
    bestParams: Mapping[Param[Any], Any]  # noqa: N815
    best_params: Mapping[str, object]
    sweep_result: SweepResult

    @property
    def validationMetrics(self) -> list[float]:  # noqa: N802 - pyspark's name
        """``avgMetrics``, as ``TrainValidationSplitModel`` calls them."""
        return self.avgMetrics

    def transform(self, dataset: DataFrame) -> DataFrame:
        """Predictions of the best model."""
        return self._model().transform(dataset)

    def write(self) -> Any:
        """The writer of the best model; ``write().overwrite().save(path)`` saves it."""
        return self._model().write()  # type: ignore[attr-defined]

    def save(self, path: str) -> None:
        """Saves the best model in a folder that is not there yet."""
        self.write().save(path)

    def _model(self) -> Model:
        if self.bestModel is None:
            raise ValueError("there is no best model, since refit=False was given; estimator.fit(data, bestParams) is")
        return self.bestModel


def tune(  # noqa: PLR0913 - those of sweep(), and of what it takes the place of
    estimator: Estimator[Any],
    space: Mapping[Param[Any], object],
    evaluator: Evaluator,
    data: DataFrame,
    *,
    folds: int | None = None,
    validation: float | None = None,
    fold_column: str | None = None,
    refit: bool = True,
    name: str | None = None,
    experiment: str | None = None,
    metric: str | None = None,
    sampler: str | Mapping[str, Any] | Sampler = "tpe",
    pruner: object = None,
    max_trials: int | None = None,
    timeout: float | None = None,
    trial_timeout: float | None = None,
    target: float | None = None,
    patience: int | None = None,
    parallelism: int | None = None,
    seed: int | None = None,
    warm_start: str | None = None,
    deterministic: bool = False,
    resume: str = "auto",
    failures: Failures = _FAILURES,
    tracking: Tracking = _TRACKING,
    progress: ProgressListener | bool | None = None,
) -> TunedModel:
    """Searches for the params with which an estimator's models are best on rows they were not fitted on.

    Args:
        estimator: of pyspark.ml, a ``Pipeline`` too.
        space: params of the estimator or of its stages (``lr.regParam``) to distributions (``st.loguniform`` ...),
            lists of options, or single values.
        evaluator: of pyspark.ml; says what is measured and whether more of it is better.
        data: all rows; split once, and cached while trials run. Its session is the one that is used.
        folds: how many, at least 2: each is held out once, and the mean counts.
        validation: or the share of rows that is held out, above 0 and below 1.
        fold_column: holds whole numbers from 0 to ``folds - 1``; drawn from ``seed`` by default.
        refit: whether the best params are fitted to all rows.
        name: of the sweep; the estimator's class by default.
        experiment: MLflow's; the sweep's name by default.
        metric: its name in runs; the evaluator's metric name by default.
        sampler: this and what follows as in ``sparkml_track.sweep``.
        pruner: decides after each fold.
        max_trials: how many trials; one of this and ``timeout`` must be given, but for a grid.
        timeout: seconds after which no trial is started and those that run are ended.
        trial_timeout: seconds after which the Spark jobs of a trial are cancelled.
        target: the sweep ends when the best value is as good as this.
        patience: the sweep ends when so many trials have ended since the best value became better.
        parallelism: trials at one time; 4 by default.
        seed: of sampler and trials, drawn and recorded if None; and of the split, which takes 0 for None.
        warm_start: the id of an earlier sweep, or of its parent run.
        deterministic: the same trials for the same seed, whatever the timing.
        resume: "auto" goes on with an unfinished sweep of this name, "never" starts anew, a sweep id goes on with it.
        failures: how much is put up with.
        tracking: where runs go.
        progress: called a few times a second with ``Progress``; by default shown on a terminal; False for none.

    Returns:
        The best model and what was found.

    Raises:
        TypeError: an argument is of another kind than pyspark.ml takes.
        ValueError: arguments are wrong (``InvalidInput`` is one); nothing was started.
        SparkmlError: as ``sweep()`` raises; no trial finished.
    """
    _check(estimator, evaluator, data)
    params = ParamSpace(estimator, space)
    split = Split(data, SplitPlan(folds, validation, fold_column, 0 if seed is None else seed))
    objective = FitAndEvaluate(estimator, evaluator, params, split, metric or _metric_of(evaluator))
    given = SweepArguments(
        objective=objective,
        space=params.named,
        name=name or type(estimator).__name__,
        experiment=experiment,
        metric=objective.metric,
        direction="maximize" if evaluator.isLargerBetter() else "minimize",
        sampler=sampler,
        pruner=pruner,
        max_trials=max_trials,
        timeout=timeout,
        trial_timeout=trial_timeout,
        target=target,
        patience=patience,
        parallelism=parallelism,
        seed=seed,
        warm_start=warm_start,
        deterministic=deterministic,
        data=objective.identity(data),
        executor="driver",
        resume=resume,
        failures=failures,
        tracking=tracking,
    )
    with split.cached():
        more = {"origin": _ORIGIN, "made_from": tables_of(data)}
        result = run(given, Home.find(), lambda: _computed(split, data), progress=progress, **more)
        return _tuned(objective, result, refit=refit)


def _check(estimator: object, evaluator: object, data: object) -> None:
    for name, value, kind in (
        ("estimator", estimator, Estimator),
        ("evaluator", evaluator, Evaluator),
        ("data", data, DataFrame),
    ):
        if not isinstance(value, kind):
            raise TypeError(f"{name} is a {type(value).__name__}; allowed is a pyspark {kind.__name__}")
    assert isinstance(data, DataFrame)
    session = data.sparkSession
    if type(session).__module__.startswith("pyspark.sql.connect"):
        _check_connect(session)


def _check_connect(session: SparkSession) -> None:
    """Looks whether pyspark.ml works there, and not only on a classic session.

    Raises:
        ValueError: it does not; names what does.
    """
    works = (
        "a classic session, or one of SparkSession.builder.remote(...).getOrCreate() on a server of Spark 4 or later"
    )
    if not is_remote():
        raise ValueError(f"data is of a Spark Connect session that pyspark.ml is not switched to; allowed is {works}")
    if int(session.version.partition(".")[0]) < _CONNECT:
        raise ValueError(
            f"data is of a Spark Connect server of Spark {session.version}, without pyspark.ml; allowed is {works}"
        )


def _metric_of(evaluator: Evaluator) -> str:
    named = evaluator.hasParam("metricName") and evaluator.isDefined("metricName")
    return str(evaluator.getOrDefault("metricName")) if named else type(evaluator).__name__


def _computed(split: Split, data: DataFrame) -> SparkSession:
    """The session, once the arguments are checked and the rows are split."""
    split.compute()
    return data.sparkSession


def _tuned(objective: FitAndEvaluate, result: SweepResult, *, refit: bool) -> TunedModel:
    best = objective.space.param_map(result.best_params)
    several = objective.split.plan.folds is not None
    return TunedModel(
        bestModel=objective.fit(best) if refit else None,
        avgMetrics=_values(result, objective.metric),
        stdMetrics=_values(result, deviation_name(objective.metric)) if several else [],
        bestParams=best,
        best_params=flatten(result.best_params),
        sweep_result=result,
    )


def _values(result: SweepResult, metric: str) -> list[float]:
    """Of each trial; nan of one that did not finish, which may know some folds alone."""
    return [math.nan if trial.value is None else trial.metrics[metric] for trial in result.trials]
