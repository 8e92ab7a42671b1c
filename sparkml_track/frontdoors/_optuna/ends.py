"""What the study learns of a trial that ended, and whether the search goes on."""

from __future__ import annotations

import copy
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import optuna
from optuna.trial import FrozenTrial, TrialState

from sparkml_track.engine.results.summary import Result
from sparkml_track.frontdoors._optuna import studies
from sparkml_track.frontdoors._optuna.conversation import Running
from sparkml_track.trial import Outcome, State

__all__ = ["Callback", "Clock", "Ends"]

_log = logging.getLogger("optuna.study._optimize")
Callback = Callable[[optuna.Study, FrozenTrial], None]


@dataclass(slots=True)
class Clock:
    """When no more trials are asked. It starts when the first one is: slots have had their time by then.

    Attributes:
        seconds: for which trials are asked; None for no limit.
        began: by the monotonic clock; None until then.
    """

    seconds: float | None = None
    began: float | None = None

    @property
    def elapsed(self) -> float:
        """Seconds since it started."""
        return 0.0 if self.began is None else time.monotonic() - self.began

    def over(self) -> bool:
        """Whether the time is; starts it."""
        self.began = time.monotonic() if self.began is None else self.began
        return self.seconds is not None and self.elapsed >= self.seconds


@dataclass(eq=False)
class Ends:
    """Takes the ends of trials, one after the other.

    Attributes:
        study: learns of them.
        catch: exceptions of the objective that do not end the search.
        callbacks: the user's.
        bar: shows how far it is.
        clock: of the search.
        error: what the call is to raise: of the objective, a callback or a sampler; the first one.
    """

    study: optuna.Study
    catch: Sequence[type[BaseException]]
    callbacks: Iterable[Callback]
    bar: studies.Bar
    clock: Clock
    error: Exception | None = None

    @property
    def over(self) -> bool:
        """No more trials are to be asked."""
        return self.error is not None or studies.is_stopped(self.study)

    def take(self, running: Running, result: Result, outcome: Outcome) -> None:
        """A trial ended."""
        try:
            frozen = self._recorded(running, result)
            raised = self._raised(running, result)
            self._log(frozen, running, outcome.message)
            if raised is not None:
                self.error = self.error or raised
            elif not result.interrupted:
                self._call_back(frozen)
        except Exception as error:  # noqa: BLE001 - of the sampler's after_trial, of callbacks; raised at the end
            self.error = self.error or error

    def _recorded(self, running: Running, result: Result) -> FrozenTrial:
        if result.state is State.FINISHED and running.error is None and result.value is not None:
            return self.study.tell(running.trial, list(result.value))
        pruned = result.state is State.PRUNED and running.error is None
        return self.study.tell(running.trial, state=TrialState.PRUNED if pruned else TrialState.FAIL)

    def _raised(self, running: Running, result: Result) -> Exception | None:
        """What ends the search with this trial."""
        failure, error = running.failure, running.error
        if error is not None:
            return None if isinstance(error, tuple(self.catch)) else error
        if failure is None or result.state is not State.FAILED or failure.is_one_of(self.catch):
            return None
        return failure.exception(running.trial.number)

    def _log(self, frozen: FrozenTrial, running: Running, message: str) -> None:
        if frozen.state is TrialState.COMPLETE:
            studies.log_completed(self.study, frozen)
        elif frozen.state is TrialState.PRUNED:
            _log.info("Trial %d pruned. %s", frozen.number, message)
        else:
            failure = running.failure
            why = message if failure is None else f"{failure.name}({failure.text!r})"
            trace = f"\n{failure.trace}" if failure is not None and failure.trace else ""
            text = "Trial %d failed with parameters: %s because of the following error: %s.%s"
            _log.warning(text, frozen.number, frozen.params, running.error or why, trace)

    def _call_back(self, frozen: FrozenTrial) -> None:
        for callback in self.callbacks:
            callback(self.study, copy.deepcopy(frozen))
        self.bar.update(self.clock.elapsed, self.study)
