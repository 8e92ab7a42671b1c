"""The run of a monitoring job, with its figures and its page."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

from sparkml_track import schema
from sparkml_track.monitoring._counting.counts import Counted, Window
from sparkml_track.monitoring._found import DRIFT, FEW, Drift, Quality, Verdict
from sparkml_track.monitoring._history import Stamp
from sparkml_track.monitoring._judging.parts import order
from sparkml_track.monitoring._quality.calibration import blocks
from sparkml_track.monitoring._spec import CLASSIFICATION, RANKING, REGRESSION, Monitoring
from sparkml_track.pages import render, text_of
from sparkml_track.plots import draw_drift, draw_quality, draw_scores, draw_trend, library
from sparkml_track.refs import DataRef, TableRef
from sparkml_track.registries import Run

__all__ = ["ARTIFACT_MONITORING", "Told", "run_of"]

ARTIFACT_MONITORING = "monitoring/report.html"
# What a run and its page show of the quality: name for a person to the field.
_MEASURES: Mapping[str, Mapping[str, str]] = {
    CLASSIFICATION: {"log loss": "log_loss", "AUC": "auc", "base rate": "base_rate", "mean score": "mean_score"},
    REGRESSION: {"MAE": "mae", "RMSE": "rmse", "R2": "r2", "bias": "bias"},
    RANKING: {"precision": "precision_at", "recall": "recall_at", "NDCG": "ndcg_at"},
}
_METRICS: Mapping[str, Sequence[str]] = {
    CLASSIFICATION: ("log_loss", "auc", "brier", "calibration", "accuracy", "ece", "coverage"),
    REGRESSION: ("mae", "rmse", "r2", "bias", "coverage"),
    RANKING: ("precision_at", "recall_at", "ndcg_at"),
}


@dataclass(frozen=True, slots=True)
class Told:
    """What the run is about.

    Attributes:
        counted: of all rows.
        drift: against the baseline.
        quality: measured.
        estimates: of the quality.
        verdicts: by column.
        earlier: PSI and verdict by column and window, of the runs before.
    """

    counted: Counted
    drift: Sequence[Drift]
    quality: Sequence[Quality]
    estimates: Sequence[Quality]
    verdicts: Sequence[Verdict]
    earlier: Mapping[tuple[str, str], tuple[float, str]]


def run_of(spec: Monitoring, stamp: Stamp, told: Told, written: Mapping[str, TableRef]) -> Run:
    """The run, to be recorded.

    Args:
        spec: of the job.
        stamp: of its rows.
        told: what was found.
        written: the tables.
    """
    model, started = spec.model, stamp.monitored_at.timestamp()
    used = {schema.TAG_MODEL: f"{model.name}/{model.version}", schema.TAG_MODEL_RUN: model.run_id} if model else {}
    sources = [DataRef(source.name, str(source), None, source) for source in spec.sources]
    results = [DataRef(f"{spec.target}_{name}", str(table), None, table) for name, table in written.items()]
    drifted = "\n".join(f"- {each}" for each in told.verdicts if each.state == DRIFT)
    return Run(
        kind="monitoring",
        name=f"{spec.target} of {model}" if model else spec.target,
        experiment=spec.experiment,
        params={
            "windows": spec.windows,
            **{f"guards.{name}": value for name, value in asdict(spec.guards).items()},
        },
        metrics=dict(_metrics(spec, told)) | {"seconds": time.time() - started},
        tags={schema.TAG_MONITORING: stamp.run_id, "mlflow.note.content": drifted or "No column has drifted.", **used},
        data=(*sources, *results),
        artifacts={ARTIFACT_MONITORING: _page(spec, told)},
        started=started,
    )


def _metrics(spec: Monitoring, told: Told) -> Iterator[tuple[str, float]]:
    yield "alarms", sum(each.verdict == DRIFT for each in told.drift)
    yield "thin", sum(each.verdict == FEW for each in told.drift)
    for each in told.drift:
        if each.column == spec.score and each.slice_key is None:
            yield f"score_psi.{each.window}", each.psi
    for one in (*told.quality, *told.estimates):
        if one.slice_key is None:
            # A window that the baseline cuts is judged twice.
            part = "baseline." if one.in_baseline else "" if one in told.quality else "estimated."
            for name in _METRICS[spec.problem]:
                if not math.isnan(value := getattr(one, name)):
                    yield f"{part}{name}.{one.window}", value


def _page(spec: Monitoring, told: Told) -> str:
    names = _MEASURES[spec.problem]
    figures = [
        (q.window, q.in_baseline, *(getattr(q, name) for name in names.values()))
        for q in told.quality
        if q.slice_key is None
    ]
    drifts = [(each.column, each.window, each.psi, each.verdict) for each in told.drift if each.slice_key is None]
    quality = told.counted.quality if spec.problem == CLASSIFICATION else {}
    histograms = [(window.label, window.in_baseline, blocks(quality[window])[2]) for window in order(quality)]
    title = f"{spec.target}: {spec.windows}"
    trend, measured = draw_trend(_trend(told, drifts)), draw_quality(figures, tuple(names))
    plots = [draw_drift(drifts), trend, measured, draw_scores(histograms)]
    return text_of(render("page", library(), title=title, plots=plots))


def _trend(told: Told, drifts: Sequence[tuple[str, str, float, str]]) -> list[tuple[str, str, float, str]]:
    """The windows of all runs, in their order."""
    known = dict(told.earlier) | {(column, window): (psi, verdict) for column, window, psi, verdict in drifts}
    labels = [each.label for each in order({Window(window, False) for _, window in known})]
    place = {label: number for number, label in enumerate(labels)}
    return [(c, w, *known[c, w]) for c, w in sorted(known, key=lambda key: place[key[1]])]
