"""Asynchronous successive halving, and Hyperband over it."""

from __future__ import annotations

import math
from binascii import crc32
from bisect import bisect_left, insort

from sparkml_track.pruners._base import Pruner
from sparkml_track.pruners._curves import Curve, CurvePruner, check, whole

__all__ = ["AshaPruner", "HyperbandPruner"]


class AshaPruner(CurvePruner):
    """Asynchronous successive halving: lets the best ``1 / reduction`` of all that reached a rung pass it.

    A rung is at step ``min_steps * reduction ** (skip_rungs + rung)``. A trial is compared, when it gets there, with
    those that got there before, whatever became of them; nobody waits. The first ones pass if they are the best so far.
    Source: Li, Jamieson, Rostamizadeh, Gonina, Ben-Tzur, Hardt, Recht, Talwalkar: "A system for massively parallel
    hyperparameter tuning", MLSys 2020; in the form that stops instead of pausing, with Optuna's decisions.

    Args:
        min_steps: the step of the first rung.
        reduction: the factor between rungs, and how many compete for one place.
        skip_rungs: leaves out so many of the first rungs.
        bootstrap: the first so many trials of a rung are stopped there, to compare later ones with.

    Raises:
        SpecError: a setting is not allowed.
    """

    def __init__(self, min_steps: int = 1, reduction: int = 3, skip_rungs: int = 0, bootstrap: int = 0) -> None:
        check(
            "asha",
            whole("min_steps", min_steps, 1),
            whole("reduction", reduction, 2),
            whole("skip_rungs", skip_rungs, 0),
            whole("bootstrap", bootstrap, 0),
        )
        super().__init__()
        self._min_steps, self._reduction, self._skip, self._bootstrap = min_steps, reduction, skip_rungs, bootstrap
        self._rungs: list[list[float]] = []  # rising values of all that got there
        self._passed: dict[int, list[float]] = {}  # of a running trial, one for each rung it got to

    def decide(self, trial: int, curve: Curve) -> bool:
        """Lets it pass as many rungs as its highest step is at."""
        value = curve.values[curve.last]
        passed = self._passed.setdefault(trial, [])
        while curve.last >= self._min_steps * self._reduction ** (self._skip + len(passed)):
            if math.isnan(value) or not self._enter(passed, value):
                return True
        return False

    def ended(self, trial: int, finished: bool) -> None:
        """Its values stay in the rungs."""
        self._passed.pop(trial, None)
        super().ended(trial, finished)

    def forget(self, trial: int) -> None:
        """Takes its values out of the rungs."""
        for rung, value in zip(self._rungs, self._passed.pop(trial, []), strict=False):
            del rung[bisect_left(rung, value)]

    def _enter(self, passed: list[float], value: float) -> bool:
        """Puts the value into the next rung; whether it may go on."""
        if len(passed) == len(self._rungs):
            self._rungs.append([])
        rung = self._rungs[len(passed)]
        insort(rung, value)
        passed.append(value)
        places = max(1, len(rung) // self._reduction)
        return len(rung) > self._bootstrap and value <= rung[places - 1]


class HyperbandPruner(Pruner):
    """Several successive halvings with later and later first rungs, each trial in one of them by its number.

    Source: Li, Jamieson, DeSalvo, Rostamizadeh, Talwalkar: "Hyperband: a novel bandit-based approach to hyperparameter
    optimization", JMLR 2018; asynchronous, and with brackets drawn by a hash, as in Optuna.

    Args:
        min_steps: the step of the first rung of the first bracket.
        max_steps: how far a whole trial goes; "auto" takes one more than the highest step of the first trial
            that finishes, and stops nothing before.
        reduction: as ``AshaPruner``.
        bootstrap: as ``AshaPruner``; not with "auto".
        seed: part of the hash.

    Raises:
        SpecError: a setting is not allowed.
    """

    def __init__(
        self,
        min_steps: int = 1,
        max_steps: int | str = "auto",
        reduction: int = 3,
        bootstrap: int = 0,
        seed: int = 0,
    ) -> None:
        auto = max_steps == "auto"
        check(
            "hyperband",
            whole("min_steps", min_steps, 1),
            ("max_steps", max_steps, auto or whole("", max_steps, 1)[2], "'auto' and whole numbers from 1"),
            whole("reduction", reduction, 2),
            whole("bootstrap", bootstrap, 0),
            ("bootstrap", bootstrap, not (auto and bootstrap), "0 while max_steps is 'auto'"),
        )
        self._min_steps, self._reduction, self._bootstrap, self._seed = min_steps, reduction, bootstrap, seed
        self._lasts: dict[int, int] = {}
        self._longest = -1  # of the finished trials, until the brackets are open
        self._brackets: list[AshaPruner] = []
        self._shares: list[int] = []
        if isinstance(max_steps, int):
            self._open(max_steps)

    def report(self, trial: int, step: int, value: float) -> bool:
        """As the contract says."""
        if not self._brackets and self._longest >= 0:
            self._open(self._longest + 1)
        if not self._brackets:
            self._lasts[trial] = max(step, self._lasts.get(trial, -1))
            return False
        return self._bracket(trial).report(trial, step, value)

    def ended(self, trial: int, finished: bool) -> None:
        """As the contract says; the first that finishes may show how far trials go."""
        last = self._lasts.pop(trial, -1)
        if self._brackets:
            self._bracket(trial).ended(trial, finished)
        elif finished:
            self._longest = max(self._longest, last)

    def restarted(self, trial: int) -> None:
        """As the contract says."""
        self._lasts.pop(trial, None)
        if self._brackets:
            self._bracket(trial).restarted(trial)

    def _open(self, max_steps: int) -> None:
        count = 1
        while self._min_steps * self._reduction**count <= max_steps:
            count += 1
        self._brackets = [
            AshaPruner(self._min_steps, self._reduction, skip_rungs=index, bootstrap=self._bootstrap)
            for index in range(count)
        ]
        self._shares = [math.ceil(count * self._reduction**left / (left + 1)) for left in reversed(range(count))]

    def _bracket(self, trial: int) -> AshaPruner:
        place = crc32(f"{self._seed}_{trial}".encode()) % sum(self._shares)
        index = 0
        while place >= self._shares[index]:
            place -= self._shares[index]
            index += 1
        return self._brackets[index]
