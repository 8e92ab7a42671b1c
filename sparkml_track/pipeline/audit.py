"""The leak check of a project's features."""

from __future__ import annotations

from sparkml_track.config.settings import Settings
from sparkml_track.errors import ConfigError
from sparkml_track.features import AuditReport, Known, audit
from sparkml_track.pipeline.preflight import preflight
from sparkml_track.pipeline.project import Project

__all__ = ["audit_features"]


def audit_features(settings: Settings, cuts: int, limit: float) -> AuditReport:
    """Audit the features of a config file; its raw tables are there.

    Args:
        settings: of the config file.
        cuts: how many moments are tried.
        limit: score from which on a feature may know the label.

    Raises:
        ConfigError: there is no section ``features``, or its function cannot be imported.
        DataError: see ``audit``.
        TableError: a raw table is missing.
    """
    section = settings.features
    if section is None:
        raise ConfigError(f"{settings.file}: there is no section 'features', so there is nothing to audit; add one")
    preflight(settings, ["features"])
    project = Project(settings)
    try:
        builder = project.function(section.build, section.options)
        known = {name: Known(one.time, one.columns) for name, one in section.known.items()}
        tables = project.plain_tables(project.session())
        return audit(tables, builder, time=section.time, known=known, cuts=cuts, limit=limit)
    finally:
        project.close()
