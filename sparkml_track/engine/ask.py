"""Asking: the user's own points first, then the sampler, up to the number of trials planned.

With ``deterministic``, what a trial is asked with depends only on trials that lie ``parallelism`` behind, and they
are told in the order of their numbers, so timing changes nothing.
"""

from __future__ import annotations

import hashlib
import logging
import math
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sparkml_track.samplers import Sampler
from sparkml_track.trial import Params, State, Trial

__all__ = ["Asker", "trial_seed"]

_log = logging.getLogger(__name__)


def trial_seed(seed: int, number: int) -> int:
    """The seed of a trial: below 2**31, a hash of the sweep's seed and the trial's number."""
    digest = hashlib.blake2b(f"{seed}/{number}".encode(), digest_size=4).digest()
    return int.from_bytes(digest, "little") >> 1


@dataclass(frozen=True, slots=True)
class _Told:
    trial: Trial
    state: State
    values: tuple[float, ...]


class Asker:
    """Makes trials and tells the sampler how they ended.

    Args:
        sampler: proposes.
        points: come first, as given.
        limit: how many trials at most, None for no limit.
        seed: of the sweep.
        behind: None, or how far behind the trials lie that a suggestion may use (``deterministic``).
    """

    def __init__(
        self, sampler: Sampler, points: Sequence[Params], limit: int | None, seed: int, behind: int | None = None
    ) -> None:
        self._sampler = sampler
        self._points = tuple(points)
        self._limit = limit
        self._seed = seed
        self._behind = behind
        self._waiting: dict[int, _Told] = {}
        self._told = 0
        self._asked = 0
        self._missing: deque[int] = deque()
        self._next = 0
        self._exhausted = False

    @property
    def exhausted(self) -> bool:
        """Whether no trial will come any more; known only after ``next`` returned None for it."""
        return self._exhausted

    @property
    def adaptive(self) -> bool:
        """Whether asking ahead of free slots would cost quality."""
        return self._sampler.capabilities.adaptive

    @property
    def asked(self) -> int:
        """Trials made so far."""
        return self._asked

    @property
    def planned(self) -> int | None:
        """Trials there will be, None while only time ends the sweep."""
        return self._asked if self._exhausted else self._limit

    def next(self) -> Trial | None:
        """The next trial; None if there is none, or none yet."""
        number = self._missing[0] if self._missing else self._next
        if self._exhausted or (self._limit is not None and number >= self._limit):
            self._exhausted = True
            return None
        if self._behind is not None and not self._tell_in_order(number - self._behind):
            return None
        params = self._propose(number)
        if params is None:
            self._exhausted = True
            return None
        self._asked += 1
        if self._missing:
            self._missing.popleft()
        else:
            self._next += 1
        return Trial(number, params, trial_seed(self._seed, number))

    def _propose(self, number: int) -> Params | None:
        if number >= len(self._points):
            return self._sampler.ask(number)
        params = self._points[number]
        self._sampler.note(number, params)
        return params

    def resume(self, trials: Sequence[Trial], ended: Iterable[tuple[Trial, State, Sequence[float]]]) -> None:
        """Goes on where an earlier driver was.

        Args:
            trials: all that were asked, by number.
            ended: those of them that have an outcome, in the order they came, as ``ended`` takes them.
        """
        self._asked = len(trials)
        self._next = trials[-1].number + 1 if trials else 0
        self._missing = deque(sorted({*range(self._next)} - {trial.number for trial in trials}))
        outcomes = list(ended)
        if self._behind is not None:
            self._ask_again(trials, outcomes)
            return
        known = {trial.number for trial, _, _ in outcomes}
        for trial in trials:
            if trial.number not in known:
                self._sampler.note(trial.number, trial.params)
        for outcome in outcomes:
            self.ended(*outcome)

    def _ask_again(self, trials: Sequence[Trial], outcomes: Sequence[tuple[Trial, State, Sequence[float]]]) -> None:
        """The same calls in the same order bring a sampler, its generators too, to where it was."""
        for outcome in outcomes:
            self.ended(*outcome)
        for trial in trials:
            self._tell_in_order(trial.number - (self._behind or 0))
            if self._propose(trial.number) != trial.params:
                _log.warning("trial %d would be asked otherwise now; the sampler does not repeat itself", trial.number)

    def ended(self, trial: Trial, state: State, values: Sequence[float]) -> None:
        """Tells the sampler, or keeps it until its turn; a value that is no number counts as a failure."""
        good = all(math.isfinite(value) for value in values)
        told = _Told(trial, state if good else State.FAILED, tuple(values) if good else ())
        if self._behind is None:
            self._tell(told)
        else:
            self._waiting[trial.number] = told

    def _tell_in_order(self, upto: int) -> bool:
        """Tells all trials up to this number; whether all of them have ended."""
        while self._told <= upto:
            told = self._waiting.pop(self._told, None)
            if told is None:
                return False
            self._tell(told)
            self._told += 1
        return True

    def _tell(self, told: _Told) -> None:
        self._sampler.tell(told.trial.number, told.trial.params, told.state, told.values)
