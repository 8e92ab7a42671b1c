"""scikit-learn's searches on this package's engine: ``SparkSearchCV`` takes the place of ``GridSearchCV`` and others.

A candidate is a trial with a child run, a split is a unit of it: candidates and splits are executed side by side, a
lost one alone again. The best candidate is refitted on the driver, as in scikit-learn.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy
from sklearn.base import _fit_context, clone, is_classifier
from sklearn.metrics._scorer import _MultimetricScorer
from sklearn.model_selection import check_cv
from sklearn.model_selection._search import BaseSearchCV
from sklearn.model_selection._validation import _insert_error_scores, _warn_or_raise_about_fit_failures
from sklearn.utils import get_tags
from sklearn.utils.validation import _check_method_params, indexable

from sparkml_track.adapters.spark.errors import check_session
from sparkml_track.api.session import local_or_active
from sparkml_track.engine.loop.progress import ProgressListener
from sparkml_track.engine.results.sweep_result import SweepResult
from sparkml_track.engine.spec.spec import Tracking
from sparkml_track.frontdoors._sklearn.candidates import Search, search_of
from sparkml_track.frontdoors._sklearn.model import log_refitted
from sparkml_track.frontdoors._sklearn.search import Fit, Limits, Scoring, evaluated
from sparkml_track.home import Home
from sparkml_track.samplers import Sampler
from sparkml_track.trial import State

if TYPE_CHECKING:
    from sparkml_track.api.session import SparkSession

__all__ = ["SparkSearchCV"]


class SparkSearchCV(BaseSearchCV):  # type: ignore[misc]
    """A search with the contract of ``GridSearchCV`` and ``RandomizedSearchCV``: the same results on the same splits.

    It has their methods and attributes. A candidate that was left after its first splits has nan for the others.

    Args:
        estimator: what is fitted; cloned.
        space: parameters to lists, to distributions of ``scipy.stats`` or to ours (``st.loguniform`` ...), or a list of
            such mappings.
        sampler: "grid" and "random" have the candidates of ``GridSearchCV`` and ``RandomizedSearchCV``; others are
            those of ``sparkml_track.sweep``. None takes "grid" for lists, "random" for scipy's distributions, and "tpe"
            for ours.
        n_trials: candidates; by default the whole grid, else 10.
        scoring: as of ``GridSearchCV``; of several scores that of ``refit`` counts for samplers and pruners, without
            one the first.
        cv: as of ``GridSearchCV``.
        refit: likewise.
        pruner: leaves hopeless candidates after their first splits: "median" and others, see ``sparkml_track.sweep``.
            It gets the mean so far; its step is the number of splits done.
        error_score: as of ``GridSearchCV``.
        return_train_score: likewise.
        verbose: likewise; 0 shows no progress.
        random_state: of candidates; of the sampler.
        name: of the search: a ``fit`` that was interrupted goes on when it is called again with the same name, data,
            splits and candidates.
        experiment: MLflow's; the name by default.
        timeout: seconds after which no candidate is begun and those that run are ended.
        executor: as of ``sparkml_track.sweep``, as all below.
        parallelism: fits at one time.
        isolation: "recycled" or "fresh".
        tracking: where runs go; ``Tracking(uri="memory:")`` for nothing that stays.
        log_model: log the refitted estimator to the parent run.
        progress: called a few times a second.

    Attributes:
        sweep_result_: what ``sweep()`` returns, with the ids of the runs.
        model_uri_: of the refitted estimator, for ``mlflow.sklearn.load_model``; None if it was not logged.
    """

    _parameter_constraints = {  # noqa: RUF012 - scikit-learn's own has no type either
        name: allowed
        for name, allowed in BaseSearchCV._parameter_constraints.items()  # noqa: SLF001 - it is its base class
        if name not in ("n_jobs", "pre_dispatch")
    }
    _session: SparkSession | None = None

    def __init__(  # noqa: PLR0913 - scikit-learn's, and those of sweep()
        self,
        estimator: Any,
        space: Any,
        *,
        sampler: str | Mapping[str, Any] | Sampler | None = None,
        n_trials: int | None = None,
        scoring: Any = None,
        cv: Any = None,
        refit: bool | str | Callable[..., int] = True,
        pruner: Any = None,
        error_score: float | str = numpy.nan,
        return_train_score: bool = False,
        verbose: int = 0,
        random_state: Any = None,
        name: str | None = None,
        experiment: str | None = None,
        timeout: float | None = None,
        executor: str = "auto",
        parallelism: int | None = None,
        isolation: str = "recycled",
        tracking: Tracking | None = None,
        log_model: bool = True,
        progress: ProgressListener | bool | None = None,
    ) -> None:
        self.estimator = estimator
        self.scoring = scoring
        self.refit = refit
        self.cv = cv
        self.verbose = verbose
        self.error_score = error_score
        self.return_train_score = return_train_score
        self.space = space
        self.sampler = sampler
        self.n_trials = n_trials
        self.pruner = pruner
        self.random_state = random_state
        self.name = name
        self.experiment = experiment
        self.timeout = timeout
        self.executor = executor
        self.parallelism = parallelism
        self.isolation = isolation
        self.tracking = tracking
        self.log_model = log_model
        self.progress = progress

    def on(self, spark: SparkSession) -> Self:
        """Fits on this session; without it on the active one, else on a local one.

        A session is not an argument of the constructor, since scikit-learn copies those; copies of this have none.
        """
        self._session = spark
        return self

    def __sklearn_tags__(self) -> Any:
        tags, inner = super().__sklearn_tags__(), get_tags(self.estimator).target_tags
        tags.target_tags.multi_output, tags.target_tags.single_output = inner.multi_output, inner.single_output
        return tags

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in super().__getstate__().items() if name != "_session"}

    # *SearchCV.estimator is not validated yet
    @_fit_context(prefer_skip_nested_validation=False)  # type: ignore[untyped-decorator]
    def fit(self, X: Any, y: Any = None, **params: Any) -> Self:  # noqa: N803 - scikit-learn's
        """Fits and scores all candidates, then the best one on all rows; see ``GridSearchCV.fit``."""
        if getattr(self, "_skl_callbacks", ()):
            raise ValueError(
                f"{type(self).__name__} has callbacks of scikit-learn, which it cannot call: its fits are in other "
                "processes; follow it with progress=... instead"
            )
        scorers, refit_metric = self._get_scorers()
        X, y = indexable(X, y)  # noqa: N806
        routed = self._get_routed_params_for_fit(_check_method_params(X, params=params))
        cv = check_cv(self.cv, y, classifier=is_classifier(self.estimator))
        self.n_splits_ = cv.get_n_splits(X, y, **routed.splitter.split)
        splits = self._splits(list(cv.split(X, y, **routed.splitter.split)))
        base = clone(self.estimator)
        data = {"X": X} if y is None else {"X": X, "y": y}
        fit = Fit(base, data, splits, dict(routed.estimator.fit), dict(routed.scorer.score))
        search = search_of(self.space, self.sampler, self.n_trials, self.random_state)
        out, results = self._search(fit, search, scorers)
        self._choose(out, results, refit_metric)
        if self.refit:
            self._refit(base, data, routed.estimator.fit)
        self.scorer_ = scorers._scorers if isinstance(scorers, _MultimetricScorer) else scorers  # noqa: SLF001
        self.cv_results_ = results
        return self

    def _splits(self, splits: list[Any]) -> list[Any]:
        if len(splits) != self.n_splits_:
            raise ValueError(
                "cv.split and cv.get_n_splits return inconsistent results. "
                f"Expected {self.n_splits_} splits, got {len(splits)}"
            )
        return splits

    def _search(self, fit: Fit, search: Search, scorers: Any) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        self._announce(search)
        if search.many == 0 or not fit.splits:
            raise ValueError("No fits were performed. Was the CV iterator empty? Were there no candidates?")
        sweep, out = evaluated(fit, search, self._scoring(scorers), self._limits())
        self.sweep_result_ = sweep
        self._warn_of_failures(out)
        candidates = [search.candidates.params(trial.number, trial.params) for trial in sweep.trials]
        with warnings.catch_warnings():
            if _left(sweep):  # their means are nan, which is no news
                warnings.filterwarnings("ignore", message="One or more of the .* scores are non-finite")
            return out, self._format_results(candidates, len(fit.splits), out)

    def _announce(self, search: Search) -> None:
        if self.verbose > 0 and search.many is not None:
            print(  # noqa: T201 - as scikit-learn
                f"Fitting {self.n_splits_} folds for each of {search.many} candidates, totalling "
                f"{self.n_splits_ * search.many} fits"
            )

    def _scoring(self, scorers: Any) -> Scoring:
        names: Sequence[str] | None = None
        if isinstance(scorers, _MultimetricScorer):
            names = tuple(scorers._scorers)  # noqa: SLF001 - it has no other way
        elif callable(self.scoring):
            names = ()
        refit = self.refit if isinstance(self.refit, str) else None
        return Scoring(scorers, names, refit, self.return_train_score, self.error_score)

    def _limits(self) -> Limits:
        return Limits(
            name=self.name,
            experiment=self.experiment,
            pruner=self.pruner,
            timeout=self.timeout,
            parallelism=self.parallelism,
            executor=self.executor,
            isolation=self.isolation,
            tracking=self.tracking or Tracking(),
            progress=False if self.progress is None and not self.verbose else self.progress,
            session=self._opened,
        )

    def _opened(self) -> SparkSession:
        if self._session is not None:
            check_session(self._session, "the session of on()")
        return self._session or local_or_active(home=Home.find())

    def _warn_of_failures(self, out: list[dict[str, Any]]) -> None:
        _warn_or_raise_about_fit_failures(out, self.error_score)
        if callable(self.scoring):
            _insert_error_scores(out, self.error_score)

    def _choose(self, out: list[dict[str, Any]], results: dict[str, Any], refit_metric: Any) -> None:
        first = out[0]["test_scores"]
        self.multimetric_ = isinstance(first, dict)
        if callable(self.scoring) and self.multimetric_:
            self._check_refit_for_multimetric(first)
            refit_metric = self.refit
        if self.refit or not self.multimetric_:
            self.best_index_ = self._select_best_index(self.refit, refit_metric, results)
            if not callable(self.refit):
                self.best_score_ = results[f"mean_test_{refit_metric}"][self.best_index_]
            self.best_params_ = results["params"][self.best_index_]

    def _refit(self, base: Any, data: Mapping[str, Any], fit_params: Mapping[str, Any]) -> None:
        # Parameters may be estimators.
        self.best_estimator_ = clone(base).set_params(**clone(self.best_params_, safe=False))
        started = time.time()
        self.best_estimator_.fit(*data.values(), **fit_params)
        self.refit_time_ = time.time() - started
        if hasattr(self.best_estimator_, "feature_names_in_"):
            self.feature_names_in_ = self.best_estimator_.feature_names_in_
        self.model_uri_ = None
        if self.log_model:
            tracking = self.tracking or Tracking()
            self.model_uri_ = log_refitted(self.best_estimator_, data["X"], self.sweep_result_, tracking)


def _left(sweep: SweepResult) -> bool:
    """Whether a candidate has splits that were never fitted."""
    return any(trial.state in {State.PRUNED, State.KILLED} for trial in sweep.trials)
