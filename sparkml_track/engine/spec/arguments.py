"""The arguments of a sweep as they were given, by ``sweep()``, a config file or a front door; ``check`` reads them."""

from __future__ import annotations

from dataclasses import dataclass

from sparkml_track.engine.spec.spec import Failures, Tracking
from sparkml_track.executors import Resources

__all__ = ["SweepArguments"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepArguments:
    """What ``sweep()`` was called with, with its defaults. Nothing is checked yet, so anything may be anything.

    Attributes:
        objective: and all others: see ``sparkml_track.sweep``.
        units: how many a trial has (folds), or ``Units``. The objective is called once for each, with ``trial.unit``;
            ``trial_timeout`` and retries are of each.
        gang: slots that each of them takes; see ``sweep``.
        store_given: the caller named the tracking store; else it was looked up.
        experiment_given: likewise.
    """

    objective: object
    space: object
    name: object = None
    experiment: object = None
    metric: object = "loss"
    direction: object = "minimize"
    sampler: object = "tpe"
    pruner: object = None
    max_trials: object = None
    timeout: object = None
    trial_timeout: object = None
    target: object = None
    patience: object = None
    parallelism: object = None
    seed: object = None
    data: object = None
    points_to_evaluate: object = ()
    warm_start: object = None
    executor: object = "auto"
    isolation: object = "recycled"
    deterministic: object = False
    resume: object = "auto"
    resources: object = Resources()
    failures: object = Failures()
    tracking: object = Tracking()
    autolog: object = False
    units: object = 1
    gang: object = 1
    store_given: bool = True
    experiment_given: bool = True
