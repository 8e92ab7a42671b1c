"""The user's algorithm as the sampler of a sweep, and the documents of its trials.

The sweep asks ``Search`` as its sampler, which asks the user's algorithm; the sweep passes each accepted trial to
``Search.accepted``, which completes its document, so the algorithm's next look at the ``Trials`` finds it. As with
hyperopt's own ``SparkTrials`` an algorithm may be at work on another thread meanwhile: a document is changed by single
assignments, its state last.
"""

from __future__ import annotations

import logging
import pickle
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

from hyperopt import STATUS_OK, Trials
from hyperopt.base import (
    JOB_STATE_CANCEL,
    JOB_STATE_DONE,
    JOB_STATE_ERROR,
    JOB_STATE_NEW,
    JOB_STATE_RUNNING,
    spec_from_misc,
)
from hyperopt.utils import coarse_utcnow
from typing_extensions import override

from sparkml_track.engine.results.summary import Result
from sparkml_track.frontdoors._hyperopt.labels import Labels
from sparkml_track.frontdoors._hyperopt.objective import Returned, returned
from sparkml_track.objective import name_of
from sparkml_track.samplers import Capabilities, Sampler
from sparkml_track.trial import Outcome, Params, State

__all__ = ["EARLY", "Algorithm", "EarlyStop", "Search", "documents"]

#: What users of hyperopt look for in their logs.
_log = logging.getLogger("hyperopt-spark")
EARLY = "early stopping condition"
_SEEDS = 2**31 - 1


def documents(trials: Any) -> list[dict[str, Any]]:
    """All documents of a ``Trials``, those of failed trials too."""
    found: list[dict[str, Any]] = trials._dynamic_trials  # noqa: SLF001 - its public list leaves some out
    return found


@dataclass(frozen=True, slots=True)
class Algorithm:
    """The user's ``algo``, with what each call of it gets.

    Attributes:
        suggest: as ``hyperopt.tpe.suggest``.
        domain: of the function and the space.
        rstate: gives a seed for each call.
    """

    suggest: Callable[..., Sequence[Any]]
    domain: Any
    rstate: Any

    def __str__(self) -> str:
        if not isinstance(self.suggest, partial):
            return f"hyperopt: {name_of(self.suggest)}"
        options = ", ".join(f"{name}={value!r:.40}" for name, value in self.suggest.keywords.items())
        return f"hyperopt: {name_of(self.suggest.func)}({options})"

    def skip(self, proposals: int) -> None:
        """Leaves out the seeds that the proposals of an earlier process had."""
        for _ in range(proposals):
            self.rstate.integers(_SEEDS)

    def propose(self, trials: Any) -> dict[str, Any] | None:
        """A new document, which the trials then have; None if the algorithm has no more."""
        ids = trials.new_trial_ids(1)
        trials.refresh()
        made = self.suggest(ids, self.domain, trials, self.rstate.integers(_SEEDS))
        assert len(made) <= 1, f"algo was asked for 1 trial and proposed {len(made)}"
        trials.insert_trial_docs(made)
        trials.refresh()
        return documents(trials)[-1] if made else None


@dataclass(slots=True)
class EarlyStop:
    """Calls the user's ``early_stop_fn`` with the trials that succeeded, in the order they ended.

    The last one is that which just ended: ``no_progress_loss`` looks at it, and at its loss.

    Attributes:
        function: the user's.
        seen: the trials.
        arguments: what it gave to its next call.
    """

    function: Callable[..., tuple[bool, Sequence[Any]]]
    seen: Any = field(default_factory=Trials)
    arguments: Sequence[Any] = ()

    def begin(self, trials: Any) -> None:
        """Takes over what there is of an earlier call of ``fmin``."""
        self.seen.attachments = trials.attachments
        self.seen._insert_trial_docs([one for one in documents(trials) if _succeeded(one)])  # noqa: SLF001
        self.seen.refresh()

    def after(self, document: dict[str, Any]) -> bool:
        """Whether to stop after a trial; raises what the function raises."""
        self.seen._insert_trial_docs([document])  # noqa: SLF001 - checking it again may copy it
        self.seen.refresh()
        stop, self.arguments = self.function(self.seen, *self.arguments)
        return bool(stop)


class Search(Sampler):
    """Proposes what the ``Trials`` has as new, then what the algorithm says; completes the documents of what ended.

    Args:
        trials: the user's; documents are its.
        algorithm: proposes.
        labels: of the space.
        early_stop: looks at each trial that succeeded, None for nothing.
        raising: the first exception of the function ends the sweep, and is raised.
        ended: is called with the ``Trials`` after each trial.
        changed: is called with a document, and whether the algorithm has just proposed it, when its state is another.

    Raises:
        ValueError: a document that is there has no such point.

    Attributes:
        labels: as given.
        new: documents that were there and are yet to be executed; also those that a driver left running that was
            killed, as no other search has these trials.
        error: what the caller is to raise, of the user's own functions.
        stopped: why the search ended before its limits, in hyperopt's words; empty if it did not.
    """

    # It may have no more to propose: then the sweep ends.
    capabilities = Capabilities(adaptive=True, repeatable=False, finite=True)

    def __init__(  # noqa: PLR0913 - three with defaults
        self,
        trials: Any,
        algorithm: Algorithm,
        labels: Labels,
        *,
        early_stop: EarlyStop | None = None,
        raising: bool = False,
        ended: Callable[[Any], None] = lambda _: None,
        changed: Callable[[dict[str, Any], bool], None] = lambda *_: None,
    ) -> None:
        self.labels = labels
        self._trials, self._algorithm = trials, algorithm
        self._early_stop, self._raising, self._ended, self._changed = early_stop, raising, ended, changed
        self._documents: dict[int, dict[str, Any]] = {}
        self.new = deque(one for one in documents(trials) if one["state"] in (JOB_STATE_NEW, JOB_STATE_RUNNING))
        self._settled = False
        self.error: BaseException | None = None
        self.stopped = ""
        for document in self.new:
            _complete(document, labels)
            labels.recorded(spec_from_misc(document["misc"]))  # raises for what cannot be
            document["state"] = JOB_STATE_NEW
            changed(document, False)
        if early_stop is not None:
            early_stop.begin(trials)

    def __str__(self) -> str:
        return str(self._algorithm)

    # -- the sampler

    @override
    def ask(self, number: int) -> Params | None:
        given = bool(self.new)
        document = self.new.popleft() if given else self._algorithm.propose(self._trials)
        if document is None:
            return None
        document["book_time"] = document["refresh_time"] = coarse_utcnow()
        document["state"] = JOB_STATE_RUNNING
        self._documents[number] = document
        if self._settled:  # the algorithm took longer than the sweep waits for it
            document["state"] = JOB_STATE_CANCEL
            return None
        self._changed(document, not given)
        return self.labels.recorded(spec_from_misc(document["misc"]))

    @override
    def tell(self, number: int, params: Params, state: State, values: Sequence[float]) -> None:
        """Does nothing: ``accepted`` has it first, with more."""

    # -- what came of it

    def accepted(self, result: Result, outcome: Outcome) -> str:
        """Completes the document of a trial; why the sweep ends with it, empty if it goes on."""
        document = self._documents.pop(result.number)
        found = _found(outcome, document["tid"])
        _write(self._trials, document, result, found)
        self._changed(document, False)
        self._trials.refresh()
        _report(document, outcome)
        try:
            self._ended(self._trials)
            return self._why(document, outcome, found)
        except Exception as error:  # noqa: BLE001 - of the user's function, raised when the sweep has ended
            self.error = self.error or error
            return f"{type(error).__name__}: {error}"

    def _why(self, document: dict[str, Any], outcome: Outcome, found: Returned | None) -> str:
        if self._raising and document["state"] == JOB_STATE_ERROR:
            raise _exception(outcome, found)
        if self.stopped or self._early_stop is None or not _succeeded(document):
            return ""
        if self._early_stop.after(document):
            self.stopped = EARLY
        return self.stopped

    def settle(self) -> None:
        """What has not ended, or was never begun, is cancelled; to be called when the sweep has ended."""
        self._settled = True
        for document in (*list(self._documents.values()), *self.new):
            document["state"] = JOB_STATE_CANCEL
            self._changed(document, False)
        self._documents.clear()
        self.new.clear()
        self._trials.refresh()


def _complete(document: dict[str, Any], labels: Labels) -> None:
    """Algorithms look at every label; a point of the user's has those that it gives."""
    for part in ("idxs", "vals"):
        document["misc"][part] = {**{label: [] for label in labels.names}, **document["misc"][part]}


def _succeeded(document: Mapping[str, Any]) -> bool:
    return bool(document["state"] == JOB_STATE_DONE and document["result"].get("status") == STATUS_OK)


def _found(outcome: Outcome, tid: object) -> Returned | None:
    try:
        return returned(outcome.artifacts)
    except Exception as error:  # noqa: BLE001 - whatever is in a pickle
        _log.warning("trial task %s: what it returned cannot be loaded here: %s: %s", tid, type(error).__name__, error)
        return None


def _write(trials: Any, document: dict[str, Any], result: Result, found: Returned | None) -> None:
    """What ended: the result or the error, the times, and the state last."""
    kind = found[0] if found is not None else ""
    state = JOB_STATE_CANCEL if result.interrupted else JOB_STATE_ERROR
    if found is not None and kind == "result" and state != JOB_STATE_CANCEL:
        state, document["result"] = JOB_STATE_DONE, _without_attachments(trials, document, dict(found[1]))
    elif result.state is State.FINISHED and result.value is not None:
        state, document["result"] = JOB_STATE_DONE, {"loss": result.value[0], "status": STATUS_OK}
    else:
        error = found[1:3] if found is not None and kind == "error" else (result.reason, result.message)
        document["misc"]["error"] = tuple(error)
    if result.started:
        document["book_time"] = _utc(result.started)
    document["refresh_time"] = _utc(result.started + result.duration) if result.started else coarse_utcnow()
    document["state"] = state


def _without_attachments(trials: Any, document: dict[str, Any], result: dict[str, Any]) -> dict[str, Any]:
    kept = Trials.trial_attachments(trials, document)
    for name, value in result.pop("attachments", {}).items():
        kept[name] = value
    return result


def _utc(seconds: float) -> datetime:
    """As hyperopt has times: UTC, without a zone, in milliseconds."""
    when = datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)
    return when.replace(microsecond=when.microsecond // 1000 * 1000)


def _exception(outcome: Outcome, found: Returned | None) -> BaseException:
    """The exception of the function, or one that says the same."""
    error: BaseException = RuntimeError(outcome.message)
    if found is not None and found[0] == "error":
        with suppress(Exception):  # it may be of a class that slots alone have
            error = pickle.loads(found[3]) if found[3] is not None else error  # noqa: S301 - see ``returned``
        error.add_note(f"in a slot:\n{found[2]}")
    return error


def _report(document: Mapping[str, Any], outcome: Outcome) -> None:
    tid, state = document["tid"], document["state"]
    if state == JOB_STATE_ERROR:
        text, trace = outcome.message.partition("\n")[0], document["misc"]["error"][1]
        _log.error("trial task %s failed, exception is %s.\n %s", tid, text, trace)
    elif state == JOB_STATE_CANCEL:
        _log.debug("trial task %s cancelled, exception is %s", tid, outcome.message)
    else:
        _log.debug("trial task %s succeeded, result is %s", tid, document["result"])
