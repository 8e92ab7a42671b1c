"""Asking: the user's own points first, then the sampler, up to the number of trials planned.

With ``deterministic``, what a trial is asked with depends only on trials that lie ``parallelism`` behind, and they
reach the sampler in the order of their numbers, so timing changes nothing.

A sampler whose proposals depend on results and take milliseconds is called on another thread (``aside``). It is asked
for one trial at a time; ahead of a free slot only where slots would else wait for it noticeably, and never by more than
one: that one does not know the results that come until a slot takes it.
"""

from __future__ import annotations

import logging
import math
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from sparkml_track.engine.loop.sampler_thread import Aside, Pace
from sparkml_track.engine.spec.seeds import trial_seed
from sparkml_track.samplers import Sampler
from sparkml_track.trial import Params, State, Trial

__all__ = ["Asker"]

_log = logging.getLogger(__name__)
#: Seconds for a proposal, from which on a thread of its own is worth its price (0.1 ms a trial).
SLOW = 0.003
#: Seconds between looks for a proposal while a slot waits for it and other trials run.
LOOK = 0.002


@dataclass(frozen=True, slots=True)
class _Told:
    trial: Trial
    state: State
    values: tuple[float, ...]


class Asker:
    """Makes trials and passes their ends on to the sampler. One thread calls it; whoever has it closes it.

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
        self._aside: Aside | None = None
        self._pace = Pace()
        self._hungry = False
        self._closed = False

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

    # -- asking

    def next(self) -> Trial | None:
        """The next trial; None if there is none, or none yet. To be called when a slot is free for it."""
        self._hungry = False
        found = self._ask_here() if self._aside is None else self._ask_aside(self._aside)
        return None if found is None else self._trial(*found)

    def ahead(self, slots: int) -> None:
        """Has the next trial proposed before a slot is free for it, where that is worth it.

        To be called once each turn; raises what the sampler raised.

        Args:
            slots: how many there are.
        """
        if self._aside is None:
            return
        self._aside.check()
        if not self._aside.asking and self._pace.worth_asking_ahead(slots):
            self._ask_there(self._aside)

    def pause(self, longest: float, *, idle: bool) -> float:
        """Seconds to wait for events: short while a slot waits for a proposal. With nothing else to do, waits here."""
        if not self._hungry or self._aside is None:
            return longest
        if idle:
            self._aside.wait(longest)
        return min(longest, LOOK)

    def close(self) -> None:
        """Ends the thread; what ends from now on reaches no sampler."""
        self._closed = True
        if self._aside is not None:
            self._aside.close()

    def _ask_here(self) -> tuple[int, Params | None] | None:
        number = self._open_number()
        if number is None:
            return None
        began = time.perf_counter()
        params = self._propose(number)
        self._pace.asked(time.perf_counter() - began)
        if self.adaptive and self._pace.ask > SLOW:
            _log.debug("a proposal takes %.0f ms; the sampler goes on on a thread of its own", self._pace.ask * 1000)
            self._aside = Aside()
        return number, params

    def _ask_aside(self, aside: Aside) -> tuple[int, Params | None] | None:
        if not aside.asking:
            self._ask_there(aside)
        found = aside.take()
        self._hungry = found is None and aside.asking
        if found is not None:
            self._pace.asked(aside.seconds)
            self._pace.warn_if_slow()
        return found

    def _ask_there(self, aside: Aside) -> None:
        number = self._open_number()
        if number is not None:
            aside.ask(number, self._propose)

    def _open_number(self) -> int | None:
        """The number of the next trial, if it may be proposed now."""
        number = self._missing[0] if self._missing else self._next
        if self._exhausted or (self._limit is not None and number >= self._limit):
            self._exhausted = True
            return None
        if self._behind is not None and not self._tell_in_order(number - self._behind):
            return None
        return number

    def _trial(self, number: int, params: Params | None) -> Trial | None:
        if params is None:
            self._exhausted = True
            return None
        self._asked += 1
        self._pace.handed_out()
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

    # -- telling

    def learn(self, known: Sequence[tuple[Params, Sequence[float]]]) -> None:
        """Tells the sampler of finished trials of an earlier sweep, which get negative numbers; before anything else.

        Args:
            known: params, and values of which lower is better; the oldest first.
        """
        for number, (params, values) in enumerate(known, -len(known)):
            self._sampler.tell(number, params, State.FINISHED, tuple(values))

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
        """Tells the sampler, or keeps it until its turn; a value that is not a number counts as a failure."""
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
        call = partial(self._sampler.tell, told.trial.number, told.trial.params, told.state, told.values)
        if self._aside is None:
            call()
        elif not self._closed:
            self._aside.call(call)
