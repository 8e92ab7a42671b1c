"""The sections of the search; their defaults are those of ``sweep()``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sparkml_track import executors, samplers
from sparkml_track.config.sections.fields import (
    Function,
    Options,
    Positive,
    Root,
    Seconds,
    Section,
    Text,
    Whole,
    Word,
    direction_name,
    matching,
    metric_name,
    named,
    one_of_names,
    one_or_more,
)

__all__ = ["FailureSettings", "ResourceSettings", "SweepSettings", "TrackingSettings"]

_PRUNERS = ("asha", "hyperband", "median", "patience", "percentile", "threshold")


class ResourceSettings(Section):
    """What each slot has: cores, accelerators, and bytes that an attempt may allocate."""

    cpus: Positive = 1
    gpus: Whole = 0
    memory: Positive | None = None


class FailureSettings(Section):
    """How often a lost attempt is tried again, and how many trials may fail before the sweep stops.

    Attributes:
        retries: further attempts after infrastructure was lost.
        max_failed: more failed trials than this stop the sweep; None for no limit.
        retry_failed: when a sweep is resumed, execute its failed trials again.
        checkpoint_root: folder on storage that all hosts have mounted, for ``checkpoint_dir``; None for one of a host.
    """

    retries: Whole = 2
    max_failed: Whole | None = None
    retry_failed: bool = False
    checkpoint_root: Root | None = None


class SweepSettings(Section):
    """The arguments of ``sweep()``; ``space`` and the points as they are in the file.

    Of several metrics there is a list, and of directions one for all or a list.
    """

    objective: Function
    space: Options
    name: Word | None = None
    metric: Annotated[str | tuple[str, ...], one_or_more(metric_name)] = "loss"
    direction: Annotated[str | tuple[str, ...], one_or_more(direction_name)] = "minimize"
    sampler: Annotated[str | Options, named(samplers.names)] = "tpe"
    pruner: Annotated[str | Options, named(lambda: _PRUNERS)] | None = None
    max_trials: Positive | None = None
    timeout: Seconds | None = None
    trial_timeout: Seconds | None = None
    target: float | None = None
    patience: Positive | None = None
    parallelism: Positive | None = None
    gang: Positive = 1
    seed: Whole | None = None
    points_to_evaluate: tuple[Options, ...] = ()
    warm_start: Word | None = None
    executor: Annotated[str, one_of_names(executors.NAMES)] = "auto"
    isolation: Literal["recycled", "fresh"] = "recycled"
    deterministic: bool = False
    resume: Word = "auto"
    resources: ResourceSettings = ResourceSettings()
    failures: FailureSettings = FailureSettings()
    autolog: bool | tuple[str, ...] | dict[str, Options] = False


class TrackingSettings(Section):
    """Where runs go.

    Attributes:
        uri: of the tracking server; None for a SQLite file in the home folder.
        experiment: its name; None for the name of the project.
        child_runs: "all", "none" or "top:K".
        keep: whose artifacts: "all" or "best:K".
        artifact_root: folder on storage that all hosts have mounted, where artifacts stay; None sends them to the runs.
        nested: runs that trials make inside their own: "keep", "merge" or "refuse".
        slot_hour_price: what an hour of one slot costs, in any currency; None for no price.
    """

    uri: Text | None = None
    experiment: Text | None = None
    child_runs: Annotated[str, matching("all|none|top:[1-9][0-9]{0,5}", "'all', 'none' or 'top:K'")] = "all"
    keep: Annotated[str, matching("all|best:[1-9][0-9]{0,5}", "'all' or 'best:K'")] = "all"
    artifact_root: Root | None = None
    nested: Literal["keep", "merge", "refuse"] = "keep"
    slot_hour_price: Annotated[float, Field(ge=0)] | None = None
