"""Drift and quality, period by period."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from sparkml_track import monitoring
from sparkml_track.pipeline.outcome import Facts, plain_ref, ref_of
from sparkml_track.pipeline.project import Project
from sparkml_track.pipeline.steps.features import FeaturesBuilt
from sparkml_track.pipeline.steps.score import ScoresWritten, score_split
from sparkml_track.pipeline.training_set import watchable_columns
from sparkml_track.refs import TableRef

__all__ = ["Watched", "monitor"]

_SHOWN = 8  # alarms


@dataclass(frozen=True)
class Watched:
    """What monitoring found.

    Attributes:
        alarms: columns that have drifted, with window and PSI.
        quality: of the scores, by window.
        tables: with all of it.
        run: the monitoring run.
    """

    step: ClassVar[str] = "monitor"
    alarms: tuple[str, ...]
    quality: Mapping[str, Mapping[str, object]]
    tables: Mapping[str, TableRef]
    run: str

    def facts(self) -> Facts:
        """For a person."""
        drift = ", ".join(self.alarms[:_SHOWN]) or "none"
        facts: Facts = {"drift": drift, "tables": ", ".join(map(str, self.tables.values()))}
        facts["monitoring run"] = self.run
        return facts | ({"quality": self.quality} if self.quality else {})

    def to_json(self) -> dict[str, object]:
        """Alarms, tables and run."""
        tables = {name: plain_ref(ref) for name, ref in self.tables.items()}
        return {"alarms": list(self.alarms), "tables": tables, "run": self.run}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Watched:
        """The inverse, without the quality."""
        tables = {name: ref_of(ref) for name, ref in kept["tables"].items()}
        return cls(tuple(kept["alarms"]), {}, tables, kept["run"])


def monitor(project: Project) -> Watched:
    """Compares features, scores and quality with the baseline rows, period by period."""
    settings = project.settings
    section, features = settings.monitor, settings.features
    assert section is not None
    assert features is not None
    found, built = project.kept(ScoresWritten), project.kept(FeaturesBuilt)
    # The same version for both sides: a difference of models is not drift.
    baseline = score_split(project, section.baseline, f"{section.table}_baseline", found.version)
    period, watchable = getattr(features.split, section.baseline), watchable_columns(project)
    spec = monitoring.Monitoring(
        sources=(baseline.table, found.table),
        windows=monitoring.ByTime(features.time, section.period, period.start, period.end),
        target=section.table,
        experiment=project.experiment,
        columns=[each for each in built.features if each in watchable],
        score=baseline.columns["score"],
        label=features.label,
        positive=section.positive,
        model=baseline.model,
        guards=monitoring.Guards(min_rows=section.min_rows, psi=section.psi),
    )
    return _watched(monitoring.monitor(spec, project.tables(project.session()), project.registry()))


def _watched(done: monitoring.Monitored) -> Watched:
    alarms = tuple(f"{each.column} in {each.window} (PSI {each.psi:.2f})" for each in done.alarms)
    quality = {
        each.window: {"rows": each.rows, "base_rate": each.base_rate, "log_loss": each.log_loss, "auc": each.auc}
        for each in done.quality
        if not each.in_baseline
    }
    return Watched(alarms, quality, done.tables, done.run_id)
