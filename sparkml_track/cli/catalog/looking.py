"""The home, the tables and the registry that a command means."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sparkml_track.config.settings import load
from sparkml_track.home import Home

if TYPE_CHECKING:
    from sparkml_track.registries import Registry
    from sparkml_track.tables import Tables

__all__ = ["AsJson", "Config", "home_in", "registry_in", "tables_in"]

Config = Annotated[Path | None, typer.Option("--config", "-c", metavar="FILE", help="Names the home.")]
AsJson = Annotated[bool, typer.Option("--json", help="For programs.")]


def home_in(config: Path | None) -> Home:
    """The home that a config file names, else that of ``SPARKML_HOME``."""
    return load(config).home if config else Home.find()


def tables_in(config: Path | None) -> Tables:
    """Its tables, without Spark."""
    from sparkml_track.tables import DeltaTables

    return DeltaTables(home_in(config).tables_root)


@contextmanager
def registry_in(config: Path | None) -> Iterator[Registry]:
    """The registry of the tracking store that applies, as ``sweep`` finds it."""
    from sparkml_track.adapters.mlflow.ambient import Ambient, ambient
    from sparkml_track.adapters.mlflow.experiments import artifact_root
    from sparkml_track.registries import MlflowRegistry

    settings = load(config) if config else None
    home = settings.home if settings else Home.find()
    given = settings.tracking.uri if settings else None
    uri = given or (ambient() if given is None else Ambient()).uri or home.tracking_uri
    registry = MlflowRegistry(uri, artifact_root(uri, home.artifacts))
    try:
        yield registry
    finally:
        registry.close()
