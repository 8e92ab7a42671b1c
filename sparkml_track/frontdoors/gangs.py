"""The gangs door: one function as several processes at one time, each in a slot, as distributed training needs them.

The processes find each other as those that torchrun starts, by the environment. They are one trial of a sweep: a rank
that dies ends the others, and all begin again together. What the first rank returns comes back as it is: it is
unpickled here, from authenticated slots of this call alone.
"""

from __future__ import annotations

import inspect
import logging
import math
import pickle
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sparkml_track import objective as objectives
from sparkml_track.api.session import local_or_active
from sparkml_track.api.sweep import run
from sparkml_track.engine.identity.objective_code import inner, plain
from sparkml_track.engine.loop.progress import ProgressListener
from sparkml_track.engine.results.summary import Result
from sparkml_track.engine.spec.arguments import SweepArguments
from sparkml_track.engine.spec.kinds import is_unicode, is_whole
from sparkml_track.engine.spec.spec import Failures, Tracking
from sparkml_track.errors import DataError, ExecutorError, ObjectiveError, ResumeRefused, SparkmlError, SpecError
from sparkml_track.executors import Resources
from sparkml_track.frontdoors._gang_call import SECONDS, Call, takes_trial
from sparkml_track.home import Home
from sparkml_track.trial import Outcome, State

if TYPE_CHECKING:
    from sparkml_track.api.session import SparkSession

__all__ = ["distribute"]

_RESOURCES, _TRACKING = Resources(), Tracking()
#: Characters of an argument that is recorded as it is.
_SHOWN = 250
#: What goes on with a call that was interrupted.
_ORIGIN = {"door": "distribute(...) with the same function and arguments"}
_log = logging.getLogger(__name__)


def distribute(  # noqa: PLR0913 - keywords, each with a default
    fn: Callable[..., Any],
    *args: object,
    workers: int,
    retries: int = 2,
    timeout: float | None = None,
    data: Mapping[str, object] | None = None,
    checkpoint_root: str | None = None,
    name: str | None = None,
    experiment: str | None = None,
    seed: int | None = None,
    executor: str = "auto",
    resume: str = "auto",
    resources: Resources = _RESOURCES,
    tracking: Tracking | None = _TRACKING,
    spark: SparkSession | None = None,
    progress: ProgressListener | bool | None = None,
) -> Any:
    """Calls a function in several processes at one time, each in a slot of its own; returns what the first one did.

    Each process is a rank; it finds ``RANK``, ``WORLD_SIZE``, ``MASTER_ADDR``, ``MASTER_PORT`` and the others of
    torchrun in its environment. A function with a parameter ``trial`` gets the trial by it: ``trial.rank``,
    ``trial.all_gather``, ``trial.checkpoint_dir``, ``trial.report``.

    Args:
        fn: called as ``fn(*args)`` in each rank; more arguments by ``functools.partial``.
        args: for it; pickled with it.
        workers: how many ranks; as many slots must be there at one time.
        retries: further attempts after a rank died or its worker was lost: all ranks begin again, and find
            ``trial.checkpoint_dir`` as it was. What the function raises is never tried again.
        timeout: seconds after which an attempt is killed.
        data: what the function reads as ``trial.data[name]``; see ``sweep``.
        checkpoint_root: folder on storage that all hosts have mounted, for ``trial.checkpoint_dir``; None for a folder
            of each host.
        name: of the run; the function's by default.
        experiment: MLflow's; the name by default.
        seed: of each rank's generators, and ``trial.seed``; drawn if None.
        executor: "auto" or "resident" (Spark slots), or "processes" (this host, without Spark).
        resume: "auto" goes on with an unfinished call of this name, "never" starts anew.
        resources: of one slot.
        tracking: where the run goes; None for none.
        spark: the session; the active one by default, else a local one.
        progress: as of ``sweep``.

    Returns:
        What the first rank returned, up to 64 MiB pickled. Numbers in it are metrics of the run.

    Raises:
        InvalidInput: arguments are wrong; nothing was started.
        PreflightError: there cannot be as many slots.
        SetupError: the executor has no gangs, as on Spark Connect.
        Exception: what the function raised in a rank, with the traceback there as a note.
        DataError: what it returned is too large.
        ExecutorError: a rank died, or was lost, more often than ``retries`` allows.
        SparkmlError: it was over its time, or as ``sweep`` raises.
    """
    _check(fn, args, workers)
    given = SweepArguments(
        objective=Call(fn, args),
        space={"workers": workers, **_recorded(args)},
        name=name or objectives.name_of(inner(fn)).rpartition(".")[2],
        experiment=experiment,
        metric=SECONDS,
        sampler="random",
        max_trials=1,
        trial_timeout=timeout,
        parallelism=1,
        gang=workers,
        seed=seed,
        data=data,
        executor=executor,
        resume=resume,
        resources=resources,
        failures=Failures(retries=retries, checkpoint_root=checkpoint_root),
        tracking=Tracking(uri="memory:", child_runs="none") if tracking is None else tracking,
    )
    return _returned(given, _called(given, spark, progress))


def _check(fn: Callable[..., Any], args: tuple[object, ...], workers: object) -> None:
    if not callable(fn):
        raise ObjectiveError(f"fn is {fn!r} ({type(fn).__name__}); allowed is a function")
    if not is_whole(workers, 1):
        raise SpecError(f"workers is {workers!r}; allowed is a whole number of at least 1")
    try:
        inspect.signature(fn).bind(*args, **({"trial": None} if takes_trial(fn) else {}))
    except TypeError as error:
        raise ObjectiveError(
            f"{objectives.name_of(inner(fn))} cannot be called with these arguments: {error}"
        ) from None
    except ValueError:  # built in C, without a signature
        return


def _recorded(args: tuple[object, ...]) -> dict[str, object]:
    """The arguments as params of the run: short plain ones as they are, others by their type."""
    shown = {str(at): value if _is_short(value) else type(value).__qualname__ for at, value in enumerate(args)}
    return {"args": shown} if shown else {}


def _is_short(value: object) -> bool:
    """Whether a tracking store takes it as it is."""
    if isinstance(value, float):
        return math.isfinite(value)
    return plain(value) and len(str(value)) <= _SHOWN and is_unicode(str(value))


def _called(given: SweepArguments, spark: SparkSession | None, progress: ProgressListener | bool | None) -> Outcome:
    """How the call ended; one that had ended before, of which only its value is missing, is made again."""
    home, ends = Home.find(), list[Outcome]()

    def accepted(_: Result, outcome: Outcome) -> str:
        ends.append(outcome)
        return ""

    def call(given: SweepArguments) -> None:
        session = lambda: spark or local_or_active(home=home)  # noqa: E731
        run(given, home, session, progress=progress, accepted=accepted, origin=_ORIGIN)

    try:
        call(given)
    except ResumeRefused as error:
        if given.resume != "auto":
            raise
        _log.warning("%s. The call begins anew", error)
    if not ends:
        call(replace(given, resume="never"))
    return ends[-1]


def _returned(given: SweepArguments, outcome: Outcome) -> Any:
    if not outcome.payload:
        raise _failed(given, outcome)
    kind, value, *more = pickle.loads(outcome.payload)  # noqa: S301 - from slots of this call, authenticated
    if outcome.state is State.FINISHED and kind == "returned":
        return value
    if isinstance(value, Exception):
        value.add_note(f"In a slot on {outcome.host}:\n{more[0]}")
        raise value
    raise _failed(given, outcome)


def _failed(given: SweepArguments, outcome: Outcome) -> SparkmlError:
    if outcome.message.startswith("gave a payload"):
        return DataError(f"{given.name} returned too much: it {outcome.message.partition(':')[0]}; leave it in a file")
    if outcome.reason == "worker lost":
        return ExecutorError(f"{given.name} was not finished: {outcome.message}; raise retries to go on longer")
    if outcome.reason == "timeout":
        return SparkmlError(
            f"{given.name} was ended: {outcome.message}; give timeout more seconds, or None for no limit"
        )
    return SparkmlError(f"{given.name} failed: {outcome.message}")
