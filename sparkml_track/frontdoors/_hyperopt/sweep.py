"""One call of hyperopt's ``fmin`` as one sweep."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cloudpickle
from hyperopt import Domain, progress, space_eval
from hyperopt.fmin import generate_trial
from hyperopt.spark import FMIN_CANCELLED_REASON_TIMEOUT

from sparkml_track.adapters.spark.errors import check_session
from sparkml_track.api.session import local_or_active
from sparkml_track.api.sweep import run
from sparkml_track.engine.results.sweep_result import SweepResult
from sparkml_track.engine.spec.arguments import SweepArguments
from sparkml_track.executors import Resources
from sparkml_track.frontdoors._hyperopt.kept import Kept, counted, lowest, written_whole
from sparkml_track.frontdoors._hyperopt.labels import Labels
from sparkml_track.frontdoors._hyperopt.objective import Objective
from sparkml_track.frontdoors._hyperopt.search import Algorithm, EarlyStop, Search
from sparkml_track.home import Home

if TYPE_CHECKING:
    from sparkml_track.api.session import SparkSession

__all__ = ["Asked", "Slots", "insert", "search"]


#: What goes on with a search that was interrupted, and what does after its driver died.
_WAY_ON = {
    "door": "fmin(...) with the same Trials",
    "once": "a search with SparkTrials(..., name=...), or with this package's fmin(..., name=...), goes on when it is "
    "called again",
}
_NAMED = {
    "door": "fmin(...) with the same name",
    "once": "fmin(...) with the same name goes on with its trials, in a sweep of its own",
}


@dataclass(frozen=True, slots=True)
class Slots:
    """Where trials are executed; None leaves it to ``sweep()``."""

    executor: str = "auto"
    parallelism: int | None = None
    session: SparkSession | None = None
    resources: Resources = field(default_factory=Resources)

    @property
    def needs_session(self) -> bool:
        """Whether they are Spark's."""
        return self.executor not in ("inline", "processes")

    def open(self) -> SparkSession:
        """The session: the given one, else the active one, else a local one.

        Raises:
            SetupError: it was stopped, or Spark does not start.
        """
        if self.session is not None:
            check_session(self.session, "spark_session")
        return self.session or local_or_active(home=Home.find())


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What ``hyperopt.fmin`` passes on, checked by it and with its defaults."""

    fn: Callable[..., object]
    space: Any
    algo: Callable[..., Sequence[Any]]
    max_evals: float
    timeout: float | None
    loss_threshold: float | None
    rstate: Any
    verbose: bool
    return_argmin: bool
    show_progressbar: Any
    early_stop_fn: Callable[..., tuple[bool, Sequence[Any]]] | None
    pass_expr_memo_ctrl: bool | None
    catch_eval_exceptions: bool
    trials_save_file: str = ""
    max_queue_len: int = 1  # a sweep asks for one trial at a time, when a slot is free for it

    def left(self, trials: Any, new: int, kept: Kept | None) -> int | None:
        """How many trials to execute, of which ``new`` are there; None for no limit."""
        if kept is not None and _reached(_target(self.loss_threshold), lowest(trials)):
            return 0
        if self.max_evals >= sys.maxsize:
            return None
        # Of a search with a name those that failed count, as they do in a call that is not interrupted.
        done = len(trials) if kept is None else counted(trials)
        return max(0, math.ceil(self.max_evals - done)) + new

    def arguments(
        self, objective: Objective, sampler: Search, most: int | None, slots: Slots, kept: Kept | None
    ) -> SweepArguments:
        """The sweep; hyperopt takes limits that are infinite for none."""
        unlimited = self.timeout is None or math.isinf(self.timeout)
        return SweepArguments(
            objective=objective,
            space=sampler.labels.space(),
            name=None if kept is None else kept.name,
            sampler=sampler,
            max_trials=most,
            timeout=None if unlimited else self.timeout,
            target=_target(self.loss_threshold),
            parallelism=slots.parallelism,
            executor=slots.executor,
            resources=slots.resources,
            # What there is to go on with are the ``Trials``.
            resume="never",
        )

    def answer(self, trials: Any) -> Any:
        """What ``fmin`` returns."""
        if not self.return_argmin:
            return space_eval(self.space, trials.argmin) if len(trials) else None
        if not len(trials):
            raise Exception("There are no evaluation tasks, cannot return argmin of task losses.")  # hyperopt's
        return trials.argmin


def _target(threshold: float | None) -> float | None:
    if threshold is None or math.isnan(threshold) or threshold == -math.inf:
        return None
    return min(float(threshold), sys.float_info.max)


def search(
    trials: Any, asked: Asked, slots: Slots, kept: Kept | None = None, *, raising: bool = False
) -> tuple[SweepResult | None, str]:
    """Executes trials until a limit is reached.

    Args:
        trials: get the documents.
        asked: what to search, and how.
        slots: where.
        kept: the files of a search that has a name, with which it goes on.
        raising: an exception of the function ends the search and is raised.

    Returns:
        The sweep, None if there was nothing to execute; and why it ended early, empty if it did not.

    Raises:
        KeyboardInterrupt, SystemExit: a signal came; what ended before it is in the documents.
        Exception: of the user's algorithm, and of ``early_stop_fn``.
        LeaseHeld: another process is at the search of this name.
        SparkmlError: as ``sweep()`` raises.
    """
    with nullcontext() if kept is None else kept.held():
        return _search(trials, asked, slots, kept, raising)


def _search(
    trials: Any, asked: Asked, slots: Slots, kept: Kept | None, raising: bool
) -> tuple[SweepResult | None, str]:
    trials.refresh()
    domain = Domain(asked.fn, asked.space, pass_expr_memo_ctrl=asked.pass_expr_memo_ctrl)
    algorithm = Algorithm(asked.algo, domain, asked.rstate)
    labels = Labels(domain.expr)
    changed = None if kept is None else _gone_on(kept, trials, labels, algorithm)
    stop = EarlyStop(asked.early_stop_fn) if asked.early_stop_fn is not None else None
    with _shown(asked, trials) as show:
        more: dict[str, Any] = {} if changed is None else {"changed": changed}
        sampler = Search(trials, algorithm, labels, early_stop=stop, raising=raising, ended=show, **more)
        most = asked.left(trials, len(sampler.new), kept)
        if most == 0:
            return None, ""
        given = asked.arguments(Objective(domain, labels.names, labels.options), sampler, most, slots, kept)
        began = time.monotonic()
        try:
            more = {"accepted": sampler.accepted, "origin": _WAY_ON if kept is None else _NAMED}
            result = run(given, Home.find(), slots.open, progress=False, **more)
        finally:
            sampler.settle()
    if sampler.error is not None:
        raise sampler.error
    return result, sampler.stopped or _timeout(asked, result, most, time.monotonic() - began)


def _gone_on(kept: Kept, trials: Any, labels: Labels, algorithm: Algorithm) -> Callable[[dict[str, Any], bool], None]:
    """Takes over what there is of the search; gives what is to be called when a document has changed."""
    kept.check_space(labels.texts())
    kept.load(trials)
    algorithm.skip(len(kept.proposed))

    def changed(document: dict[str, Any], proposed: bool) -> None:
        if proposed:
            kept.proposed.add(document["tid"])
        kept.save(trials, document)

    return changed


def _timeout(asked: Asked, result: SweepResult, most: int | None, seconds: float) -> str:
    """What hyperopt calls a timeout, if one ended the sweep; else empty."""
    best = result.summary.best
    reached = _reached(_target(asked.loss_threshold), None if best is None or best.value is None else best.value[0])
    whole = most is not None and len(result.trials) == most and not result.counts.killed
    over = asked.timeout is not None and seconds >= asked.timeout
    return FMIN_CANCELLED_REASON_TIMEOUT if over and not reached and not whole else ""


def _reached(target: float | None, loss: float | None) -> bool:
    return target is not None and loss is not None and loss <= target


@contextmanager
def _shown(asked: Asked, trials: Any) -> Iterator[Callable[[Any], None]]:
    """Shows hyperopt's bar, or the user's own, and saves the trials if that is wanted."""
    callback = progress.default_callback if asked.show_progressbar is True else asked.show_progressbar
    if not asked.show_progressbar or not asked.verbose:
        callback = progress.no_progress_callback
    with callback(initial=len(trials), total=asked.max_evals) as bar:
        yield partial(_advance, bar, asked.trials_save_file)


def _advance(bar: Any, file: str, trials: Any) -> None:
    losses = [loss for loss in trials.losses() if loss is not None and not math.isnan(loss)]
    if losses:
        bar.postfix = f"best loss: {min(losses)}"
    bar.update(1)
    if file:
        written_whole(Path(file), cloudpickle.dumps(trials))


def insert(trials: Any, points: object) -> None:
    """Adds points of the user's as new documents.

    Raises:
        AssertionError: it is not a list of dictionaries.
    """
    if points is None:
        return
    assert isinstance(points, list) and all(isinstance(point, dict) for point in points), (
        f"points_to_evaluate is {points!r:.80}; allowed is a list of dictionaries of values by label"
    )
    ids = trials.new_trial_ids(len(points))
    trials.insert_trial_docs([generate_trial(tid, point) for tid, point in zip(ids, points, strict=True)])
    trials.refresh()
