"""The search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from sparkml_track import schema, space
from sparkml_track.api.sweep import run
from sparkml_track.engine.results.sweep_result import SweepResult
from sparkml_track.errors import SparkmlError
from sparkml_track.pipeline.outcome import Facts
from sparkml_track.pipeline.preflight import sweep_arguments
from sparkml_track.pipeline.project import Project
from sparkml_track.pipeline.training_set import splits
from sparkml_track.refs import DataRef

__all__ = ["Swept", "sweep"]

_SHOWN = 10  # trials of a Pareto front


@dataclass(frozen=True)
class Swept:
    """What a sweep found, as the next step needs it.

    Attributes:
        sweep: its id.
        run: of the parent run.
        params: the best parameters; None where several metrics give a front instead.
        metric: the name, or the names.
        direction: likewise.
        seed: of the sweep.
        found: facts for a person.
    """

    step: ClassVar[str] = "sweep"
    sweep: str
    run: str
    params: Mapping[str, object] | None
    metric: str | Sequence[str]
    direction: str | Sequence[str]
    seed: int | None
    found: Facts = field(default_factory=dict)

    def facts(self) -> Facts:
        """For a person."""
        return self.found

    def to_json(self) -> dict[str, object]:
        """All but the facts."""
        kept: dict[str, object] = {"sweep": self.sweep, "run": self.run, "params": self.params}
        return kept | {"metric": self.metric, "direction": self.direction, "seed": self.seed}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Swept:
        """The inverse."""
        return cls(**kept)


def sweep(project: Project) -> Swept:
    """Runs the sweep of the config file, on the training set where there is one."""
    settings, section = project.settings, project.settings.sweep
    function = project.function(section.objective)
    rows: Mapping[str, object] = {}
    inputs: list[DataRef] = []
    if settings.features is not None:
        rows, inputs = splits(project, "train", "valid")
    origin = {"config": str(settings.file.absolute())} | ({"why": settings.why} if settings.why else {})
    given = sweep_arguments(settings, function, rows)
    named = settings.tracking.experiment is not None
    given = replace(given, experiment=project.experiment, experiment_given=named)
    # The step records lineage itself.
    more = {"inputs": inputs, "made_from": (), "code": settings.code, "origin": origin}
    result = run(given, settings.home, project.session, progress=settings.progress, **more)
    params, found = _found(result, section.metric)
    return Swept(
        sweep=result.sweep,
        run=result.run_id,
        params=params,
        metric=section.metric,
        direction=section.direction,
        seed=result.seed,
        found=_facts(result, found),
    )


def _facts(result: SweepResult, found: Facts) -> Facts:
    counts = result.counts
    return {
        "trials": f"{counts.finished} finished, {counts.pruned} pruned, {counts.failed} failed, {counts.killed} killed "
        f"of {counts.planned}",
        **found,
        "parent run": result.run_id,
        "report": str(result.report_path),
    }


def _found(result: SweepResult, metric: str | Sequence[str]) -> tuple[Mapping[str, object] | None, Facts]:
    """The best parameters and the facts about them; with several metrics the front, whose trials have no order."""
    if isinstance(metric, str):
        best = result.best
        best_trial = f"trial {best.number}, {metric} {best.value:.6g}, {space.flatten(best.params)}"
        return dict(best.params), {"best": best_trial}
    front = result.pareto
    if not front:
        raise SparkmlError(f"no trial finished with finite values; the report says more: {result.report_path}")
    rows = {
        f"trial {one.number}": dict(zip(metric, one.value or (), strict=False)) | space.flatten(one.params)
        for one in front[:_SHOWN]
    }
    more = f"; the first {_SHOWN} of them are shown, the table {schema.ARTIFACT_PARETO} of the parent run has all"
    size = f"{len(front)} trials that no other beats in every metric{more if len(front) > _SHOWN else ''}"
    return None, {"best": size, "Pareto front": rows}
