"""hyperopt's own search algorithms, asked one suggestion at a time.

    tpe     Bergstra, Bardenet, Bengio, Kegl: "Algorithms for hyper-parameter optimization", NIPS 2011
    anneal  simulated annealing around good points
    atpe    "adaptive" TPE, whose settings come from models that hyperopt ships; needs lightgbm
    random  of foreign expressions

Proposals under way are not shown to hyperopt itself, which would count them as start-up trials. They differ because
each has a seed of its own, as section 5 of the paper above does it: "simply ignoring recently proposed points and
relying on the stochasticity of draws from l(x)"; where draws meet all the same (few discrete values) another seed is
tried. TPE, which then draws several times from the same l(x), takes those under way for bad ones: the constant liar of
Ginsbourger, Le Riche, Carraro: "Kriging is well-suited to parallelize optimization", 2010. With one at a time there is
nobody to lie about, and its proposals are hyperopt's.
"""

from __future__ import annotations

import math
import warnings
from bisect import insort
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.util import find_spec
from operator import itemgetter
from typing import Any

from hyperopt import Domain, anneal, rand, trials_from_docs
from hyperopt.base import JOB_STATE_DONE, STATUS_OK

from sparkml_track.errors import SpecError
from sparkml_track.samplers._base import Capabilities, Sampler
from sparkml_track.samplers._hyperopt_space import labels_of
from sparkml_track.samplers._hyperopt_tpe import Posterior
from sparkml_track.samplers._numbered import NumberedSampler
from sparkml_track.samplers._settings import whole
from sparkml_track.samplers._unfinished import Unfinished, seed_of
from sparkml_track.trial import Params, State

__all__ = ["AnnealSampler", "AtpeSampler", "ExpressionRandomSampler", "TpeSampler"]

_TRIES = 3  # a suggestion costs milliseconds
_RECENT = 500
_BEST = 50  # TPE looks at no more than 25 good ones
_GAMMA = 0.25  # hyperopt's defaults
_SHRINK = 0.1


class History:
    """What was told, as hyperopt's documents; hands out the latest 500 and the 50 best.

    hyperopt's cost grows with the history (its own TPE takes 60 ms at 10,000 trials, 5 ms at 1,000), and its linear
    forgetting gives old, bad trials next to no weight. Up to 500 trials nothing is left out.
    """

    def __init__(self) -> None:
        self._by_number: list[tuple[int, dict[str, Any]]] = []
        self._by_loss: list[tuple[float, int, dict[str, Any]]] = []
        self._trials: Any = None
        self._shown = 0

    @property
    def total(self) -> int:
        """How many were told."""
        return len(self._by_number)

    @property
    def shown(self) -> int:
        """How many of them are handed out."""
        return self._shown

    def add(self, number: int, values: Mapping[str, object], labels: Sequence[str], loss: float) -> None:
        """Takes a finished trial."""
        document = _document(number, values, labels, loss)
        insort(self._by_number, (number, document), key=itemgetter(0))
        insort(self._by_loss, (loss, number, document), key=itemgetter(0, 1))
        del self._by_loss[_BEST:]
        self._trials = None

    def trials(self) -> Any:
        """As a ``hyperopt.Trials``; made anew only when something was told since."""
        if self._trials is None:
            chosen = dict(self._by_number[-_RECENT:])
            chosen |= {number: document for _, number, document in self._by_loss}
            self._shown = len(chosen)
            self._trials = trials_from_docs([chosen[number] for number in sorted(chosen)], validate=False)
        return self._trials


class HyperoptSampler(Sampler):
    """What hyperopt's algorithms share.

    Finished trials are told with their value, pruned ones with their last; failed and killed ones are left out, as
    hyperopt does with trials that raised.

    Args:
        space: ours, or an expression of ``hp.*`` nodes, whose parameters are then the values of its labels.
        seed: of the sweep; every suggestion has its own.
        objectives: must be 1.
    """

    capabilities = Capabilities(adaptive=True)

    def __init__(self, space: object, *, seed: int, objectives: int = 1) -> None:
        del objectives  # the factory has looked at the capabilities
        self._labels = labels_of(space)
        self._domain = Domain(_nothing, self._labels.expression)
        self._seed = seed
        self._history = History()
        self._unfinished = Unfinished()
        self._under_way: dict[int, Mapping[str, Any]] = {}

    def suggest(self, number: int, seed: int) -> Mapping[str, Any]:
        """One value for each label in use; random ones, unless a member knows better."""
        return _drawn(rand.suggest([number], self._domain, self._history.trials(), seed))

    def ask(self, number: int) -> Params:
        """As the contract says."""

        def propose(attempt: int) -> Params:
            return self._labels.params(self.suggest(number, seed_of(self._seed, number, attempt)))

        def draw(attempt: int) -> Params:
            seed = seed_of(self._seed, number, _TRIES + attempt)
            return self._labels.params(HyperoptSampler.suggest(self, number, seed))

        params = self._unfinished.fresh(propose, _TRIES, draw)
        self._unfinished.start(number, params)
        self._under_way[number] = self._labels.values(params)
        return params

    def note(self, number: int, params: Params) -> None:
        """As the contract says."""
        values = self._under_way[number] = self._labels.values(params)
        self._unfinished.start(number, self._labels.params(values))

    def tell(self, number: int, params: Params, state: State, values: Sequence[float]) -> None:
        """As the contract says."""
        decisions = self._labels.values(params)
        self._unfinished.end(number)
        self._under_way.pop(number, None)
        if values and state in {State.FINISHED, State.PRUNED}:
            self._history.add(number, decisions, list(self._domain.params), values[0])


class TpeSampler(HyperoptSampler):
    """hyperopt's tree of Parzen estimators.

    Args:
        space: as for all.
        seed: as for all.
        objectives: must be 1.
        startup: how many trials must have ended before the model is asked; random until then.
        candidates: how many draws the best is taken of.
        gamma: ``ceil(gamma * sqrt(trials))`` of them, at most 25, count as good.
    """

    def __init__(
        self,
        space: object,
        *,
        seed: int,
        objectives: int = 1,
        startup: int = 20,
        candidates: int = 24,
        gamma: float = _GAMMA,
    ) -> None:
        whole("tpe", "startup", startup, 1)
        whole("tpe", "candidates", candidates, 1)
        if not 0 < gamma <= 1:
            raise SpecError(f"option 'gamma' of sampler 'tpe' is {gamma!r}; allowed: numbers above 0, at most 1")
        super().__init__(space, seed=seed, objectives=objectives)
        self._startup, self._gamma = startup, gamma
        self._posterior = Posterior(self._domain, candidates)

    def suggest(self, number: int, seed: int) -> Mapping[str, Any]:
        """Asks TPE, with as many good trials as the whole history would have."""
        ended = self._history.total
        # To count those under way as well, so that four slots have 20 random trials and not 23, makes nothing better.
        if ended < self._startup:
            return super().suggest(number, seed)
        names = list(self._domain.params)
        lies = [_document(one, values, names, math.inf) for one, values in sorted(self._under_way.items())]
        documents = sorted([*self._history.trials().trials, *lies], key=itemgetter("tid"))
        gamma = self._gamma * math.sqrt(ended / len(documents))
        return self._posterior.suggest(documents, gamma, seed)


class AnnealSampler(HyperoptSampler):
    """hyperopt's simulated annealing."""

    def suggest(self, number: int, seed: int) -> Mapping[str, Any]:
        """Asks anneal, which shrinks its steps by the number of trials: by that of the whole history."""
        trials = self._history.trials()
        shrink = _SHRINK * self._history.total / max(1, self._history.shown)
        return _drawn(anneal.suggest([number], self._domain, trials, seed, shrink_coef=shrink))


class AtpeSampler(HyperoptSampler):
    """hyperopt's adaptive TPE. It draws from Python's and numpy's global generators, so seeds do not reach it.

    Raises:
        SpecError: lightgbm is not installed.
    """

    capabilities = Capabilities(adaptive=True, repeatable=False)

    def __init__(self, space: object, *, seed: int, objectives: int = 1) -> None:
        if find_spec("lightgbm") is None:
            raise SpecError(
                "sampler 'atpe' needs lightgbm, which is not installed here: pip install 'sparkml-track[atpe]'"
            )
        super().__init__(space, seed=seed, objectives=objectives)

    def suggest(self, number: int, seed: int) -> Mapping[str, Any]:
        """Asks atpe, which takes statistics of losses and settings however few or equal they are."""
        from hyperopt import atpe

        if not self._domain.params:
            return super().suggest(number, seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _drawn(atpe.suggest([number], self._domain, self._history.trials(), seed))

    def tell(self, number: int, params: Params, state: State, values: Sequence[float]) -> None:
        """Leaves infinite losses out, of which atpe can make no statistics."""
        super().tell(number, params, state, [value for value in values if math.isfinite(value)])


class ExpressionRandomSampler(NumberedSampler):
    """Random search in hyperopt's expressions, by hyperopt."""

    def __init__(self, space: object, *, seed: int, objectives: int = 1) -> None:
        del objectives  # any number will do
        super().__init__(seed, None)
        self._labels = labels_of(space)
        self._domain = Domain(_nothing, self._labels.expression)

    def draw(self, number: int, attempt: int) -> Params:
        """One point, by a generator of its own."""
        seed = seed_of(self._seed, number, attempt)
        return self._labels.params(_drawn(rand.suggest([number], self._domain, trials_from_docs([]), seed)))


def _nothing(point: object) -> None:
    """Stands where hyperopt wants an objective; it is never called."""


def _drawn(documents: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    return {label: values[0] for label, values in documents[0]["misc"]["vals"].items() if len(values)}


def _document(number: int, values: Mapping[str, object], labels: Sequence[str], loss: float) -> dict[str, Any]:
    now = datetime.now(UTC)
    return {
        "tid": number,
        "state": JOB_STATE_DONE,
        "spec": None,
        "exp_key": None,
        "owner": None,
        "version": 0,
        "result": {"status": STATUS_OK, "loss": loss},
        # atpe subtracts these.
        "book_time": now,
        "refresh_time": now,
        "misc": {
            "tid": number,
            "cmd": None,
            "workdir": None,
            "idxs": {label: [number] if label in values else [] for label in labels},
            "vals": {label: [values[label]] if label in values else [] for label in labels},
        },
    }
