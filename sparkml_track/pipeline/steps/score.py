"""Batch scoring with the pinned champion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from sparkml_track import scoring
from sparkml_track.pipeline.outcome import Facts, plain_ref, ref_of
from sparkml_track.pipeline.project import Project
from sparkml_track.pipeline.steps.features import FeaturesBuilt
from sparkml_track.refs import TableRef

__all__ = ["ScoresWritten", "score", "score_split"]


@dataclass(frozen=True)
class ScoresWritten:
    """The scores as they were written.

    Attributes:
        table: with them.
        model: the registered name.
        version: of it, the one that was used.
        rows: that were scored.
        bad: rows without a score, by reason.
    """

    step: ClassVar[str] = "score"
    table: TableRef
    model: str
    version: int
    rows: int = 0
    bad: Mapping[str, int] = field(default_factory=dict)

    def facts(self) -> Facts:
        """For a person."""
        bad = ", ".join(f"{rows:,} rows {problem}" for problem, rows in self.bad.items()) or "none"
        model = f"{self.model} version {self.version}"
        return {"model": model, "rows": f"{self.rows:,}", "without a score": bad, "table": str(self.table)}

    def to_json(self) -> dict[str, object]:
        """Table and model."""
        return {"table": plain_ref(self.table), "model": self.model, "version": self.version}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> ScoresWritten:
        """The inverse."""
        return cls(ref_of(kept["table"]), kept["model"], kept["version"])


def score(project: Project, version: int | None = None) -> ScoresWritten:
    """Scores the split that the config file names.

    Args:
        project: whose model is used.
        version: of the model; None for the champion's.
    """
    section = project.settings.score
    assert section is not None
    scored = score_split(project, section.split, section.table, version)
    return ScoresWritten(scored.table, scored.model.name, scored.model.version, scored.rows, scored.bad)


def score_split(project: Project, split: str, target: str, version: int | None = None) -> scoring.Scored:
    """Scores one split of the training set.

    Args:
        project: whose champion is used.
        split: which rows.
        target: the table for the scores.
        version: of the model; None for the champion's.
    """
    settings = project.settings
    assert settings.features is not None
    assert settings.register is not None
    period = getattr(settings.features.split, split)
    spec = scoring.Scoring(
        model=settings.register.model,
        source=project.kept(FeaturesBuilt).training,
        target=target,
        experiment=project.experiment,
        version=version,
        period=scoring.Period(settings.features.time, period.start, period.end),
    )
    return scoring.score(spec, project.tables(project.session()), project.registry())
