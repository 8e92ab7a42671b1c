"""Warm start: the finished trials of an earlier sweep, given to the sampler of a new one."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from sparkml_track.engine.records.entries import read_records
from sparkml_track.engine.records.types import Parent
from sparkml_track.engine.recovery.rebuild import params_of
from sparkml_track.engine.results.history import History
from sparkml_track.engine.spec.spec import Spec, described
from sparkml_track.errors import JournalError, ResumeRefused, SpecError, TrackingError
from sparkml_track.goal import losses
from sparkml_track.journals import read, sweeps
from sparkml_track.samplers import Capabilities
from sparkml_track.trackers import open_tracker
from sparkml_track.trial import Params, State

__all__ = ["Known", "known"]

_log = logging.getLogger(__name__)
_HEAD = 3  # records of a journal among which its parent run is


@dataclass(frozen=True, slots=True)
class Known:
    """A finished trial of an earlier sweep.

    Attributes:
        params: shaped like the space of the new sweep.
        values: one for each of its objectives, lower is better.
    """

    params: Params
    values: tuple[float, ...]


def known(spec: Spec, home: Path, can: Capabilities) -> Sequence[Known]:
    """What the sweep ``spec.warm_start`` found, by trial number; nothing if there is no such wish.

    It is read from the journal of that sweep if that is in this home, else from its child runs. Trials that are not of
    the space of the new sweep, or lack one of its metrics, are left out.

    Args:
        spec: of the new sweep.
        home: the state folder.
        can: what its sampler can do.

    Raises:
        SpecError: there is no such sweep, none of its trials can be used, or the sampler learns nothing from them.
        TrackingError: the store cannot be read.
    """
    if spec.warm_start is None:
        return ()
    if not (can.adaptive or can.finite):
        raise SpecError(
            f"warm_start is {spec.warm_start!r}, but sampler {described(spec.sampler)!r} learns nothing from other "
            "trials; take one that does, such as 'tpe', or leave warm_start out"
        )
    trials = _from_journal(spec.warm_start, home)
    if trials is None:
        trials = _from_tracker(spec, spec.warm_start, home)
    usable = [(params, metrics) for params, metrics in trials if _usable(spec, params, metrics)]
    found = [Known(spec.space.from_point(params), _losses(spec, metrics)) for params, metrics in usable]
    if not found:
        raise SpecError(
            f"warm_start is {spec.warm_start!r}, but none of its {len(trials)} finished trials can be used: they must "
            f"be of the space {list(spec.space.names)} and have the metric {', '.join(map(repr, spec.metric))}"
        )
    _log.info("gave %d of %d finished trials of %s to the sampler", len(found), len(trials), spec.warm_start)
    return found


def _usable(spec: Spec, params: Params, metrics: Mapping[str, float]) -> bool:
    return all(math.isfinite(metrics.get(name, math.nan)) for name in spec.metric) and spec.space.contains(params)


def _losses(spec: Spec, metrics: Mapping[str, float]) -> tuple[float, ...]:
    return losses(spec.goals, metrics)


_Trials = list[tuple[Params, Mapping[str, float]]]


def _from_journal(target: str, home: Path) -> _Trials | None:
    """Params and metrics of the finished trials; None if no journal here is of this sweep or parent run."""
    for entry in sweeps(home):
        with suppress(JournalError):  # of another sweep: no matter
            if target in (entry.sweep, *_parents(home, entry.sweep)):
                return _finished(History.of(read(home, entry.sweep)))
    return None


def _finished(past: History) -> _Trials:
    results = [result for _, result in sorted(past.results.items()) if result.state is State.FINISHED]
    return [(result.params, result.metrics) for result in results]


def _parents(home: Path, sweep: str) -> list[str]:
    head = read_records(islice(read(home, sweep), _HEAD))
    return [record.run_id for record in head if isinstance(record, Parent)]


def _from_tracker(spec: Spec, target: str, home: Path) -> _Trials:
    with closing(open_tracker(spec.tracking.uri, home)) as tracker:
        try:
            run_id = tracker.find(target) or tracker.parent(target).run_id
        except TrackingError as error:
            if type(error) is not TrackingError:  # the store is away, or refuses
                raise
            names = ", ".join(entry.sweep for entry in sweeps(home)[:10]) or "none"
            raise SpecError(
                f"warm_start is {target!r}; allowed is the id of a sweep or of its parent run. There is no journal of "
                f"it under {home}, and {tracker.uri} says: {error}. Sweeps here: {names}"
            ) from error
        children = sorted(tracker.children(run_id), key=lambda child: child.number)
    trials: _Trials = []
    for child in children:
        if child.state is State.FINISHED:
            with suppress(ResumeRefused):  # its parameters are of another space
                trials.append((params_of(spec.space, child.params), child.metrics))
    return trials
