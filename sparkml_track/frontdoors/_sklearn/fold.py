"""What fits and scores one candidate on one split. It is executed in slots.

Slots import this module or get it by value: at the top it imports the standard library alone, and what it refers to
can be pickled. What comes back are numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

__all__ = ["END", "FitAndScore", "FitFailed", "Folds", "Listed", "Open", "Refused"]

#: Comes after the traceback of a fit that failed; what follows is of this module.
END = "\n[end of the traceback]"
#: Characters of a traceback, from its end, and of the line before it.
_LONGEST, _LINE = 1700, 200


class FitFailed(Exception):
    """The estimator raised in ``fit``; what the score is then, ``error_score`` says."""


class Refused(Exception):
    """scikit-learn raised whatever ``error_score`` says."""


class _Trial(Protocol):
    """What is used of the trial in the slot."""

    params: dict[str, object]
    number: int
    unit: int
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Listed:
    """Candidates that were all known before the first fit.

    Attributes:
        all: parameters of each, by number.
    """

    all: Sequence[Mapping[str, Any]]

    def params(self, number: int, recorded: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG002
        """Of a candidate."""
        return dict(self.all[number])


@dataclass(frozen=True, slots=True)
class Open:
    """Candidates that a sampler proposes.

    Attributes:
        objects: options that are recorded by a text, by parameter and that text.
        names: of parameters, by the names they are recorded under.
    """

    objects: Mapping[str, Mapping[str, Any]]
    names: Mapping[str, str]

    def params(self, number: int, recorded: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG002
        """Of a candidate, from what is recorded of it."""
        return {self.names[name]: self._object(name, value) for name, value in recorded.items()}

    def _object(self, name: str, value: Any) -> Any:
        known = self.objects.get(name, {})
        return known.get(value, value) if isinstance(value, str) else value


@dataclass(frozen=True, slots=True)
class Folds:
    """Where splits lie in the array ``splits`` of the data.

    Attributes:
        bounds: of each split, where its training rows begin, where its test rows begin, and where they end.
    """

    bounds: Sequence[tuple[int, int, int]]

    def rows(self, split: int, splits: Any) -> tuple[Any, Any]:
        """Training and test rows of a split."""
        start, middle, end = self.bounds[split]
        return splits[start:middle], splits[middle:end]


@dataclass(eq=False)
class FitAndScore:
    """An objective whose units are splits.

    Attributes:
        estimator: cloned for each fit.
        scorer: as ``_get_scorers`` of scikit-learn's searches gives it.
        candidates: parameters of a trial.
        folds: the splits.
        fit_names: arguments of ``fit`` that the data has as ``fit.NAME``.
        score_names: arguments of the scorer, likewise.
        config: scikit-learn's configuration where the search was started.
        train_score: whether training rows are scored too.
        error_score: as of scikit-learn.
        goal: the metric that is optimised.
        refit: the scorer that this is, if the scoring is a function that returns several.
    """

    estimator: Any
    scorer: Any
    candidates: Listed | Open
    folds: Folds
    fit_names: Sequence[str]
    score_names: Sequence[str]
    config: Mapping[str, Any]
    train_score: bool
    error_score: Any
    goal: str
    refit: str | None = None

    def __call__(self, trial: _Trial) -> dict[str, float]:
        """Fits and scores.

        Raises:
            FitFailed: with the traceback.
            Refused: it is not the fit that failed.
        """
        params = self.candidates.params(trial.number, trial.params)
        try:
            found = self.evaluate(params, trial.unit, trial.data)
        except Exception as error:
            if self.error_score == "raise":
                raise
            raise Refused(f"{type(error).__name__}: {error}") from error
        if found["fit_error"] is not None:
            said = found["fit_error"].rstrip()
            # What went wrong comes first, since logs show one line.
            raise FitFailed(said.splitlines()[-1][:_LINE] + "\n" + said[-_LONGEST:] + END)
        return self._metrics(found)

    def evaluate(self, params: Mapping[str, Any], split: int, data: Mapping[str, Any]) -> dict[str, Any]:
        """What scikit-learn gives for a candidate on a split."""
        from sklearn import clone, config_context
        from sklearn.model_selection._validation import _fit_and_score

        train, test = self.folds.rows(split, data["splits"])
        with config_context(**self.config):
            found: dict[str, Any] = _fit_and_score(
                clone(self.estimator),
                data["X"],
                data.get("y"),
                scorer=self.scorer,
                train=train,
                test=test,
                verbose=0,
                parameters=params,
                fit_params={name: data[f"fit.{name}"] for name in self.fit_names},
                score_params={name: data[f"score.{name}"] for name in self.score_names},
                return_train_score=self.train_score,
                return_times=True,
                error_score=self.error_score,
            )
        return found

    def _metrics(self, found: Mapping[str, Any]) -> dict[str, float]:
        metrics = {"fit_time": float(found["fit_time"]), "score_time": float(found["score_time"])}
        for part in ("test", "train") if self.train_score else ("test",):
            scores = found[f"{part}_scores"]
            named = scores if isinstance(scores, Mapping) else {"score": scores}
            metrics |= {f"{part}_{name}": float(value) for name, value in named.items()}
        if self.goal not in metrics:  # the scoring is a function, so that its names are known only now
            scores = found["test_scores"]
            several = isinstance(scores, Mapping)
            metrics[self.goal] = float(scores.get(self.refit, next(iter(scores.values()))) if several else scores)
        return metrics

    def __setstate__(self, state: dict[str, Any]) -> None:
        # Where processes for attempts are forked from, so that each of them finds it imported.
        import sklearn.model_selection  # noqa: F401

        self.__dict__.update(state)
