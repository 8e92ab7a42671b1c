"""One trial: fit on a sample of the training months, measure on a sample of the validation months.

Runs in slots: needs scikit-learn, numpy and pyarrow there, nothing else. Named in ``conf/flights.yaml`` as
``flights.objective:train``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import numpy as np

from flights.model import build, labels, logistic, matrix, measure, trees, weights

__all__ = ["train"]

#: In how many parts a forest or a boosted model is grown, with a report after each.
_PARTS = 5


class Trial(Protocol):
    """What this objective uses of the trial it is given."""

    params: Mapping[str, Any]
    seed: int
    data: Mapping[str, Any]

    def report(self, metrics: Mapping[str, float], step: int) -> None:
        """Tells metrics while the trial runs."""

    def should_stop(self) -> bool:
        """Whether the last report decided against this trial."""


def train(trial: Trial) -> dict[str, float]:
    """Fits ``params["model"]`` on ``params["rows"]`` rows; gives log loss, AUC and Brier score on validation rows.

    Trees are grown in parts. The step of a report is their number; returning after ``should_stop`` counts as pruned.
    """
    x, late = _sample(trial.data["train"], trial.params["rows"])
    x_valid, late_valid = _sample(trial.data["valid"], trial.params["rows"])
    params = trial.params["model"]
    if params["kind"] == "logistic":
        model = build(params, trial.seed, len(late)).fit(x, late)
        return measure(late_valid, model.predict_proba(x_valid)[:, 1])
    linear = logistic().fit(x, late).predict_proba(x_valid)[:, 1]
    share, rest = weights(params)
    grown = trees(params, trial.seed, len(late))
    metrics: dict[str, float] = {}
    for step in _parts(grown):
        vote = grown.fit(x, late).predict_proba(x_valid)[:, 1]
        metrics = measure(late_valid, share * linear + rest * vote)
        trial.report(metrics, step=step)
        if trial.should_stop():
            break
    return metrics


def _sample(table: Any, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """The same rows in every trial, so that losses differ by their parameters and not by their rows."""
    chosen = np.sort(np.random.default_rng(0).permutation(table.num_rows)[:rows])
    return matrix(table, chosen), labels(table)[chosen]


def _parts(grown: Any) -> Iterator[int]:
    """Sets the number of trees part by part, each time for a fit that goes on from the last; gives that number."""
    name = "max_iter" if "max_iter" in grown.get_params() else "n_estimators"
    total = grown.get_params()[name]
    grown.set_params(warm_start=True)
    for number in sorted({max(1, total * part // _PARTS) for part in range(1, _PARTS + 1)}):
        grown.set_params(**{name: number})
        yield number
