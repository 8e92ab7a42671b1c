"""The cases that Optuna ships for samplers, with every ``study.optimize`` in them through the door."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.samplers import BaseSampler
from optuna.testing.pytest_samplers import (
    BasicSamplerTestCase,
    MultiObjectiveSamplerTestCase,
    RelativeSamplerTestCase,
    SingleOnlySamplerTestCase,
)

from sparkml_track.engine.spec.spec import Tracking
from sparkml_track.frontdoors.optuna import optimize

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")]
UNTRACKED = Tracking(uri="memory:", child_runs="none")


@pytest.fixture(autouse=True)
def through_the_door(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARKML_HOME", str(home))

    def through(study: optuna.Study, *arguments: Any, **named: Any) -> None:
        optimize(study, *arguments, **{"executor": "inline", "tracking": UNTRACKED, **named})

    monkeypatch.setattr(optuna.Study, "optimize", through)


def quiet(make: Callable[[], BaseSampler]) -> BaseSampler:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return make()


class Relative(RelativeSamplerTestCase):
    """Without the case that looks at a private attribute of Optuna's own trial."""

    test_trial_relative_params = None


class TestRandom(BasicSamplerTestCase, MultiObjectiveSamplerTestCase):
    @pytest.fixture
    def sampler(self) -> Callable[[], BaseSampler]:
        return optuna.samplers.RandomSampler


class TestTpe(BasicSamplerTestCase, MultiObjectiveSamplerTestCase, Relative):
    @pytest.fixture
    def sampler(self) -> Callable[[], BaseSampler]:
        return partial(quiet, lambda: optuna.samplers.TPESampler(n_startup_trials=0, multivariate=True))


class TestGroupedTpe(BasicSamplerTestCase):
    @pytest.fixture
    def sampler(self) -> Callable[[], BaseSampler]:
        make = partial(optuna.samplers.TPESampler, n_startup_trials=2, multivariate=True, group=True)
        return partial(quiet, make)


class TestNsga2(BasicSamplerTestCase, MultiObjectiveSamplerTestCase):
    @pytest.fixture
    def sampler(self) -> Callable[[], BaseSampler]:
        return lambda: optuna.samplers.NSGAIISampler(population_size=4)


class TestCmaEs(BasicSamplerTestCase, Relative, SingleOnlySamplerTestCase):
    @pytest.fixture
    def sampler(self) -> Callable[[], BaseSampler]:
        pytest.importorskip("cmaes")
        return partial(quiet, lambda: optuna.samplers.CmaEsSampler(n_startup_trials=1, warn_independent_sampling=False))


class TestQuasiRandom(BasicSamplerTestCase, Relative):
    @pytest.fixture
    def sampler(self) -> Callable[[], BaseSampler]:
        return partial(quiet, lambda: optuna.samplers.QMCSampler(warn_independent_sampling=False))
