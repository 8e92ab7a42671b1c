"""Trials of a sweep as the outcomes of fits that scikit-learn makes ``cv_results_`` of."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sparkml_track.engine.results.summary import Result
from sparkml_track.engine.spec.units import Units
from sparkml_track.frontdoors._sklearn.fold import END
from sparkml_track.trial import State

__all__ = ["Outcomes", "first_refusal"]

_FAILED = "FitFailed: "


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Reads the metrics of trials.

    Attributes:
        units: of the sweep; one for each split.
        names: of the scores if there are several; None for one; empty if they are to be found.
        train: training rows are scored too.
        error_score: the score of a fit that failed.
    """

    units: Units
    names: Sequence[str] | None
    train: bool
    error_score: float

    def of(self, trials: Sequence[Result]) -> list[dict[str, Any]]:
        """An outcome for each split of each trial, in scikit-learn's order."""
        found = [(trial, split, self._metrics(trial, split)) for trial in trials for split in range(self.units.count)]
        names = self.names if self.names is None or self.names else _names(each for _, _, each in found)
        return [self._outcome(trial, split, metrics, names) for trial, split, metrics in found]

    def _metrics(self, trial: Result, split: int) -> dict[str, float]:
        """Of a split that was scored; else empty."""
        if _error(trial, split) is not None:
            return {}
        prefix = self.units.name(split) if self.units.several else ""
        whole = {name.removeprefix(prefix): value for name, value in trial.metrics.items() if name.startswith(prefix)}
        return whole if "fit_time" in whole else {}

    def _outcome(
        self, trial: Result, split: int, metrics: Mapping[str, float], names: Sequence[str] | None
    ) -> dict[str, Any]:
        error = _error(trial, split)
        # A split of a candidate that was left, or ended with the search, was never fitted.
        instead = math.nan if error is None else self.error_score
        parts = ("test", "train") if self.train else ("test",)
        return {
            "fit_error": error,
            "fit_time": metrics.get("fit_time", math.nan if error is None else 0.0),
            "score_time": metrics.get("score_time", math.nan if error is None else 0.0),
            **{f"{part}_scores": _scores(part, metrics, names, instead) for part in parts},
        }


def _scores(part: str, metrics: Mapping[str, float], names: Sequence[str] | None, instead: float) -> Any:
    if names is None:
        return metrics.get(f"{part}_score", instead)
    return {name: metrics.get(f"{part}_{name}", instead) for name in names}


def _names(metrics: Iterator[Mapping[str, float]]) -> Sequence[str] | None:
    """Of the scores that a function returned; None if it returned a number."""
    for each in metrics:
        if each:
            names = [name.removeprefix("test_") for name in each if name.startswith("test_")]
            return None if names == ["score"] else names
    return None


def _error(trial: Result, split: int) -> str | None:
    """The traceback of a fit that failed, or what else became of it; None if it did not fail."""
    failed = dict(trial.failed_units)
    if trial.busy is None and trial.state is State.FAILED:
        failed = {0: trial.message}
    if split not in failed:
        return None
    message = failed[split]
    return message.partition(END)[0].partition("\n")[2] if message.startswith(_FAILED) else message


def first_refusal(trials: Sequence[Result], *, any_failure: bool) -> tuple[int, int] | None:
    """Trial and split of the first fit whose exception scikit-learn would raise; None if there is none.

    Args:
        trials: of the sweep.
        any_failure: a fit that failed counts too.
    """
    marks = ("Refused: ", "FitFailed: ")
    for trial in trials:
        failed = trial.failed_units or (((0, trial.message),) if trial.state is State.FAILED else ())
        for split, message in failed:
            if message.startswith(marks[0]) or (any_failure and trial.reason == "exception"):
                return trial.number, split
    return None
