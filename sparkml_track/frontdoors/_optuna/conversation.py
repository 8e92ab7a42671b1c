"""What trials ask while they run: the study's own trials answer, on the driver.

A question is a list in JSON: its kind, and what belongs to it. It comes from a slot that runs the user's code, so
nothing in it is believed: names and values are checked, distributions are made by Optuna's own parser.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, distribution_to_json, json_to_distribution
from typing_extensions import override

from sparkml_track.engine.loop.doorkeeper import Doorkeeper, Replied
from sparkml_track.executors import Questioned
from sparkml_track.frontdoors._optuna import studies
from sparkml_track.frontdoors._optuna.failures import Failure, failure_of
from sparkml_track.frontdoors._optuna.slot_trial import SCORES
from sparkml_track.trial import Attempt

__all__ = ["Conversation", "Running"]

_NAME = 500
_SCORES = 10_000
#: Kinds that a trial of a slot may make; others of Optuna's are for what was stored long ago.
_KINDS = ("FloatDistribution", "IntDistribution", "CategoricalDistribution")
_SINGLE = (type(None), bool, int, float, str)


@dataclass(eq=False)
class Running:
    """A trial of the study that runs.

    Attributes:
        trial: the study's.
        reached: the last step that earlier attempts reported.
        step: the last one that this attempt did.
        relative: the slot has what the sampler proposed for the trial as a whole.
        failure: what the objective raised.
        error: what Optuna raised for a note, to which there is no reply.
    """

    trial: optuna.Trial
    reached: int = -1
    step: int = -1
    relative: bool = False
    failure: Failure | None = None
    error: Exception | None = None

    def restarted(self) -> None:
        """A new attempt begins."""
        self.reached, self.step = max(self.reached, self.step), -1
        self.relative, self.failure, self.error = False, None, None


class Conversation(Doorkeeper):
    """Asks the study for a trial when one is submitted, and answers it while it runs.

    Args:
        begin: asks the study for the trial of that number of the sweep.
        metric: names of the values.

    Attributes:
        running: trials by the numbers of the sweep.
    """

    def __init__(self, begin: Callable[[int], optuna.Trial], metric: tuple[str, ...]) -> None:
        self._begin, self._metric = begin, metric
        self.running: dict[int, Running] = {}
        self._kinds: Mapping[str, Callable[..., Mapping[str, Any]]] = {
            "suggest": self._suggest,
            "took": self._suggest,
            "prune": self._prune,
            "relative": self._relative,
            "attr": self._attr,
            "constraint": self._constraint,
            "scores": self._scores,
            "failed": self._failed,
        }

    @override
    def along(self, attempt: Attempt) -> object:
        number = attempt.trial.number
        if number not in self.running:
            self.running[number] = Running(self._begin(number))
        else:
            self.running[number].restarted()
        running = self.running[number]
        trial = running.trial
        known = {name: distribution_to_json(one) for name, one in trial.distributions.items()}
        return {
            "number": trial.number,
            "metric": self._metric,
            "prunes": not isinstance(trial.study.pruner, optuna.pruners.NopPruner),
            "fixed": _sendable(studies.fixed(trial)),
            "known": {name: [known[name], value] for name, value in _sendable(trial.params).items()},
            "attrs": _sendable(trial.user_attrs),
            "constraints": trial.constraints,
            "start": None if trial.datetime_start is None else trial.datetime_start.isoformat(),
        }

    @override
    def question(self, attempt: Attempt, event: Questioned) -> Replied:
        running = self.running[attempt.trial.number]
        before = len(running.trial.params) if event.body.startswith(('["suggest"', '["took"')) else -1
        try:
            kind, *rest = json.loads(event.body)
            reply = self._kinds[kind](running, *rest)
        except Exception as error:  # noqa: BLE001 - of samplers, pruners and rubbish; the objective gets it
            running.error = running.error or (None if event.waits else error)
            return Replied(json.dumps({"error": [type(error).__name__, str(error)[:4000]]}))
        new = _recorded(rest[0], reply["value"]) if before >= 0 and len(running.trial.params) > before else {}
        return Replied(json.dumps(reply) if event.waits else "", new)

    # -- kinds of questions

    def _suggest(self, running: Running, name: str, distribution: str) -> Mapping[str, Any]:
        value = studies.suggest(running.trial, _name(name), _distribution(distribution))
        reply = {"value": value}
        if not running.relative:
            values, space = studies.sampled_relative(running.trial)
            running.relative = bool(values)
            known = {key: one for key, one in _sendable(values).items() if key in space}
            reply["relative"] = {key: [distribution_to_json(space[key]), one] for key, one in known.items()}
        return reply

    def _prune(self, running: Running, step: int) -> Mapping[str, Any]:
        # An earlier attempt got as far and was not pruned; the pruner would see its last step, not this one.
        return {"value": step >= running.reached and bool(running.trial.should_prune())}

    def _relative(self, running: Running) -> Mapping[str, Any]:
        return {"value": _sendable(running.trial.relative_params)}

    def _attr(self, running: Running, key: str, value: Any) -> Mapping[str, Any]:
        running.trial.set_user_attr(_name(key), value)
        return {}

    def _constraint(self, running: Running, key: str, value: float) -> Mapping[str, Any]:
        running.trial.set_constraint(_name(key), value)
        return {}

    def _scores(self, running: Running, values: list[float]) -> Mapping[str, Any]:
        studies.mark(running.trial.study, running.trial, SCORES, _numbers(values))
        return {}

    def _failed(self, running: Running, said: object) -> Mapping[str, Any]:
        running.failure = failure_of(said)
        return {}

    def reported(self, number: int, step: int, value: float) -> None:
        """Passes a report on to the study; a step that an earlier attempt reported is there already."""
        running = self.running.get(number)
        if running is None:
            return
        running.step = max(running.step, step)
        if step > running.reached:
            running.trial.report(value, step)


def _name(name: object) -> str:
    if not isinstance(name, str) or len(name) > _NAME:
        raise ValueError(f"a name is {str(name)[:40]!r}; allowed is text of at most {_NAME} characters")
    return name


def _numbers(values: object) -> list[float]:
    listed = values if isinstance(values, list) and len(values) <= _SCORES else []
    if not listed or not all(isinstance(one, int | float) and not isinstance(one, bool) for one in listed):
        raise ValueError(f"scores are {str(values)[:80]}; allowed are 1 to {_SCORES:,} numbers")
    return [float(one) for one in listed]


def _distribution(text: object) -> BaseDistribution:
    said = json.loads(text) if isinstance(text, str) else None
    if not isinstance(said, dict) or said.get("name") not in _KINDS or not isinstance(said.get("attributes"), dict):
        raise ValueError(f"a distribution is {str(text)[:80]}; allowed are {', '.join(_KINDS)}")
    choices = said["attributes"].get("choices", ())
    if not isinstance(choices, list | tuple) or not all(isinstance(one, _SINGLE) for one in choices):
        raise ValueError("choices are not a list of None, bools, numbers and text")
    return json_to_distribution(str(text))


def _sendable(values: Mapping[str, Any]) -> dict[str, Any]:
    """Those of them that JSON holds; a slot asks for the others, or does without."""
    return {name: value for name, value in values.items() if _is_json(value)}


def _is_json(value: object) -> bool:
    try:
        json.dumps(value)
    except (TypeError, ValueError):
        return False
    return True


def _recorded(name: str, value: Any) -> dict[str, Any]:
    """A param as journal and tracking store take it."""
    if isinstance(value, float) and not math.isfinite(value):
        return {name: str(value)}
    return {name: value}
