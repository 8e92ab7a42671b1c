"""ASHA through four slots beside no pruning: seconds until a trial has finished with a given validation loss.

Both arms draw the same configurations at random. The loss to reach is what forty trials without pruning reach in the
middle (the median over seeds of the best of the first forty). Seconds count from the call of sweep().
"""

from __future__ import annotations

import logging
import math
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy
from sklearn.datasets import load_digits
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

import sparkml_track as st

__all__ = ["WORKLOADS", "compare"]

Row = dict[str, object]
_SLOTS, _STEPS, _FIRST = 4, 27, 40
_ASHA = {"asha": {"min_steps": 3, "reduction": 3}}  # rungs after 3, 9 and 27 steps


@dataclass(frozen=True)
class Workload:
    """A model that is fitted in steps.

    Attributes:
        name: shown.
        space: of its parameters.
        objective: reports the validation loss after each of 27 steps.
        data: what it reads.
    """

    name: str
    space: Mapping[str, object]
    objective: Callable[[Any], float]
    data: Callable[[], dict[str, Any]]


def digits() -> dict[str, Any]:
    """Train and validation rows."""
    x, y = load_digits(return_X_y=True)
    parts = train_test_split(x / 16, y, test_size=0.4, random_state=0, stratify=y)
    return dict(zip(("x", "x_valid", "y", "y_valid"), parts, strict=True))


def odd_digits() -> dict[str, Any]:
    """The same, asking whether the digit is odd."""
    data = digits()
    return {**data, "y": data["y"] % 2, "y_valid": data["y_valid"] % 2}


def boosting(trial: Any) -> float:
    """Four iterations a step, going on from the model so far."""
    data, params = trial.data, trial.params
    model = HistGradientBoostingClassifier(
        learning_rate=params["rate"],
        max_leaf_nodes=params["leaves"],
        min_samples_leaf=params["rows"],
        l2_regularization=params["l2"],
        warm_start=True,
        early_stopping=False,
        random_state=0,
    )
    loss = math.inf
    for step in range(1, _STEPS + 1):
        model.set_params(max_iter=4 * step)
        model.fit(data["x"], data["y"])
        loss = float(log_loss(data["y_valid"], model.predict_proba(data["x_valid"])))
        trial.report({"loss": loss}, step=step)
        if trial.should_stop():
            break
    return loss


def network(trial: Any) -> float:
    """Three epochs a step."""
    data, params = trial.data, trial.params
    x, y = numpy.asarray(data["x"]), numpy.asarray(data["y"])
    model = MLPClassifier(
        (params["width"],),
        alpha=params["alpha"],
        batch_size=params["batch"],
        learning_rate_init=params["rate"],
        random_state=0,
    )
    loss = math.inf
    for step in range(1, _STEPS + 1):
        for _ in range(3):
            model.partial_fit(x, y, classes=range(10))
        chances = numpy.clip(model.predict_proba(data["x_valid"]), 1e-15, 1.0)
        loss = float(log_loss(data["y_valid"], chances / chances.sum(axis=1, keepdims=True), labels=range(10)))
        trial.report({"loss": loss}, step=step)
        if trial.should_stop():
            break
    return loss


WORKLOADS = (
    Workload(
        "histogram gradient boosting",
        {
            "rate": st.loguniform(1e-3, 1.0),
            "leaves": st.randint(2, 32),
            "rows": st.randint(1, 100),
            "l2": st.loguniform(1e-3, 100),
        },
        boosting,
        odd_digits,
    ),
    Workload(
        "MLP",
        {
            "rate": st.loguniform(1e-5, 1.0),
            "width": st.randint(8, 128),
            "alpha": st.loguniform(1e-6, 10),
            "batch": st.choice(16, 32, 64, 128),
        },
        network,
        digits,
    ),
)


def _sweep(workload: Workload, seed: int, **more: Any) -> tuple[st.SweepResult, float]:
    began = time.time()
    result = st.sweep(
        workload.objective,
        workload.space,
        name="pruning",
        sampler="random",
        seed=seed,
        parallelism=_SLOTS,
        data=workload.data(),
        executor="processes",
        resume="never",
        tracking=st.Tracking(uri="memory:", child_runs="none"),
        progress=lambda _: None,
        **more,
    )
    return result, began


def _until(result: st.SweepResult, began: float, loss: float) -> float | None:
    """Seconds until a trial had finished with this loss or a lower one."""
    ends = [
        trial.started + trial.duration - began
        for trial in result.trials
        if trial.state == "finished" and trial.value is not None and trial.value[0] <= loss
    ]
    return min(ends, default=None)


def compare(seeds: int, trials: int) -> Iterator[Row]:
    """A row for each workload."""
    logging.disable(logging.INFO)
    for workload in WORKLOADS:
        plain = [_sweep(workload, seed, max_trials=trials) for seed in range(seeds)]
        firsts = [[trial.value[0] for trial in result.trials[:_FIRST] if trial.value] for result, _ in plain]
        loss = statistics.median(min(values) for values in firsts)
        without, with_asha, stopped = [], [], []
        for seed, (result, began) in enumerate(plain):
            whole = max(trial.started + trial.duration for trial in result.trials) - began
            # A seed that does not get there counts with the whole time it had: too little, never too much.
            without.append(_until(result, began, loss) or whole)
            found, start = _sweep(
                workload,
                seed,
                pruner=_ASHA,
                target=loss,
                max_trials=20 * trials,
                timeout=3 * whole,
            )
            with_asha.append(_until(found, start, loss) or 3 * whole)
            stopped.append(found.counts.pruned / max(1, found.counts.pruned + found.counts.finished))
        yield {
            "workload": workload.name,
            "loss": loss,
            "without_s": statistics.median(without),
            "asha_s": statistics.median(with_asha),
            "times_sooner": sum(without) / sum(with_asha),
            "by_seed": sorted(round(a / b, 2) for a, b in zip(without, with_asha, strict=True)),
            "pruned_share": statistics.mean(stopped),
            "seconds_a_trial": statistics.mean(trial.duration for trial in plain[0][0].trials),
        }
