"""What the front door needs of Optuna that has no public name: all of it is here."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.progress_bar import _ProgressBar
from optuna.storages import BaseStorage, InMemoryStorage, RetryHeartbeatStaleTrialCallback
from optuna.storages._heartbeat import get_heartbeat_thread, is_heartbeat_enabled
from optuna.trial import FrozenTrial

__all__ = [
    "Bar",
    "Beats",
    "enqueue_again",
    "fixed",
    "in_optimize",
    "is_in_mlflow",
    "is_stopped",
    "lasts",
    "log_completed",
    "mark",
    "sampled_relative",
    "shown",
    "suggest",
]

Bar = _ProgressBar


@contextmanager
def in_optimize(study: optuna.Study) -> Iterator[None]:
    """While it lasts, ``study.stop()`` works in callbacks and samplers, and another ``optimize`` is refused.

    Raises:
        RuntimeError: there is one already, in Optuna's words.
    """
    local = study._thread_local  # noqa: SLF001
    if local.in_optimize_loop:
        raise RuntimeError("Nested invocation of `Study.optimize` method isn't allowed.")
    study._stop_flag = False  # noqa: SLF001
    local.in_optimize_loop = True
    try:
        yield
    finally:
        local.in_optimize_loop = False
        storage_of(study).remove_session()


@contextmanager
def shown(show: bool, n_trials: int | None, timeout: float | None) -> Iterator[Bar]:
    """Optuna's progress bar."""
    bar = Bar(show, n_trials, timeout)
    try:
        yield bar
    finally:
        bar.close()


def is_stopped(study: optuna.Study) -> bool:
    """Whether ``study.stop()`` was called."""
    return bool(study._stop_flag)  # noqa: SLF001


def storage_of(study: optuna.Study) -> BaseStorage:
    """Of the study."""
    return study._storage  # noqa: SLF001


def lasts(study: optuna.Study) -> bool:
    """Whether the study outlives this process."""
    return not isinstance(storage_of(study), InMemoryStorage)


def is_in_mlflow(study: optuna.Study) -> bool:
    """Whether MLflow's storage has the study."""
    return type(storage_of(study)).__module__.startswith("mlflow.")


def mark(study: optuna.Study, trial: optuna.Trial, name: str, value: object) -> None:
    """Sets a system attribute of a trial."""
    storage_of(study).set_trial_system_attr(trial._trial_id, name, value)  # type: ignore[arg-type]  # noqa: SLF001


def suggest(trial: optuna.Trial, name: str, distribution: BaseDistribution) -> Any:
    """As the method of the trial that belongs to the distribution."""
    value = trial._suggest(name, distribution)  # noqa: SLF001
    if not isinstance(distribution, optuna.distributions.CategoricalDistribution):
        trial._check_distribution(name, distribution)  # noqa: SLF001
    return value


def fixed(trial: optuna.Trial) -> Mapping[str, Any]:
    """The parameters that it was enqueued with."""
    found: Mapping[str, Any] = trial._fixed_params  # noqa: SLF001
    return found


def sampled_relative(trial: optuna.Trial) -> tuple[Mapping[str, Any], Mapping[str, BaseDistribution]]:
    """What the sampler has proposed for the trial as a whole, with distributions; it is not made to do so by this."""
    return trial._relative_params or {}, trial.relative_search_space or {}  # noqa: SLF001


def log_completed(study: optuna.Study, trial: FrozenTrial) -> None:
    """Logs the line that Optuna logs for a trial that is complete."""
    study._log_completed_trial(trial.values, trial.number, trial.params)  # noqa: SLF001


def enqueue_again(study: optuna.Study, trial: FrozenTrial) -> None:
    """Enqueues the parameters of a trial as a new one, as Optuna does for trials without heartbeats."""
    with without_experimental():
        again: Callable[[optuna.Study, FrozenTrial], None] = RetryHeartbeatStaleTrialCallback()
    again(study, trial)


@contextmanager
def without_experimental() -> Iterator[None]:
    """While it lasts, Optuna does not warn of what it calls experimental."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        yield


class Beats:
    """Heartbeats of running trials, for storages that want them."""

    def __init__(self, study: optuna.Study) -> None:
        self._storage = storage_of(study)
        self._wanted = is_heartbeat_enabled(self._storage)
        self._study = study
        self._threads: dict[int, Any] = {}

    def fail_stale(self) -> None:
        """Fails trials whose heartbeats have ended."""
        if self._wanted:
            with without_experimental():  # as Optuna does when it calls it
                optuna.storages.fail_stale_trials(self._study)

    def start(self, number: int, trial: optuna.Trial) -> None:
        """Begins them for a trial."""
        if self._wanted:
            thread = get_heartbeat_thread(trial._trial_id, self._storage)  # noqa: SLF001
            thread.start()
            self._threads[number] = thread

    def stop(self, number: int) -> None:
        """Ends them."""
        thread = self._threads.pop(number, None)
        if thread is not None:
            thread.join()
