"""The one folder that holds all state: ``SPARKML_HOME``, by default ``./.sparkml``.

A home may be ``s3://bucket/folder``. Then journal and tables lie there, and what has to be a file on this machine
(MLflow's SQLite file, reports, caches, Spark's own files) lies in ``./.sparkml-s3/bucket/folder``. That path names the
home as well as its address does, so whoever is given the one finds the other.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sparkml_track.address import ObjectAddress
from sparkml_track.errors import SetupError

__all__ = ["Home", "of_units", "units_folder"]


@dataclass(frozen=True, slots=True)
class Home:
    """Where everything lies.

    Attributes:
        root: an absolute path; see the module for that of a home in an object store.
    """

    root: Path

    @classmethod
    def find(cls, given: str | Path | None = None, environ: Mapping[str, str] | None = None) -> Home:
        """The given folder, else ``SPARKML_HOME``, else ``.sparkml`` in the current folder. Nothing is made.

        Raises:
            SetupError: it is an address in an object store that is not valid.
        """
        environ = os.environ if environ is None else environ
        text = str(given or environ.get("SPARKML_HOME") or ".sparkml")
        if text.startswith("s3:/"):  # as a path it has one slash
            found = ObjectAddress.parse("s3://" + text.removeprefix("s3:").lstrip("/"))
            return cls(Path(_IN_S3, found.bucket, found.key).absolute())
        return cls(Path(text).expanduser().absolute())

    @property
    def store(self) -> ObjectAddress | None:
        """The object store that has journal and tables; None where they lie in the folder."""
        head, _, rest = self.root.as_posix().rpartition(f"/{_IN_S3}/")
        return ObjectAddress.parse(f"s3://{rest}") if head or rest != self.root.as_posix() else None

    @property
    def journal_store(self) -> ObjectAddress | None:
        """One folder for each sweep in the object store; None where journals are files."""
        return self.store / "journal" if self.store else None

    @property
    def place(self) -> str:
        """What a person calls it: the folder, or the address."""
        return str(self.store or self.root)

    @property
    def tables_root(self) -> str:
        """The root of the tables: a path or an address."""
        return str(self.store / "tables" if self.store else self.tables)

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
        """Delta tables, where they are files."""
        return self.root / "tables"

    @property
    def groups(self) -> Path:
        """Rows and models of groups while they are trained, and models too large for their table."""
        return self.root / "groups"

    def search(self, name: str) -> Path:
        """The trials of a search of hyperopt that has a name."""
        return self.root / "hyperopt" / name

    @property
    def journal(self) -> Path:
        """One folder for each sweep, where journals are files."""
        return self.root / "journal"

    @property
    def reports(self) -> Path:
        """HTML reports."""
        return self.root / "reports"

    def report(self, sweep: str) -> Path:
        """The report of a sweep."""
        return self.reports / f"{sweep}.html"

    def spool(self, sweep: str) -> Path:
        """What attempts of a sweep left, until it is published."""
        return self.root / "spool" / sweep

    def staging(self, sweep: str) -> Path:
        """Files of a sweep that is imported, on their way."""
        return self.root / "imports" / sweep

    def step(self, project: str, step: str) -> Path:
        """What a step of a project gave when it last ran."""
        return self.root / "steps" / project / f"{step}.json"

    def deployment(self, project: str) -> Path:
        """What of a project was put to work where, and its endpoint."""
        return self.deployments / project

    @property
    def deployments(self) -> Path:
        """What was put to work where, by project."""
        return self.root / "deployments"

    def stream(self, project: str, table: str) -> Path:
        """What a stream that is scored into a table has read."""
        return self.root / "streams" / project / table

    def pipeline_lock(self, name: str) -> Path:
        """Held while a pipeline is updated."""
        return self.root / "pipelines" / f"{name}.lock"

    def streams(self, pipeline: str) -> Path:
        """How far the streams of a pipeline are, by flow."""
        return self.root / "streams" / pipeline

    @property
    def jobs(self) -> Path:
        """Locks of jobs, and the scheduler's memory."""
        return self.root / "jobs"

    @property
    def scheduler(self) -> Path:
        """What the scheduler has seen and done."""
        return self.jobs / "scheduler.json"

    def job_run(self, run: str) -> Path:
        """What the tasks of a run of a job printed."""
        return self.jobs / "runs" / run

    @property
    def cache(self) -> Path:
        """Answers of queries."""
        return self.root / "cache"

    @property
    def system(self) -> Path:
        """Rows of system tables that are not in them yet."""
        return self.root / "system"

    @property
    def grants(self) -> Path:
        """Who may read and change which tables."""
        return self.system / "granted.json"

    @property
    def prompt(self) -> Path:
        """What was typed at the prompt of SQL."""
        return self.root / "sql_history"

    @property
    def spark(self) -> Path:
        """What Spark itself leaves behind: its warehouse and the like."""
        return self.root / "spark"

    @property
    def online(self) -> Path:
        """Published feature tables, by name."""
        return self.root / "online"

    @property
    def served(self) -> Path:
        """Links to the files of tables, by which a server of SQL reads them."""
        return self.root / "served"

    def inference(self, endpoint: str) -> Path:
        """What an endpoint answered and is not in its inference tables yet."""
        return self.root / "inference" / endpoint

    @property
    def server(self) -> Path:
        """Accounts and keys of the tracking server."""
        return self.root / "server"

    @property
    def tracking_uri(self) -> str:
        """Of the SQLite file."""
        return f"sqlite:///{self.database}"

    def keep(self, mounts: str | None = None, *, tracked: bool = False) -> Home:
        """Refuses a home that is lost with the driver's machine; for drivers in cluster mode.

        Args:
            mounts: the table of mounts, as in ``/proc/self/mounts``; that of this process by default.
            tracked: whether runs go to a tracking server or a database elsewhere.

        Raises:
            SetupError: it is on a disk of this machine, and nobody said that the disk outlives the driver.
        """
        if self.store and tracked:
            return self
        kind = _file_system(self.root, mounts)
        shared = kind.startswith(("fuse.", "nfs")) or kind in _SHARED
        if shared or os.environ.get("SPARKML_HOME_KEPT", "").lower() in ("1", "true", "yes"):
            return self
        lost = "tracking" if self.store else "journal and tracking"
        first = "Name a tracking server by tracking.uri, or set" if self.store else "Set"
        raise SetupError(
            f"the driver runs on a machine of the cluster (spark.submit.deployMode=cluster), and its home {self.root} "
            f"is on a disk of that machine ({kind or 'unknown'}): {lost} would be lost with it. {first} "
            "SPARKML_HOME to a folder on shared storage, by spark.yarn.appMasterEnv.SPARKML_HOME or "
            "spark.kubernetes.driverEnv.SPARKML_HOME; or set SPARKML_HOME_KEPT=true if the disk outlives the driver"
        )

    def make(self) -> Home:
        """Makes the folders that are missing.

        Raises:
            SetupError: it cannot be written, or its path means another one as a URI.
        """
        if found := _MISREAD.search(str(self.root)):
            raise SetupError(
                f"the home folder {self.root} has {found[0]!r} in its path, which URIs of tracking stores take for "
                "something else, so that runs would go to another folder; allowed is a path without '?', '#' and '%' "
                "with two digits: choose one with the environment variable SPARKML_HOME or with `home:` in the config"
            )
        try:
            stored = () if self.store else (self.tables, self.journal)
            for folder in (self.artifacts, *stored, self.reports, self.spark):
                folder.mkdir(parents=True, exist_ok=True)
            # Permission bits do not show read-only mounts and full disks.
            with tempfile.TemporaryFile(dir=self.root) as probe:
                probe.write(b"\0")
        except OSError as error:
            raise SetupError(
                f"the home folder {self.root} cannot be written ({error.strerror or error}): make it writable, or "
                "choose another with the environment variable SPARKML_HOME or with `home:` in the config"
            ) from error
        return self


#: The folder for what homes in S3 have on this machine.
_IN_S3 = ".sparkml-s3"

#: What a path of a URI cannot hold as it is.
_MISREAD = re.compile(r"[?#]|%[0-9A-Fa-f]{2}")

#: File systems that other machines have too, beside those named nfs* and fuse.*.
_SHARED = frozenset({"9p", "afs", "beegfs", "ceph", "cifs", "glusterfs", "gpfs", "lustre", "smb3", "virtiofs"})


def _file_system(path: Path, mounts: str | None) -> str:
    """The type of the file system a path is on, or will be; empty if that is unknown."""
    try:
        table = Path("/proc/self/mounts").read_text() if mounts is None else mounts
    except OSError:
        return ""
    found = [line.split()[1:3] for line in table.splitlines() if len(line.split()) > 2]
    fits = [(place, kind) for place, kind in found if path.is_relative_to(place.replace("\\040", " "))]
    # Of mounts at one place the last one is seen.
    return max(enumerate(fits), key=lambda one: (len(one[1][0]), one[0]), default=(0, ("", "")))[1][1]


def units_folder(trial: int) -> str:
    """The name of the folder that takes the artifacts of the units of a trial, beside those of attempts."""
    return f"{trial}.units"


def of_units(name: str) -> bool:
    """Whether a folder has this name."""
    return name.endswith(".units")
