"""hyperopt's ``SparkTrials`` and ``fmin``, served by the engine: trials in resident workers, tracked, no polling.

``SparkTrials`` is a drop-in for ``hyperopt.SparkTrials``; ``fmin`` takes the arguments of ``hyperopt.fmin`` and
executes the trials of a plain ``Trials`` in slots as well. The user's ``algo`` proposes, on the driver. Each call is a
sweep with a parent run of its own; under an active MLflow run it is nested there.

Results that are more than numbers come back from slots as pickles, which the driver loads.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cloudpickle
import hyperopt
from hyperopt import STATUS_OK, Trials
from hyperopt.base import JOB_STATE_DONE, JOB_STATE_ERROR, validate_loss_threshold, validate_timeout
from hyperopt.spark import FMIN_CANCELLED_REASON_USER

from sparkml_track.engine.results.sweep_result import SweepResult
from sparkml_track.errors import SpecError
from sparkml_track.executors import Resources
from sparkml_track.frontdoors._hyperopt.kept import Kept
from sparkml_track.frontdoors._hyperopt.search import documents
from sparkml_track.frontdoors._hyperopt.sweep import Asked, Slots, insert, search

if TYPE_CHECKING:
    from sparkml_track.api.session import SparkSession

__all__ = ["SparkTrials", "fmin"]

_log = logging.getLogger("hyperopt-spark")


class SparkTrials(hyperopt.SparkTrials):  # type: ignore[misc]
    """``hyperopt.SparkTrials`` on this package's engine.

    Documents, counters, logger and messages are hyperopt's, with these differences: a trial whose function returned
    ``STATUS_FAIL`` counts as failed; ``trial_attachments`` works; ``early_stop_fn`` sees the trials that succeeded, in
    the order they ended; ``loss_threshold`` cancels the trials that run, and a loss equal to it reaches it.

    Args:
        parallelism: trials at one time, at most 128. If it is None or not positive: Spark's default parallelism, the
            number of cores for "processes", what ``sweep()`` takes for Spark Connect.
        timeout: seconds after which no trial is started and those that run are cancelled.
        loss_threshold: the loss that ends the search.
        spark_session: the active one by default, else a local one.
        resource_profile: slots get what it requests for a task (cpus, gpus). Local masters know no profiles.
        points_to_evaluate: the first trials: values by label, a choice's being the index. ``hyperopt.fmin`` does not
            pass its argument of this name on.
        executor: as of ``sweep()``; "processes" needs no Spark.
        name: of the search and its sweeps. Its trials are kept under the home: after the driver died, or in another
            process, the same call goes on with them; ``points_to_evaluate`` are those of the first call. Without a name
            they are in this object alone.

    Attributes:
        parallelism: trials at one time; None if ``sweep()`` decides.
        sweep_result: of the last search, with the ids of its runs; None before.

    Raises:
        Exception: ``timeout`` or ``loss_threshold`` is not a number, in hyperopt's words.
        ValueError: ``resource_profile`` requests for a task what slots cannot have.
        SetupError: ``spark_session`` was stopped, or Spark does not start.
        SpecError: ``name`` has other characters than a file may have.
        DataError: a trial that was kept cannot be loaded.
    """

    def __init__(  # noqa: PLR0913 - hyperopt's, and three more
        self,
        parallelism: int | None = None,
        timeout: float | None = None,
        loss_threshold: float | None = None,
        spark_session: SparkSession | None = None,
        resource_profile: Any = None,
        *,
        points_to_evaluate: list[dict[str, Any]] | None = None,
        executor: str = "auto",
        name: str | None = None,
    ) -> None:
        Trials.__init__(self, exp_key=None, refresh=False)
        validate_timeout(timeout)
        validate_loss_threshold(loss_threshold)
        self.timeout, self.loss_threshold = timeout, loss_threshold
        self.user_specified_parallelism = parallelism
        slots = Slots(executor, session=spark_session)
        session = slots.open() if slots.needs_session else None
        self.parallelism = _parallelism(parallelism, executor, session)
        resources = _resources(resource_profile, session)
        self._slots = Slots(executor, self.parallelism, session, resources)
        self._fmin_cancelled = False
        self._fmin_cancelled_reason: str | None = None
        self.sweep_result: SweepResult | None = None
        self._kept = _kept(name, self)
        self.refresh()
        insert(self, None if documents(self) else points_to_evaluate)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_slots": replace(self._slots, session=None)}

    def count_successful_trials(self) -> int:
        """Trials that ended with ``STATUS_OK``."""
        return sum(one["state"] == JOB_STATE_DONE and one["result"]["status"] == STATUS_OK for one in documents(self))

    def count_failed_trials(self) -> int:
        """Trials that raised, were lost, or returned another status."""
        ended = sum(one["state"] in (JOB_STATE_DONE, JOB_STATE_ERROR) for one in documents(self))
        return ended - self.count_successful_trials()

    def trial_attachments(self, trial: dict[str, Any]) -> Any:
        """What the function returned under "attachments", by name."""
        return Trials.trial_attachments(self, trial)

    def fmin(self, fn: Callable[..., object], space: Any, **given: Any) -> Any:
        """Called by ``hyperopt.fmin``, with its arguments."""
        asked = self._limited(Asked(fn=fn, space=space, **given))
        assert not asked.pass_expr_memo_ctrl, "SparkTrials does not support `pass_expr_memo_ctrl`"
        assert not asked.catch_eval_exceptions, "SparkTrials does not support `catch_eval_exceptions`"
        self._fmin_cancelled, self._fmin_cancelled_reason = False, None
        try:
            result, why = search(self, asked, self._slots, self._kept)
            self.sweep_result = result or self.sweep_result
            self._cancelled(why)
        except (KeyboardInterrupt, SystemExit):
            self._cancelled(FMIN_CANCELLED_REASON_USER)
            raise
        finally:
            self._log_counts()
        return asked.answer(self)

    def _limited(self, asked: Asked) -> Asked:
        """With the constructor's limits; of two timeouts its own counts, of two thresholds that of ``fmin``."""
        if asked.timeout is not None and self.timeout is not None:
            _log.warning("Timeout param was defined in Trials object, ignoring fmin definition")
        elif asked.timeout is not None:
            self.timeout = asked.timeout
        if asked.loss_threshold is not None:
            self.loss_threshold = asked.loss_threshold
        return replace(asked, timeout=self.timeout, loss_threshold=self.loss_threshold)

    def _cancelled(self, why: str) -> None:
        if why:
            self._fmin_cancelled, self._fmin_cancelled_reason = True, why
            _log.warning("fmin cancelled because of %s", why)
            _log.warning("fmin is cancelled, so new trials will not be launched.")

    def _log_counts(self) -> None:
        _log.info(
            "Total Trials: %d: %d succeeded, %d failed, %d cancelled.",
            self.count_total_trials(),
            self.count_successful_trials(),
            self.count_failed_trials(),
            self.count_cancelled_trials(),
        )


def _kept(name: str | None, trials: Any) -> Kept | None:
    """The files of a search that has a name, of which the trials then have what there is."""
    if name is None:
        return None
    kept = Kept.of(name)
    kept.load(trials)
    return kept


def _parallelism(requested: int | None, executor: str, session: SparkSession | None) -> int | None:
    if session is None:
        return requested if requested and requested > 0 else (1 if executor == "inline" else os.cpu_count())
    context = getattr(session, "sparkContext", None)
    if context is None and (requested is None or requested <= 0):  # Spark Connect
        return None
    default = None if context is None else context.defaultParallelism
    found: int = SparkTrials._decide_parallelism(requested, default)  # noqa: SLF001 - the base class logs by it
    return found


def _resources(profile: Any, session: SparkSession | None) -> Resources:
    """What a task of Spark is to have, as what a slot has."""
    if profile is None:
        return Resources()
    master = "" if session is None else session.conf.get("spark.master", "") or ""
    if session is None or (master.startswith("local") and not master.startswith("local-cluster")):
        _log.warning(
            "SparkTrials was constructed with a ResourceProfile, but %s does not support stage-level scheduling.",
            f"master {master}" if master else "this executor",
        )
        return Resources()
    if profile.executorResources:
        _log.warning("of the ResourceProfile only the requests for a task count; Spark executors stay as they are")
    asked = {name: request.amount for name, request in profile.taskResources.items()}
    if not set(asked) <= {"cpus", "gpu"} or any(amount != int(amount) for amount in asked.values()):
        raise ValueError(f"resource_profile requests {asked} for a task; allowed are whole numbers of cpus and of gpu")
    return Resources(int(asked.get("cpus", 1)), int(asked.get("gpu", 0)))


@dataclass(frozen=True, slots=True)
class _InSlots:
    """Gives a plain ``Trials`` the method that ``hyperopt.fmin`` looks for."""

    trials: Any
    slots: Slots
    kept: Kept | None

    def fmin(self, fn: Callable[..., object], space: Any, **given: Any) -> Any:
        asked = Asked(fn=fn, space=space, **given)
        assert not asked.pass_expr_memo_ctrl, "fmin in slots does not support `pass_expr_memo_ctrl`"
        search(self.trials, asked, self.slots, self.kept, raising=not asked.catch_eval_exceptions)
        return asked.answer(self.trials)


def __getattr__(name: str) -> Any:
    """The rest is hyperopt's, so that this module can be imported in its place."""
    try:
        return getattr(hyperopt, name)
    except AttributeError:
        raise AttributeError(f"neither hyperopt nor {__name__} has {name!r}") from None


def fmin(
    fn: Callable[..., object],
    space: Any,
    *arguments: Any,
    executor: str = "auto",
    parallelism: int | None = None,
    spark_session: SparkSession | None = None,
    name: str | None = None,
    **named: Any,
) -> Any:
    """``hyperopt.fmin`` with the trials of a plain ``Trials`` in slots; no trial waits for the one before it.

    An exception of ``fn`` ends the search and is raised, unless ``catch_eval_exceptions`` is set.

    Args:
        fn: as of ``hyperopt.fmin``.
        space: likewise.
        arguments: likewise, in its order.
        executor: as of ``sweep()``; of this and the three below a ``SparkTrials`` has its own.
        parallelism: trials at one time; as many as there are slots by default.
        spark_session: the active one by default, else a local one.
        name: of the search, as of ``SparkTrials``: the same call goes on after its driver died. So does one with
            ``trials_save_file``, from which hyperopt loads.
        named: as of ``hyperopt.fmin``. ``points_to_evaluate`` come first also where ``trials`` is given.

    Returns:
        As ``hyperopt.fmin``.

    Raises:
        TypeError: ``trials`` is of a class that is executed elsewhere.
        SpecError: ``name`` has other characters than a file may have, or ``trials`` have something already.
        SparkmlError: as ``sweep()`` raises; ``hyperopt.fmin`` may raise the rest.
    """
    call = signature(hyperopt.fmin).bind(fn, space, *arguments, **named)
    call.apply_defaults()
    asked = call.arguments
    trials, points = asked.pop("trials"), asked.pop("points_to_evaluate")
    file = Path(asked["trials_save_file"])
    if trials is None and file.is_file():
        trials, points = cloudpickle.loads(file.read_bytes()), None
    trials = Trials() if trials is None else trials
    if trials.asynchronous and not isinstance(trials, SparkTrials):
        raise TypeError(
            f"trials is a {type(trials).__name__}; allowed are None, Trials() and SparkTrials() of {__name__}"
        )
    if name is not None and (isinstance(trials, SparkTrials) or documents(trials)):
        raise SpecError(
            "name is given beside trials that have a search of their own; allowed are trials=None and new Trials() "
            "beside it; of SparkTrials the constructor takes it"
        )
    kept = _kept(name, trials)
    insert(trials, None if kept is not None and documents(trials) else points)
    in_slots = _InSlots(trials, Slots(executor, parallelism, spark_session), kept)
    trials = trials if isinstance(trials, SparkTrials) else in_slots
    return hyperopt.fmin(**{**asked, "allow_trials_fmin": True}, trials=trials)
