"""One call of ``optimize`` as one sweep: its sampler, which asks for no params, and its pruner, which decides nothing.

The study is asked for a trial when the sweep submits one, and for parameters when the objective wants them; see
``conversation``. So with one slot the study sees the calls that ``study.optimize`` makes, in their order.
"""

from __future__ import annotations

from collections.abc import Sequence

import optuna
from optuna.study import StudyDirection
from optuna.trial import TrialState
from typing_extensions import override

from sparkml_track import schema
from sparkml_track.engine.results.summary import Result
from sparkml_track.frontdoors._optuna import studies
from sparkml_track.frontdoors._optuna.conversation import Conversation
from sparkml_track.frontdoors._optuna.dead_drivers import own_mark
from sparkml_track.frontdoors._optuna.ends import Ends
from sparkml_track.pruners import Pruner
from sparkml_track.samplers import Capabilities, Sampler
from sparkml_track.trial import Outcome, Params, State

__all__ = ["Search", "StudyPruner", "directions_of", "metric_of"]


def metric_of(study: optuna.Study) -> tuple[str, ...]:
    """Names of the values, as ``study.trials_dataframe()`` has them."""
    names = study.metric_names
    if names is not None:
        return tuple(names)
    count = len(study.directions)
    return ("value",) if count == 1 else tuple(f"values_{at}" for at in range(count))


def directions_of(study: optuna.Study) -> list[str]:
    """In words."""
    return ["maximize" if one is StudyDirection.MAXIMIZE else "minimize" for one in study.directions]


class Search(Sampler):
    """Says whether there is another trial; the study itself is asked when that is submitted.

    Args:
        study: the user's.
        ends: takes what ended.
    """

    capabilities = Capabilities(adaptive=True, repeatable=False, finite=True, multi_objective=True)

    def __init__(self, study: optuna.Study, ends: Ends) -> None:
        self._study, self._ends = study, ends
        self._beats = studies.Beats(study)
        self._mark = own_mark() if studies.lasts(study) else None
        self.conversation = Conversation(self._begin, metric_of(study))

    def __str__(self) -> str:
        return f"optuna: {type(self._study.sampler).__name__}"

    @override
    def ask(self, number: int) -> Params | None:
        return None if self._ends.over or self._ends.clock.over() else {}

    @override
    def tell(self, number: int, params: Params, state: State, values: Sequence[float]) -> None:
        """Does nothing: ``accepted`` has it, with more."""

    def _begin(self, number: int) -> optuna.Trial:
        self._beats.fail_stale()
        trial = self._study.ask()
        if self._mark is not None:
            studies.mark(self._study, trial, schema.ATTR_DRIVER, self._mark)
        self._beats.start(number, trial)
        return trial

    def accepted(self, result: Result, outcome: Outcome) -> str:
        """Takes the end of a trial; a search that is over starts no more, and lets those that run end."""
        running = self.conversation.running.pop(result.number, None)
        if running is not None:
            self._beats.stop(result.number)
            self._ends.take(running, result, outcome)
        return ""

    def settle(self) -> None:
        """What has not ended fails; to be called when the sweep has ended, however."""
        for number, running in list(self.conversation.running.items()):
            self._beats.stop(number)
            self._study.tell(running.trial, state=TrialState.FAIL, skip_if_finished=True)
        self.conversation.running.clear()


class StudyPruner(Pruner):
    """Passes reports on to the study, whose own pruner is asked when the objective asks.

    Args:
        conversation: has the trials.
        maximize: the sweep turns values round, which is taken back.
    """

    def __init__(self, conversation: Conversation, maximize: bool) -> None:
        self._conversation, self._sign = conversation, -1.0 if maximize else 1.0

    def __str__(self) -> str:
        return "optuna"

    @override
    def report(self, trial: int, step: int, value: float) -> bool:
        self._conversation.reported(trial, step, self._sign * value)
        return False

    @override
    def ended(self, trial: int, finished: bool) -> None:
        """Does nothing: the study has it."""

    @override
    def restarted(self, trial: int) -> None:
        """Does nothing: what was reported stays, as the study cannot forget."""
