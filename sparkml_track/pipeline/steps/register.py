"""The best parameters refitted, compared and registered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from sparkml_track import promotion
from sparkml_track.carried import CarriedFeatures
from sparkml_track.errors import DataError
from sparkml_track.pipeline.outcome import Facts
from sparkml_track.pipeline.project import Project
from sparkml_track.pipeline.steps.features import FeaturesBuilt
from sparkml_track.pipeline.steps.sweep import Swept
from sparkml_track.pipeline.training_set import splits

__all__ = ["Registered", "register"]


@dataclass(frozen=True)
class Registered:
    """What the gate decided.

    Attributes:
        model: name and version.
        alias: what it got.
        reason: why.
        measured: metrics on the test split, by whom.
    """

    step: ClassVar[str] = "register"
    model: str
    alias: str
    reason: str
    measured: Mapping[str, Mapping[str, float]]

    def facts(self) -> Facts:
        """For a person."""
        facts: Facts = {"model": f"{self.model}, alias {self.alias}", "because": self.reason}
        return facts | {"on the test split": self.measured}

    def to_json(self) -> dict[str, object]:
        """All of it."""
        kept: dict[str, object] = {"model": self.model, "alias": self.alias, "reason": self.reason}
        return kept | {"measured": {name: dict(each) for name, each in self.measured.items()}}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Registered:
        """The inverse."""
        return cls(**kept)


def register(project: Project) -> Registered:
    """Refits the best parameters, and registers the model with the alias that the gate gives it."""
    section = project.settings.register
    assert section is not None
    found = project.kept(Swept)
    params, metric, direction = _best(project, found)
    recipe = promotion.Recipe(
        refit=project.function(section.refit),
        baselines=project.function(section.baselines),
        evaluate=project.function(section.evaluate),
        inputs=project.function(section.inputs),
        flavor=f"mlflow.{section.flavor}",
    )
    carried = _carried(project)
    rows, refs = splits(project, "train", "valid", "test")
    spec = promotion.Promotion(
        model=section.model,
        experiment=project.experiment,
        params=params,
        metric=section.metric or metric,
        direction=section.direction or direction,
        seed=found.seed or 0,
        sweep=found.sweep,
        sweep_run=found.run,
        data=refs,
        approval=section.approval,
        carried=carried,
    )
    verdict = promotion.register(spec, recipe, rows, project.registry())
    measured = {"candidate": verdict.candidate} | {f"baseline {each.name}": each for each in verdict.baselines}
    measured |= {"champion before": verdict.champion} if verdict.champion else {}
    by_name = {name: dict(each.metrics) for name, each in measured.items()}
    return Registered(str(verdict.model), verdict.alias, verdict.reason, by_name)


def _carried(project: Project) -> CarriedFeatures | None:
    """The look-ups of the training set, where the config file asks for them.

    Raises:
        DataError: none are kept.
    """
    settings = project.settings
    if settings.register is None or not settings.register.look_ups:
        return None
    carried = project.kept(FeaturesBuilt).carried
    if carried is None:
        raise DataError(
            "register.look_ups is set, and the training set was built before it was: run the step again that makes "
            f"it: sparkml-track features --config {settings.file}"
        )
    return carried


def _best(project: Project, found: Swept) -> tuple[Mapping[str, object], str, str]:
    """The best parameters with metric and direction.

    Raises:
        DataError: the sweep had several metrics.
    """
    if found.params is None or not isinstance(found.metric, str) or not isinstance(found.direction, str):
        raise DataError(
            f"the last sweep of project {project.settings.name!r}, {found.sweep}, had the metrics "
            f"{', '.join(found.metric)} and so no best trial; give sweep.metric one name in "
            f"{project.settings.file}, and run the step 'sweep' again before 'register'"
        )
    return found.params, found.metric, found.direction
