"""Rows scored as they come; not a step of ``run``, for it may have no end."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparkml_track.adapters.spark.errors import translated
from sparkml_track.config.settings import Settings
from sparkml_track.errors import ConfigError, DataError, InvalidInput, SparkmlError
from sparkml_track.pipeline.project import Project
from sparkml_track.registries import ALIAS_CHAMPION
from sparkml_track.scoring import Follow, Followed, score_new, score_stream

if TYPE_CHECKING:
    from sparkml_track.api.session import SparkSession
    from sparkml_track.config.sections.models import StreamSettings

__all__ = ["follow"]

_log = logging.getLogger(__name__)


def follow(settings: Settings, every: float | None = None, alias: str = ALIAS_CHAMPION) -> Iterator[Followed]:
    """Scores what came since the last call, and yields what that was.

    Args:
        settings: with the section ``score.stream``.
        every: seconds between looks, for ever; looks that find nothing yield nothing, and those that fail are logged
            and made again. None looks once.
        alias: whose version scores, at the moment of each batch.

    Raises:
        SparkmlError: as its subclasses say, at the first look; later only what the user wrote wrong.
    """
    project = Project(settings)
    try:
        yield _look(project, alias)
        said = ""
        while every is not None:
            time.sleep(every)
            try:
                found = _look(project, alias)
            except InvalidInput:
                raise
            except SparkmlError as error:
                if str(error) != said:
                    _log.warning("nothing was scored, and is tried again: %s", error)
                said = str(error)
                continue
            said = ""
            if found.batches:
                yield found
    finally:
        project.close()


def _look(project: Project, alias: str) -> Followed:
    from sparkml_track.tables import DeltaTables

    settings = project.settings
    assert settings.score is not None
    assert settings.score.stream is not None
    if settings.register is None:
        raise ConfigError(f"{settings.file}: there is no section 'register', which names the model; add one")
    section, session = settings.score.stream, project.session()
    spec = Follow(settings.register.model, section.table, project.experiment, alias)
    tables = DeltaTables(settings.home.tables_root, session)
    if section.source is not None:
        return score_new(section.source, spec, tables, project.registry())
    checkpoint = settings.home.stream(settings.name, section.table)
    rows = _files(session, section, settings.file.absolute().parent / str(section.files))
    return score_stream(rows, spec, tables, project.registry(), checkpoint)


def _files(session: SparkSession, section: StreamSettings, folder: Path) -> Any:
    """A stream of the files; what Parquet files are made of the first of them says."""
    if not folder.is_dir():
        raise DataError(f"there is no folder {folder}; make it, or name another one in score.stream.files")
    where = folder.as_uri()
    with translated(f"reading {folder}", DataError):
        reader = session.readStream.format(section.format)
        if section.columns is not None:
            return reader.schema(section.columns).load(where)
        if not any(folder.glob("*.parquet")):
            raise DataError(
                f"there is no .parquet file in {folder}, so its columns are not known; name them in columns"
            )
        return reader.schema(session.read.parquet(where).schema).load(where)
