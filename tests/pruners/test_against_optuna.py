"""Optuna's pruners are the oracle: the same streams of reports, the same decisions."""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Iterator
from random import Random

import numpy as np
import optuna
import pytest
from optuna import pruners as theirs
from optuna.trial import TrialState

from sparkml_track import pruners as ours
from sparkml_track.pruners._percentile import percentile_of

optuna.logging.set_verbosity(optuna.logging.WARNING)
with warnings.catch_warnings():
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    PATIENT = [
        theirs.PatientPruner(None, 3),
        theirs.PatientPruner(None, 0, 0.1),
        theirs.PatientPruner(theirs.MedianPruner(1), 2),
    ]

PAIRS = [
    (ours.MedianPruner(), theirs.MedianPruner()),
    (ours.MedianPruner(2, 3, 4, 3), theirs.MedianPruner(2, 3, 4, n_min_trials=3)),
    (ours.PercentilePruner(25.0), theirs.PercentilePruner(25.0)),
    (ours.PercentilePruner(66.6, 0, 1, 2, 2), theirs.PercentilePruner(66.6, 0, 1, 2, n_min_trials=2)),
    (ours.AshaPruner(1, 3), theirs.SuccessiveHalvingPruner(1, 3, 0)),
    (ours.AshaPruner(2, 2, 1, 3), theirs.SuccessiveHalvingPruner(2, 2, 1, 3)),
    (ours.HyperbandPruner(1, 20, 2, seed=5), theirs.HyperbandPruner(1, 20, 2)),
    (ours.HyperbandPruner(2, 17, 3, 2, seed=5), theirs.HyperbandPruner(2, 17, 3, 2)),
    (ours.HyperbandPruner(seed=5), theirs.HyperbandPruner()),
    (ours.PatiencePruner(3), PATIENT[0]),
    (ours.PatiencePruner(0, 0.1), PATIENT[1]),
    (ours.PatiencePruner(2, 0.0, ours.MedianPruner(1)), PATIENT[2]),
    (ours.ThresholdPruner(0.2, 0.9, 2, 3), theirs.ThresholdPruner(0.2, 0.9, 2, 3)),
]


def stream(rng: Random, nans: bool) -> Iterator[tuple[int, int, float, bool]]:
    """Trial, step, value and whether the trial ends after it: eight at a time, steps jumping and some of them late."""
    ties = rng.random() < 0.5
    running: dict[int, list[int]] = {}
    for trial in range(60):
        steps = sorted(rng.sample(range(25), rng.randint(1, 20)))
        for _ in range(rng.randint(0, 2)):
            place = rng.randrange(len(steps))
            steps.insert(rng.randrange(len(steps)), steps.pop(place))
        running[trial] = steps
        while len(running) > (0 if trial == 59 else 7):
            chosen = rng.choice(list(running))
            step = running[chosen].pop(0)
            value = rng.random() + chosen % 5 / 5
            value = math.nan if nans and rng.random() < 0.1 else round(value, 1) if ties else value
            if not running[chosen]:
                del running[chosen]
            yield chosen, step, value, chosen not in running


@pytest.mark.parametrize("maximize", [False, True], ids=["minimize", "maximize"])
@pytest.mark.parametrize(("mine", "oracle"), PAIRS, ids=lambda pruner: type(pruner).__name__)
@pytest.mark.parametrize("seed", range(8))
def test_decisions_are_those_of_optuna(mine: ours.Pruner, oracle: theirs.BasePruner, maximize: bool, seed: int) -> None:
    mine, oracle = copy.deepcopy(mine), copy.deepcopy(oracle)
    if isinstance(mine, ours.ThresholdPruner):
        mine = ours.ThresholdPruner(0.2, 0.9, 2, 3, maximize=maximize)
    # All-nan windows count as worst with us, and as unknown with Optuna's patience.
    nans = not isinstance(mine, ours.PatiencePruner)
    study = optuna.create_study(
        study_name="5",
        direction="maximize" if maximize else "minimize",
        pruner=oracle,
        sampler=optuna.samplers.RandomSampler(),
    )
    trials: dict[int, optuna.Trial] = {}
    stopped = set()
    decisions = 0
    for number, step, value, last in stream(Random(seed), nans):
        while number not in trials:
            trials[len(trials)] = study.ask()
        if number in stopped:
            continue
        trials[number].report(value, step)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # numpy, of columns that are all nan
            expected = trials[number].should_prune()
        assert mine.report(number, step, -value if maximize else value) == expected, (number, step, value)
        decisions += 1
        failed = number % 9 == 8
        if expected or last:
            stopped.add(number)
            state = TrialState.PRUNED if expected else TrialState.FAIL if failed else TrialState.COMPLETE
            study.tell(trials[number], 0.0 if state is TrialState.COMPLETE else None, state=state)
            mine.ended(number, finished=state is TrialState.COMPLETE)
    assert decisions > 60


@pytest.mark.parametrize("share", [0, 1, 25, 33.3, 50, 66.6, 75, 99.9, 100])
def test_percentiles_are_those_of_numpy_bit_for_bit(share: float) -> None:
    rng = Random(0)
    for count in range(1, 40):
        values = sorted(rng.gauss(0, 1) * 10 ** rng.randint(-3, 3) for _ in range(count))
        assert percentile_of(values, share / 100) == np.nanpercentile(values, share)
