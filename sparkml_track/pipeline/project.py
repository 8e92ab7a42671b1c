"""A config file with what its steps need, each opened when it is first asked for."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from sparkml_track import objective
from sparkml_track.adapters.mlflow.ambient import Ambient, ambient
from sparkml_track.adapters.mlflow.experiments import artifact_root
from sparkml_track.api.session import local_or_active
from sparkml_track.catalog.lineage.watched import watched
from sparkml_track.config.settings import Settings
from sparkml_track.errors import DataError
from sparkml_track.governance.sources.watch import Watch
from sparkml_track.pipeline.outcome import Outcome

if TYPE_CHECKING:
    from sparkml_track.api.session import SparkSession
    from sparkml_track.registries import Registry
    from sparkml_track.tables import Tables

__all__ = ["Project"]

Given = TypeVar("Given", bound=Outcome)


class Project:
    """A config file with what its steps need, each opened when it is first asked for."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        # As ``api.tracked_where``: what the file says, else as MLflow is configured.
        found = ambient() if settings.tracking.uri is None else Ambient()
        self.uri = settings.tracking.uri or found.uri or settings.home.tracking_uri
        self.experiment = settings.tracking.experiment or found.experiment or settings.name
        self._registry: Registry | None = None
        #: What steps read and wrote.
        self.watch = Watch()

    def session(self) -> SparkSession:
        """The Spark session."""
        return local_or_active(self.settings.spark, self.settings.home, self.settings.name)

    def tables(self, session: SparkSession | None = None) -> Tables:
        """The tables of the home; without a session they cannot be read by Spark. ``watch`` notes what is done."""
        return watched(self.plain_tables(session), self.watch)

    def plain_tables(self, session: SparkSession | None = None) -> Tables:
        """The same without a note."""
        from sparkml_track.tables import DeltaTables

        return DeltaTables(self.settings.home.tables_root, session, lineage=False)

    def registry(self) -> Registry:
        """The model registry, opened once."""
        from sparkml_track.registries import MlflowRegistry

        if self._registry is None:
            uri = self.uri
            section = self.settings.register
            allowed = {"formats": section.formats} if section else {}
            # Stored models may be of the project's own classes.
            objective.find_code(self.settings.code)
            root = artifact_root(uri, self.settings.home.artifacts)
            self._registry = MlflowRegistry(uri, root, lineage=False, **allowed)
        return self._registry

    def close(self) -> None:
        """Closes what was opened."""
        if self._registry is not None:
            self._registry.close()

    def function(self, path: str, options: Mapping[str, object] | None = None) -> Callable[..., Any]:
        """A function that the config file names, with its options bound."""
        function = objective.resolve(path, self.settings.code)
        return partial(function, **options) if options else function

    # -- what earlier steps gave

    def keep(self, outcome: Outcome) -> None:
        """Keeps an outcome for later steps, of this process or another day."""
        path = self._path(outcome.step)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(outcome.to_json(), indent=1))

    def kept(self, kind: type[Given]) -> Given:
        """What the step of this outcome gave when it last ran.

        Raises:
            DataError: it has not run.
        """
        try:
            return kind.from_json(json.loads(self._path(kind.step).read_text()))
        except FileNotFoundError:
            raise DataError(
                f"step {kind.step!r} of project {self.settings.name!r} has not run in {self.settings.home.root}; run "
                f"it first: sparkml-track {kind.step} --config {self.settings.file}"
            ) from None

    def _path(self, step: str) -> Path:
        return self.settings.home.step(self.settings.name, step)
