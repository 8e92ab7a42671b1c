"""The steps of the main job, each by what the config file names; every one can also be run alone.

    prepare   the raw tables
    features  the feature tables and the training set
    sweep     the search
    register  the best parameters refitted, compared and registered
    deploy    a version put to work: in a table, on a stream, as an endpoint
    score     batch scoring with the pinned champion
    monitor   drift and quality, period by period
    follow    rows scored as they come; not a step, for it may have no end

A step gives a typed outcome, which is kept as JSON under ``<home>/steps/<project>``, so that the next step finds it, in
the same process or another day. A step's module is imported when it runs.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from sparkml_track.config.settings import Settings
from sparkml_track.pipeline.outcome import Outcome
from sparkml_track.pipeline.project import Project

__all__ = ["STEPS", "run_step"]

STEPS = ("prepare", "features", "sweep", "register", "deploy", "score", "monitor")
_CALLED = {"features": "build_features"}


def run_step(step: str, settings: Settings) -> Outcome:
    """Runs one step and keeps its outcome.

    Args:
        step: one of ``STEPS``; its section is in the settings.
        settings: of the config file.

    Raises:
        SparkmlError: as its subclasses say.
    """
    from sparkml_track.pipeline.lineage import record_step  # it knows what every step gives

    run: Callable[[Project], Outcome] = getattr(import_module(f"{__name__}.{step}"), _CALLED.get(step, step))
    project, outcome = Project(settings), None
    try:
        outcome = run(project)
        project.keep(outcome)
        return outcome
    finally:
        project.close()
        # Of a step that failed, the tables that it wrote before.
        record_step(project, step, outcome)
