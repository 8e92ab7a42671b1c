"""The one folder that holds all state: ``SPARKML_HOME``, by default ``./.sparkml``."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sparkml_track.errors import SetupError

__all__ = ["Home"]


@dataclass(frozen=True, slots=True)
class Home:
    """Where everything lies.

    Attributes:
        root: an absolute path.
    """

    root: Path

    @classmethod
    def find(cls, given: str | Path | None = None, environ: Mapping[str, str] | None = None) -> Home:
        """The given folder, else ``SPARKML_HOME``, else ``.sparkml`` in the current folder. Nothing is made."""
        environ = os.environ if environ is None else environ
        return cls(Path(given or environ.get("SPARKML_HOME") or ".sparkml").expanduser().absolute())

    @property
    def database(self) -> Path:
        """MLflow's SQLite file."""
        return self.root / "mlflow.db"

    @property
    def artifacts(self) -> Path:
        """MLflow's artifacts."""
        return self.root / "artifacts"

    @property
    def tables(self) -> Path:
        """Delta tables."""
        return self.root / "tables"

    @property
    def journal(self) -> Path:
        """One folder for each sweep."""
        return self.root / "journal"

    @property
    def reports(self) -> Path:
        """HTML reports."""
        return self.root / "reports"

    @property
    def spark(self) -> Path:
        """What Spark itself leaves behind: its warehouse and the like."""
        return self.root / "spark"

    @property
    def tracking_uri(self) -> str:
        """Of the SQLite file."""
        return f"sqlite:///{self.database}"

    def make(self) -> Home:
        """Makes the folders that are missing.

        Raises:
            SetupError: it cannot be written.
        """
        try:
            for folder in (self.artifacts, self.tables, self.journal, self.reports, self.spark):
                folder.mkdir(parents=True, exist_ok=True)
            # Permission bits do not tell about read-only mounts and full disks.
            with tempfile.TemporaryFile(dir=self.root) as probe:
                probe.write(b"\0")
        except OSError as error:
            raise SetupError(
                f"the home folder {self.root} cannot be written ({error.strerror or error}): make it writable, or "
                "choose another with the environment variable SPARKML_HOME or with `home:` in the config"
            ) from error
        return self
