from __future__ import annotations

from typing import ClassVar

from sparkml_track.pruners import Pruner, build
from sparkml_track.testing.pruners import PrunerCase


class Case(PrunerCase):
    spec: ClassVar[object]

    def make(self) -> Pruner:
        pruner = build(self.spec, seed=0)
        assert pruner is not None
        return pruner


class TestMedian(Case):
    spec = "median"


class TestPercentile(Case):
    spec: ClassVar[object] = {"percentile": {"percentile": 30, "startup_trials": 2, "warmup_steps": 1}}


class TestAsha(Case):
    spec = "asha"


class TestHyperband(Case):
    spec: ClassVar[object] = {"hyperband": {"max_steps": 30}}


class TestHyperbandAuto(Case):
    spec = "hyperband"


class TestPatience(Case):
    spec: ClassVar[object] = {"patience": {"patience": 3}}


class TestPatienceOverMedian(Case):
    spec: ClassVar[object] = {"patience": {"patience": 1, "pruner": "median"}}


class TestThreshold(Case):
    spec: ClassVar[object] = {"threshold": {"upper": 10}}
