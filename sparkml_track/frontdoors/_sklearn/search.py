"""One ``fit`` as one sweep: a candidate is a trial, a split is a unit of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy
import sklearn

from sparkml_track.api.sweep import run
from sparkml_track.engine.identity.data_digest import data_digest
from sparkml_track.engine.loop.progress import ProgressListener
from sparkml_track.engine.results.summary import Result
from sparkml_track.engine.results.sweep_result import SweepResult
from sparkml_track.engine.spec.arguments import SweepArguments
from sparkml_track.engine.spec.spec import Failures, Tracking
from sparkml_track.engine.spec.units import Units
from sparkml_track.errors import SweepStopped
from sparkml_track.frontdoors._sklearn.candidates import Search
from sparkml_track.frontdoors._sklearn.fold import FitAndScore, Folds
from sparkml_track.frontdoors._sklearn.identity import described
from sparkml_track.frontdoors._sklearn.outcomes import Outcomes, first_refusal
from sparkml_track.home import Home
from sparkml_track.trial import Outcome

if TYPE_CHECKING:
    from sparkml_track.api.session import SparkSession

__all__ = ["Fit", "Limits", "Scoring", "evaluated"]

#: What goes on with a search that was interrupted; without a name nobody can mean an earlier one.
_WAY_ON = {"door": "fit(...) of a SparkSearchCV with the same name, on the same data"}
_NO_WAY_ON = {
    "door": "only fit(...) of a SparkSearchCV that has a name",
    "once": "SparkSearchCV(..., name=...) makes a search that goes on when it is fitted again",
}


@dataclass(frozen=True, slots=True)
class Scoring:
    """How candidates are scored.

    Attributes:
        scorer: as ``_get_scorers`` gives it.
        names: of several scores; None for one, empty if a function returns them.
        refit: the name of the score that decides, if there are several.
        train: training rows are scored too.
        error_score: "raise", or the score of a fit that failed.
    """

    scorer: Any
    names: Sequence[str] | None
    refit: str | None
    train: bool
    error_score: Any

    @property
    def raises(self) -> bool:
        """Whether an exception of a fit is raised."""
        return isinstance(self.error_score, str)

    @property
    def goal(self) -> str:
        """The metric that samplers and pruners go by; of several scores without ``refit`` the first."""
        if self.names is None:
            return "test_score"
        return f"test_{self.refit or self.names[0]}" if self.names else "score"


@dataclass(frozen=True, slots=True)
class Fit:
    """What is fitted.

    Attributes:
        estimator: cloned for each fit.
        data: "X", and "y" if there is one.
        splits: training and test rows of each.
        fit_params: for ``fit``.
        score_params: for the scorer.
    """

    estimator: Any
    data: Mapping[str, Any]
    splits: Sequence[tuple[Any, Any]]
    fit_params: Mapping[str, Any]
    score_params: Mapping[str, Any]

    def folds(self) -> tuple[Folds, Any]:
        """Where splits lie, and the array they lie in."""
        parts: list[Any] = []
        bounds: list[tuple[int, int, int]] = []
        end = 0
        for split in self.splits:
            train, test = map(_rows, split)
            parts += [train, test]
            bounds.append((end, end + len(train), end + len(train) + len(test)))
            end = bounds[-1][2]
        return Folds(tuple(bounds)), numpy.concatenate(parts)

    def placed(self, splits: Any) -> dict[str, Any]:
        """All that slots read, by name."""
        fit = {f"fit.{name}": value for name, value in self.fit_params.items()}
        score = {f"score.{name}": value for name, value in self.score_params.items()}
        return {**self.data, **fit, **score, "splits": splits}


@dataclass(frozen=True, slots=True)
class Limits:
    """Where and for how long, as of ``sweep()``."""

    name: str | None
    experiment: str | None
    pruner: object
    timeout: float | None
    parallelism: int | None
    executor: str
    isolation: str
    tracking: Tracking
    progress: ProgressListener | bool | None
    session: Callable[[], SparkSession]


@dataclass(frozen=True, slots=True)
class _First:
    """Keeps the trials that came, for the one that stopped the sweep."""

    results: list[Result] = field(default_factory=list)

    def __call__(self, result: Result, _: Outcome) -> str:
        if result.failed_units or result.message:
            self.results.append(result)
        return ""


def evaluated(fit: Fit, search: Search, scoring: Scoring, limits: Limits) -> tuple[SweepResult, list[dict[str, Any]]]:
    """Fits and scores all candidates.

    Returns:
        The sweep, and an outcome for each split of each of its trials as scikit-learn has them.

    Raises:
        Exception: of the user's estimator or scorer, where scikit-learn raises it.
        SparkmlError: as ``sweep()`` raises.
    """
    folds, splits = fit.folds()
    objective = FitAndScore(
        estimator=fit.estimator,
        scorer=scoring.scorer,
        candidates=search.candidates,
        folds=folds,
        fit_names=tuple(fit.fit_params),
        score_names=tuple(fit.score_params),
        config=_config(),
        train_score=scoring.train,
        error_score=scoring.error_score,
        goal=scoring.goal,
        refit=scoring.refit,
    )
    data = fit.placed(splits)
    instead = None if scoring.raises else float(scoring.error_score)
    units = Units(len(fit.splits), instead, "split{index}_")
    given = _arguments(objective, data, units, search, limits)
    came = _First()
    more: dict[str, Any] = {"accepted": came, "origin": _WAY_ON if limits.name else _NO_WAY_ON}
    try:
        result = run(given, Home.find(), limits.session, progress=limits.progress, **more)
    except SweepStopped:
        _raise_again(objective, data, came.results, scoring)
        raise
    _raise_again(objective, data, result.trials, scoring)
    instead_score = math.nan if instead is None else scoring.error_score
    outcomes = Outcomes(units, scoring.names, scoring.train, instead_score)
    return result, outcomes.of(result.trials)


def _arguments(
    objective: FitAndScore, data: Mapping[str, Any], units: Units, search: Search, limits: Limits
) -> SweepArguments:
    identity = {"estimator": objective.estimator, "scorer": objective.scorer, "train": objective.train_score}
    digest = data_digest(described(identity))
    return SweepArguments(
        objective=objective,
        space=search.space,
        name=limits.name or type(objective.estimator).__name__,
        experiment=limits.experiment,
        metric=objective.goal,
        direction="maximize",
        sampler=search.sampler,
        pruner=limits.pruner,
        max_trials=search.max_trials,
        timeout=limits.timeout,
        parallelism=limits.parallelism,
        seed=search.seed,
        # No slot reads it; a search whose estimator changed does not go on.
        data={**data, "estimator": numpy.frombuffer(digest.encode(), numpy.uint8)},
        executor=limits.executor,
        isolation=limits.isolation,
        resume="auto" if limits.name else "never",
        failures=Failures(max_failed=0 if objective.error_score == "raise" else None),
        tracking=limits.tracking,
        units=units,
    )


def _config() -> dict[str, Any]:
    """scikit-learn's own, as far as it can be given to another process."""
    config: dict[str, Any] = sklearn.get_config()
    return config


def _rows(part: Any) -> Any:
    rows = numpy.asarray(part)
    return numpy.flatnonzero(rows) if rows.dtype == bool else rows.astype(numpy.intp, copy=False)


def _raise_again(objective: FitAndScore, data: Mapping[str, Any], trials: Sequence[Result], scoring: Scoring) -> None:
    """Raises what scikit-learn would: the fit is done once more, here, since slots send no exceptions.

    Raises:
        Exception: of the user's estimator or scorer.
    """
    found = first_refusal(trials, any_failure=scoring.raises)
    if found is None:
        return
    number, split = found
    trial = next(each for each in trials if each.number == number)
    objective.evaluate(objective.candidates.params(number, trial.params), split, data)
