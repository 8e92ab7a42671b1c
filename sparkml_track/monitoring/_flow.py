"""A monitoring job: count, judge, write tables, record a run with plots."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime

from sparkml_track import schema
from sparkml_track.errors import DataError
from sparkml_track.monitoring._counting import worker as _worker
from sparkml_track.monitoring._counting.counts import Counted, Sums, Window, count
from sparkml_track.monitoring._found import DRIFT, FEW, Drift, Monitored, Quality
from sparkml_track.monitoring._history import Stamp, append
from sparkml_track.monitoring._judging.findings import drift, order, profile, quality
from sparkml_track.monitoring._spec import Monitoring
from sparkml_track.pages import render, text_of
from sparkml_track.plots import draw_drift, draw_quality, draw_scores, library
from sparkml_track.refs import DataRef, TableRef
from sparkml_track.registries import Registry, Run
from sparkml_track.tables import Tables

__all__ = ["ARTIFACT_MONITORING", "monitor"]

ARTIFACT_MONITORING = "monitoring/report.html"


def monitor(spec: Monitoring, tables: Tables, registry: Registry) -> Monitored:
    """Compares windows with the baseline, and scores with what came true.

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
    counted = count(spec, tables)
    _check_quality(spec, counted)
    found, judged = drift(counted, spec.guards), quality(counted)
    stamp = Stamp(spec.id or uuid.uuid4().hex, datetime.fromtimestamp(started, UTC))
    rows: dict[str, Sequence[object]] = {"profile": profile(counted), "drift": found, "quality": judged}
    written = append(tables, spec.target, stamp, rows)
    run_id = registry.record(_run(spec, stamp, counted, found, judged, written))
    return Monitored(written, run_id, stamp.run_id, tuple(found), tuple(judged), time.time() - started)


def _check_quality(spec: Monitoring, counted: Counted) -> None:
    for window, sums in counted.quality.items():
        _check_scores(window, sums)
        _check_labels(spec, window, sums)
    judged = sum(float(sums.bins.sum()) for sums in counted.quality.values())
    positives = sum(float(sums.bins[: _worker.SCORE_BINS].sum()) for sums in counted.quality.values())
    if spec.positive is not None and judged and not positives:
        raise DataError(
            f"no row has {spec.positive!r} in column {spec.label!r}, which positive= names; give the label that scores "
            "are the probability of"
        )


def _check_scores(window: Window, sums: Sums) -> None:
    low, high = sums.range(_worker.SCORES)
    if low <= high and not 0 <= low <= high <= 1:
        raise DataError(
            f"scores from {low} to {high} in window {window.label} are not probabilities: their quality cannot be "
            "judged; leave the label out"
        )


def _check_labels(spec: Monitoring, window: Window, sums: Sums) -> None:
    low, high = sums.range(_worker.WRONG)
    if sums.total(_worker.WRONG):
        raise DataError(
            f"{sums.total(_worker.WRONG):.0f} labels in column {spec.label!r}, window {window.label}, are neither 0 "
            f"nor 1 but from {low:g} to {high:g}; name the one that scores are the probability of, as "
            f"positive={high:g}, or leave the label out"
        )


def _run(
    spec: Monitoring,
    stamp: Stamp,
    counted: Counted,
    found: Sequence[Drift],
    judged: Sequence[Quality],
    written: Mapping[str, TableRef],
) -> Run:
    model, started = spec.model, stamp.monitored_at.timestamp()
    used = {schema.TAG_MODEL: f"{model.name}/{model.version}", schema.TAG_MODEL_RUN: model.run_id} if model else {}
    sources = [DataRef(source.name, str(source), None, source) for source in spec.sources]
    results = [DataRef(f"{spec.target}_{name}", str(table), None, table) for name, table in written.items()]
    return Run(
        kind="monitoring",
        name=f"{spec.target} of {model}" if model else spec.target,
        experiment=spec.experiment,
        params={
            "windows": spec.windows,
            **{f"guards.{name}": value for name, value in asdict(spec.guards).items()},
        },
        metrics=_metrics(spec, found, judged) | {"seconds": time.time() - started},
        tags={schema.TAG_MONITORING: stamp.run_id, **used},
        data=(*sources, *results),
        artifacts={ARTIFACT_MONITORING: _page(spec, counted, found, judged)},
        started=started,
    )


def _metrics(spec: Monitoring, found: Sequence[Drift], judged: Sequence[Quality]) -> dict[str, float]:
    metrics: dict[str, float] = {
        "alarms": sum(each.verdict == DRIFT for each in found),
        "thin": sum(each.verdict == FEW for each in found),
    }
    metrics |= {f"score_psi.{each.window}": each.psi for each in found if each.column == spec.score}
    for each in judged:
        values = {"log_loss": each.log_loss, "auc": each.auc, "brier": each.brier, "calibration": each.calibration}
        # A window that the baseline cuts is judged twice.
        part = "baseline." if each.in_baseline else ""
        metrics |= {f"{part}{name}.{each.window}": value for name, value in values.items()}
    return metrics


def _page(spec: Monitoring, counted: Counted, found: Sequence[Drift], judged: Sequence[Quality]) -> str:
    drifts = [(each.column, each.window, each.psi, each.verdict) for each in found]
    figures = [(q.window, q.in_baseline, q.log_loss, q.auc, q.base_rate, q.mean_score) for q in judged]
    histograms = [
        (window.label, window.in_baseline, counted.quality[window].bins.reshape(2, -1).sum(axis=0))
        for window in order(counted.quality)
    ]
    title = f"{spec.target}: {spec.windows}"
    plots = [draw_drift(drifts), draw_quality(figures), draw_scores(histograms)]
    return text_of(render("page", library(), title=title, plots=plots))
