"""Optuna's samplers, behind a study in memory that nobody else sees.

optuna-tpe  tree of Parzen estimators; options multivariate, group. Proposals under way count as bad ones (constant
            liar: Ginsbourger, Le Riche, Carraro, "Kriging is well-suited to parallelize optimization", 2010)
cmaes       covariance matrix adaptation; needs the package cmaes
nsga2       non-dominated sorting genetic algorithm, for several objectives
gp          Gaussian process; needs torch
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from random import Random

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, CmaEsSampler, GPSampler, NSGAIISampler, TPESampler
from optuna.trial import TrialState, create_trial

from sparkml_track.errors import SpaceError, SpecError
from sparkml_track.samplers._base import Capabilities, Sampler
from sparkml_track.samplers._optuna_space import from_optuna, ours, theirs, to_optuna
from sparkml_track.samplers._settings import whole
from sparkml_track.samplers._unfinished import Unfinished
from sparkml_track.space import Space
from sparkml_track.trial import Params, State

__all__ = ["CmaesSampler", "GpSampler", "Nsga2Sampler", "OptunaSampler", "OptunaTpeSampler"]

_TRIES = 3  # a suggestion costs milliseconds
_STATES = {State.FINISHED: TrialState.COMPLETE, State.PRUNED: TrialState.PRUNED}


class OptunaSampler(Sampler):
    """What Optuna's samplers share.

    Failed and killed trials are told as failed, which Optuna passes over; pruned ones with their last value.

    Args:
        space: ours, or a mapping of names to Optuna's distributions.
        sampler: Optuna's.
        seed: of what is drawn here.
        objectives: how many values are told.
    """

    capabilities = Capabilities(adaptive=True, multi_objective=True)

    def __init__(self, space: object, sampler: BaseSampler, seed: int, objectives: int) -> None:
        self._space = space if isinstance(space, Space) else _foreign(space)
        self._searched = {key: to_optuna(leaf.what) for key, leaf in self._space.leaves.items()}
        with _quiet():
            self._study = optuna.create_study(directions=["minimize"] * objectives, sampler=sampler)
        self._objectives = objectives
        self._seed = seed
        self._unfinished = Unfinished()
        self._running: dict[int, optuna.Trial] = {}

    def ask(self, number: int) -> Params:
        """As the contract says."""
        proposed: list[Params] = []

        def propose(attempt: int) -> Params:
            if attempt:
                self._drop(number)
            proposed.append(self._start(number))
            return proposed[-1]

        def draw(attempt: int) -> Params:
            return self._space.sample(Random(f"{self._seed}/{number}/{attempt}"))

        params = self._unfinished.fresh(propose, _TRIES, draw)
        if params is not proposed[-1]:
            self._drop(number)
            self._enqueue(number, self._space.encode(params))
        self._unfinished.start(number, params)
        return params

    def note(self, number: int, params: Params) -> None:
        """Shows it to Optuna as a running trial."""
        self._unfinished.start(number, self._enqueue(number, self._space.encode(params)))

    def tell(self, number: int, params: Params, state: State, values: Sequence[float]) -> None:
        """As the contract says. What nsga2 and cmaes were not asked for has no place in their generations."""
        self._unfinished.end(number)
        trial = self._running.pop(number, None)
        ended = _STATES.get(state, TrialState.FAIL) if values else TrialState.FAIL
        last = values[0] if ended is TrialState.PRUNED and self._objectives == 1 else None
        if trial is None:
            self._add(params, ended, values, last)
            return
        if last is not None:
            trial.report(last, step=0)
        self._study.tell(trial, list(values) if ended is TrialState.COMPLETE else None, state=ended)

    def _start(self, number: int) -> dict[str, object]:
        trial = self._running[number] = self._study.ask()
        return self._space.build(lambda leaf: ours(leaf.what, _suggest(trial, leaf.key, self._searched[leaf.key])))

    def _enqueue(self, number: int, decisions: Mapping[str, object]) -> dict[str, object]:
        self._study.enqueue_trial(self._theirs(decisions))
        return self._start(number)

    def _drop(self, number: int) -> None:
        self._study.tell(self._running.pop(number), state=TrialState.FAIL)

    def _theirs(self, decisions: Mapping[str, object]) -> dict[str, object]:
        return {key: theirs(self._space.leaves[key].what, decision) for key, decision in decisions.items()}

    def _add(self, params: Params, ended: TrialState, values: Sequence[float], last: float | None) -> None:
        decisions = self._theirs(self._space.encode(params))
        trial = create_trial(
            state=ended,
            values=list(values) if ended is TrialState.COMPLETE else None if last is None else [last],
            params=decisions,
            distributions={key: self._searched[key] for key in decisions},
            intermediate_values={} if last is None else {0: last},
        )
        self._study.add_trial(trial)


class OptunaTpeSampler(OptunaSampler):
    """Optuna's tree of Parzen estimators.

    Args:
        space: as for all.
        seed: as for all.
        objectives: as for all.
        multivariate: models parameters together (Falkner, Klein, Hutter: "BOHB", ICML 2018); None leaves it to Optuna.
        group: with ``multivariate``, by groups of parameters that occur together: for conditional spaces.
        startup: how many trials must have ended before the model is asked; random until then.
    """

    def __init__(
        self,
        space: object,
        *,
        seed: int,
        objectives: int = 1,
        multivariate: bool | None = None,
        group: bool = False,
        startup: int = 10,
    ) -> None:
        if group and multivariate is False:
            raise SpecError("option group of sampler 'optuna-tpe' needs multivariate; leave multivariate out or true")
        whole("optuna-tpe", "startup", startup, 0)
        with _quiet():
            sampler = TPESampler(
                seed=seed,
                multivariate=True if group else multivariate,
                group=group,
                n_startup_trials=startup,
                constant_liar=True,
            )
        super().__init__(space, sampler, seed, objectives)


class CmaesSampler(OptunaSampler):
    """Covariance matrix adaptation evolution strategy (Hansen: "The CMA evolution strategy: a tutorial", 2016).

    Categories and what lies inside a choice are drawn at random.

    Raises:
        SpecError: the package cmaes is not installed.
    """

    capabilities = Capabilities(adaptive=True)

    def __init__(self, space: object, *, seed: int, objectives: int = 1) -> None:
        _need("cmaes", "cmaes")
        super().__init__(space, CmaEsSampler(seed=seed, warn_independent_sampling=False), seed, objectives)


class Nsga2Sampler(OptunaSampler):
    """Non-dominated sorting genetic algorithm II (Deb, Pratap, Agarwal, Meyarivan, IEEE TEC 2002).

    Args:
        space: as for all.
        seed: as for all.
        objectives: as for all.
        population: how many trials make a generation.
    """

    def __init__(self, space: object, *, seed: int, objectives: int = 1, population: int = 50) -> None:
        whole("nsga2", "population", population, 2)
        super().__init__(space, NSGAIISampler(seed=seed, population_size=population), seed, objectives)


class GpSampler(OptunaSampler):
    """Gaussian process with the logarithm of expected improvement.

    Raises:
        SpecError: torch is not installed.
    """

    def __init__(self, space: object, *, seed: int, objectives: int = 1) -> None:
        _need("gp", "torch")
        super().__init__(space, GPSampler(seed=seed), seed, objectives)


def _suggest(trial: optuna.Trial, name: str, distribution: BaseDistribution) -> object:
    if isinstance(distribution, CategoricalDistribution):
        return trial.suggest_categorical(name, distribution.choices)
    if isinstance(distribution, IntDistribution):
        return trial.suggest_int(
            name, distribution.low, distribution.high, step=distribution.step, log=distribution.log
        )
    assert isinstance(distribution, FloatDistribution)
    return trial.suggest_float(name, distribution.low, distribution.high, step=distribution.step, log=distribution.log)


def _foreign(space: object) -> Space:
    if isinstance(space, Mapping) and all(isinstance(value, BaseDistribution) for value in space.values()):
        return from_optuna(space)
    raise SpaceError(f"Optuna's samplers take our spaces or a mapping of its distributions, not {type(space).__name__}")


def _need(sampler: str, package: str) -> None:
    if find_spec(package) is None:
        raise SpecError(
            f"sampler {sampler!r} needs {package}, which is not installed here: pip install 'sparkml-track[{sampler}]'"
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """Optuna announces studies that only we see, and warns of options we ask for by purpose."""
    logger = logging.getLogger("optuna")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            yield
    finally:
        logger.setLevel(level)
