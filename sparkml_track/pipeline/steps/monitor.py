"""Drift and quality, period by period; who is notified of a change, and what it begins."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

from sparkml_track import monitoring
from sparkml_track.catalog.alerts.condition import parse_condition
from sparkml_track.catalog.system.store import SystemTables
from sparkml_track.config.sections import LabelSettings, MonitorSettings
from sparkml_track.pipeline.outcome import Facts, plain_ref, ref_of
from sparkml_track.pipeline.project import Project
from sparkml_track.pipeline.retraining.again import retrain
from sparkml_track.pipeline.retraining.notified import notify_changes
from sparkml_track.pipeline.retraining.standing import Standing
from sparkml_track.pipeline.steps.features import FeaturesBuilt
from sparkml_track.pipeline.steps.score import ScoresWritten, score_split
from sparkml_track.pipeline.training_set import watchable_columns
from sparkml_track.refs import TableRef

__all__ = ["Watched", "monitor", "standing_of"]

_SHOWN = 8  # alarms


@dataclass(frozen=True)
class Watched:
    """What monitoring found.

    Attributes:
        alarms: columns that have drifted, with window and PSI.
        quality: of the scores, by window.
        tables: with all of it.
        run: the monitoring run.
        standing: the last verdict.
        changed: states that are others than after the run before.
        retrained: what came of ``monitor.retrain``; empty without it.
    """

    step: ClassVar[str] = "monitor"
    alarms: tuple[str, ...]
    quality: Mapping[str, Mapping[str, object]]
    tables: Mapping[str, TableRef]
    run: str
    standing: Standing
    changed: tuple[str, ...] = ()
    retrained: Facts = field(default_factory=dict)

    def facts(self) -> Facts:
        """For a person."""
        drift = ", ".join(self.alarms[:_SHOWN]) or "none"
        facts: Facts = {"drift": drift, "tables": ", ".join(map(str, self.tables.values()))}
        facts["monitoring run"] = self.run
        sentences = [*self.standing.drifted.values(), *self.standing.passed.values()]
        facts |= {f"verdict {number}": text for number, text in enumerate(sentences[:_SHOWN], start=1)}
        facts |= {"changed": ", ".join(self.changed)} if self.changed else {}
        return facts | ({"quality": self.quality} if self.quality else {}) | self.retrained

    def to_json(self) -> dict[str, object]:
        """Alarms, tables, run and verdict."""
        tables = {name: plain_ref(ref) for name, ref in self.tables.items()}
        kept: dict[str, object] = {"alarms": list(self.alarms), "tables": tables, "run": self.run}
        return kept | {"standing": self.standing.to_json()}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Watched:
        """The inverse, without the quality."""
        tables = {name: ref_of(ref) for name, ref in kept["tables"].items()}
        return cls(tuple(kept["alarms"]), {}, tables, kept["run"], Standing.from_json(kept["standing"]))


def monitor(project: Project) -> Watched:
    """Compares features, scores and quality with the baseline rows, period by period.

    What has changed since the run before is passed on, and what the file says begins a sweep does.
    """
    section = project.settings.monitor
    assert section is not None
    spec = _spec(project, section)
    done = monitoring.monitor(spec, project.tables(project.session()), project.registry())
    _attempt(project).unlink(missing_ok=True)
    watched = _watched(done, standing_of(done, spec.score, section.limits))
    project.keep(watched)
    ways = section.notify.ways(project.settings.file.absolute().parent)
    system = SystemTables(project.settings.home.system, project.plain_tables())
    prefix = f"{project.settings.name}.{section.table}"
    watched = replace(watched, changed=tuple(notify_changes(watched.standing, prefix, ways, system)))
    if section.retrain is None:
        return watched
    again = retrain(project.settings, watched.standing)
    facts = {f"retrain {step} {name}": fact for step, found in again.facts.items() for name, fact in found.items()}
    return replace(watched, retrained={"retrain": again.decision.why} | facts)


def _spec(project: Project, section: MonitorSettings) -> monitoring.Monitoring:
    features = project.settings.features
    assert features is not None
    found, built = project.kept(ScoresWritten), project.kept(FeaturesBuilt)
    # The same version for both sides: a difference of models is not drift.
    baseline = score_split(project, section.baseline, f"{section.table}_baseline", found.version)
    period, watchable = getattr(features.split, section.baseline), watchable_columns(project)
    return monitoring.Monitoring(
        sources=(baseline.table, found.table),
        windows=monitoring.ByTime(features.time, section.period, period.start, period.end),
        target=section.table,
        experiment=project.experiment,
        columns=[each for each in built.features if each in watchable],
        score=baseline.columns["score"],
        label=features.label,
        positive=section.positive,
        model=baseline.model,
        guards=monitoring.Guards(min_rows=section.min_rows, psi=section.psi, alpha=section.alpha),
        id=_id(project, found.table),
        lengths=section.lengths,
        slices=section.slices,
        conditions=section.conditions,
        labels=_labels(project, section.labels),
        problem=section.problem,
        threshold=section.threshold,
    )


def _labels(project: Project, section: LabelSettings | None) -> monitoring.Labels | None:
    if section is None:
        return None
    table = project.tables().latest(section.table)
    return monitoring.Labels(table, section.keys, section.known_at, section.as_of)


def _attempt(project: Project) -> Path:
    return project.settings.home.step(project.settings.name, "monitor-attempt")


def _id(project: Project, scores: TableRef) -> str:
    """Of this job; that of an attempt on the same scores that was killed, whose rows may be in some of the tables."""
    path = _attempt(project)
    with suppress(OSError, ValueError, KeyError, TypeError):
        kept = json.loads(path.read_text("utf-8"))
        if kept["scores"] == plain_ref(scores):
            return str(kept["id"])
    made = uuid.uuid4().hex
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"id": made, "scores": plain_ref(scores)}))
    return made


def _watched(done: monitoring.Monitored, standing: Standing) -> Watched:
    alarms = tuple(f"{each.column} in {each.window}{_slice(each)} (PSI {each.psi:.2f})" for each in done.alarms)
    quality = {
        each.window: {"rows": each.rows, "base_rate": each.base_rate, "log_loss": each.log_loss, "auc": each.auc}
        for each in done.quality
        if not each.in_baseline and each.slice_key is None
    }
    return Watched(alarms, quality, done.tables, done.run_id, standing)


def _slice(each: monitoring.Drift) -> str:
    return "" if each.slice_key is None else f" where {each.slice_key} is {each.slice_value}"


def standing_of(done: monitoring.Monitored, score: str, limits: Sequence[str]) -> Standing:
    """What a monitoring run says, for whoever acts on it.

    Args:
        done: the run.
        score: the column of the scores.
        limits: conditions on the quality of the last window that has labels.
    """
    judged = dict(_limits(done, limits))
    return Standing(
        run=done.id,
        score=score,
        drifted={each.column: str(each) for each in done.verdicts if each.state == monitoring.DRIFT},
        calm=tuple(each.column for each in done.verdicts if each.state != monitoring.DRIFT),
        passed={limit: sentence for limit, sentence in judged.items() if sentence},
        kept=tuple(limit for limit, sentence in judged.items() if not sentence),
    )


def _limits(done: monitoring.Monitored, limits: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Each limit that could be judged, with a sentence if it is passed: by the last window with labels of its own."""
    measured = [each for each in done.quality if not each.in_baseline and each.slice_key is None]
    for limit in limits if measured else ():
        condition = parse_condition(limit)
        value = getattr(measured[-1], condition.column)
        holds = condition.holds(value)
        if holds is not None:
            yield limit, f"{condition.column} is {value:.4g} in {measured[-1].window} ({limit})" if holds else ""
