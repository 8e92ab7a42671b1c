from __future__ import annotations

from importlib.util import find_spec
from typing import ClassVar

import pytest

from sparkml_track.samplers import Sampler, build
from sparkml_track.space import Space
from sparkml_track.testing.samplers import SamplerCase


def needs(package: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(find_spec(package) is None, reason=f"{package} is not installed")


class Case(SamplerCase):
    spec: ClassVar[object]

    def make(self, space: Space, seed: int = 0, objectives: int = 1) -> Sampler:
        return build(self.spec, space, seed=seed, objectives=objectives)


class TestGrid(Case):
    spec = "grid"


class TestRandom(Case):
    spec = "random"


class TestSobol(Case):
    spec = "quasi-random"


class TestHalton(Case):
    spec: ClassVar[object] = {"quasi-random": {"sequence": "halton"}}


class TestTpe(Case):
    spec = "tpe"


class TestAnneal(Case):
    spec = "anneal"


@pytest.mark.slow
@needs("lightgbm")
class TestAtpe(Case):
    spec = "atpe"


class TestOptunaTpe(Case):
    spec = "optuna-tpe"


class TestOptunaTpeMultivariateGroup(Case):
    spec: ClassVar[object] = {"optuna-tpe": {"multivariate": True, "group": True}}


class TestNsga2(Case):
    spec: ClassVar[object] = {"nsga2": {"population": 10}}


@needs("cmaes")
class TestCmaes(Case):
    spec = "cmaes"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Clip non-finite values:UserWarning")
@needs("torch")
class TestGp(Case):
    spec = "gp"
    trials = 60
