"""What fits and evaluates one set of params, in a thread of the driver."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pyspark.ml import Estimator, Model
from pyspark.ml.evaluation import Evaluator
from pyspark.sql import DataFrame

from sparkml_track.frontdoors._sparkml_params import ParamSpace
from sparkml_track.frontdoors._sparkml_split import Part, Split

__all__ = ["FitAndEvaluate", "deviation_name"]


def deviation_name(metric: str) -> str:
    """The metric of a trial that has the standard deviation over folds."""
    return f"{metric}_std"


@dataclass(frozen=True, eq=False)
class FitAndEvaluate:
    """An objective: fits on each part and evaluates on what is held out; its value is the mean.

    After each fold it reports the mean so far, and the value of the fold alone as ``METRIC_fold``.

    Attributes:
        estimator: copied for each fit.
        evaluator: gives one number for predictions.
        space: translates the params of a trial.
        split: the parts.
        metric: the name of the number.
    """

    estimator: Estimator[Any]
    evaluator: Evaluator
    space: ParamSpace
    split: Split
    metric: str

    def __call__(self, trial: Any) -> dict[str, float]:
        """Returns the mean, and with several folds the standard deviation, as ``CrossValidator`` has them."""
        params = self.space.param_map(trial.params)
        values: list[float] = []
        for fold, part in enumerate(self.split.parts()):
            if fold and trial.should_stop():
                break
            values.append(self._value(part, params))
            trial.report({self.metric: _mean(values), f"{self.metric}_fold": values[-1]}, step=fold)
        return self._metrics(values)

    def identity(self, data: DataFrame) -> dict[str, object]:
        """What a sweep that goes on must have too, beside the space."""
        described = {"estimator": self.estimator, "evaluator": self.evaluator}
        texts = {name: self.space.described(stage) for name, stage in described.items()}
        return {"rows": data, **texts, "split": self.split.plan.number}

    def fit(self, params: dict[Any, Any]) -> Model:
        """The model of all rows."""
        fitted: Model = self.estimator.fit(self.split.whole, params)
        return fitted

    def _value(self, part: Part, params: dict[Any, Any]) -> float:
        model = self.estimator.fit(part.train, params)
        return float(self.evaluator.evaluate(model.transform(part.held_out, params)))

    def _metrics(self, values: Sequence[float]) -> dict[str, float]:
        mean = _mean(values)
        squares = [(value - mean) * (value - mean) for value in values]
        several = {deviation_name(self.metric): math.sqrt(_mean(squares))} if len(values) > 1 else {}
        return {self.metric: mean, **several}


def _mean(values: Sequence[float]) -> float:
    """Of nan and infinity too, which the statistics module refuses."""
    return sum(values) / len(values)
