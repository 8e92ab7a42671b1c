"""A trial of a sweep that a config file started, executed again: with the objective and the data of that file."""

from __future__ import annotations

from sparkml_track.api.reproduce import Material, again
from sparkml_track.config.settings import Settings
from sparkml_track.engine.audit.reproduce import Reproduced
from sparkml_track.pipeline.project import Project
from sparkml_track.pipeline.training_set import splits
from sparkml_track.refs import DataRef

__all__ = ["reproduce"]


def reproduce(settings: Settings, sweep: str, trial: int | None = None) -> Reproduced:
    """Executes it again; see ``sparkml_track.reproduce``.

    Args:
        settings: of the config file.
        sweep: the id of a sweep.
        trial: its number; the best one by default.
    """
    project = Project(settings)
    try:
        function = project.function(settings.sweep.objective)
        rows: dict[str, object] = {}
        inputs: list[DataRef] = []
        if settings.features is not None:
            tables, inputs = splits(project, "train", "valid")
            rows = dict(tables)
        session = project.session() if settings.sweep.executor == "driver" else None
        material = Material(function, rows, inputs, settings.code)
        return again(settings.home.root, sweep, material, trial, session)
    finally:
        project.close()
