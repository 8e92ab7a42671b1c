"""A monitoring job: count, judge, append to tables, record a run with plots."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sparkml_track.monitoring._counting.counts import Counted, count
from sparkml_track.monitoring._counting.rows import Prepared, prepared, translated
from sparkml_track.monitoring._found import Fairness, Monitored, Quality
from sparkml_track.monitoring._history import Stamp, append, earlier
from sparkml_track.monitoring._judging.drift import consecutive, drift
from sparkml_track.monitoring._judging.profile import profile
from sparkml_track.monitoring._judging.verdicts import verdicts
from sparkml_track.monitoring._quality.calibration import calibration
from sparkml_track.monitoring._quality.estimate import estimates
from sparkml_track.monitoring._quality.fairness import fairness
from sparkml_track.monitoring._quality.judge import check_quality, quality
from sparkml_track.monitoring._quality.ranking import ranked
from sparkml_track.monitoring._run import Told, run_of
from sparkml_track.monitoring._spec import CLASSIFICATION, RANKING, ByTime, Monitoring
from sparkml_track.registries import Registry
from sparkml_track.tables import Tables

__all__ = ["monitor"]


def monitor(spec: Monitoring, tables: Tables, registry: Registry) -> Monitored:
    """Compares windows with the baseline and with each other, and scores with what came true.

    Args:
        spec: what to watch.
        tables: with a Spark session; takes the result tables.
        registry: takes the run.

    Raises:
        DataError: a column is missing or of a type that cannot be watched, the baseline is empty, or there is a label
            and scores are not probabilities, or labels are neither 0 nor 1.
        TableError: the tables refused.
        RegistryError: the run could not be written.
    """
    started = time.time()
    with translated():
        ready = prepared(spec, tables)
    counted = count(ready)
    check_quality(spec, counted)
    stamp = Stamp(spec.id or uuid.uuid4().hex, datetime.fromtimestamp(started, UTC))
    before = earlier(tables, spec.target, stamp.run_id)
    found = drift(counted, spec.guards)
    latest = [each for each in found if each.slice_key is None]
    judged = _judged(spec, ready, counted)
    stated = verdicts(latest, {key: verdict for key, (_, verdict) in before.items()})
    after = consecutive(counted, spec.guards) if isinstance(spec.windows, ByTime) else []
    written = append(
        tables,
        spec.target,
        stamp,
        {
            "profile": profile(counted),
            "drift": [*found, *after],
            "verdict": stated,
            "quality": [*judged.measured, *judged.estimated],
            "calibration": calibration(counted) if spec.problem == CLASSIFICATION else [],
            "fairness": judged.fairness,
        },
    )
    told = Told(counted, found, judged.measured, judged.estimated, stated, before)
    run_id = registry.record(run_of(spec, stamp, told, written))
    return Monitored(
        written,
        run_id,
        stamp.run_id,
        tuple(found),
        tuple(judged.measured),
        time.time() - started,
        tuple(after),
        tuple(judged.estimated),
        tuple(judged.fairness),
        tuple(stated),
    )


@dataclass(frozen=True, slots=True)
class _Judged:
    """The quality of the scores."""

    measured: Sequence[Quality] = ()
    estimated: Sequence[Quality] = ()
    fairness: Sequence[Fairness] = ()


def _judged(spec: Monitoring, ready: Prepared, counted: Counted) -> _Judged:
    if spec.label is None:
        return _Judged()
    if spec.problem == RANKING:
        with translated():
            return _Judged(ranked(ready.rows, spec.at))
    measured = quality(counted, spec.problem)
    if spec.problem != CLASSIFICATION:
        return _Judged(measured)
    few = spec.guards.min_rows
    return _Judged(measured, estimates(counted, spec.threshold, few), fairness(measured, few))
