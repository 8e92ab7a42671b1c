"""Where attempts leave files: on their host, or on storage that the driver and all hosts have."""

from __future__ import annotations

import contextlib
import os
import tempfile
from dataclasses import dataclass

__all__ = ["BESIDE", "MARK", "HostPaths", "NotShared", "Places", "make"]

#: How names of blobs begin that attempts are given: they go with the sweep.
BESIDE = "beside-"
#: A file in each folder on shared storage: a host that does not see it has something else mounted there.
MARK = ".sparkml"


class NotShared(Exception):
    """A folder that is to be on shared storage is not there, or cannot be written. Says which and why."""


def make(folder: str) -> None:
    """Makes a folder on shared storage, and its mark; for the driver.

    Raises:
        OSError: it cannot be made or written; a link in its place is refused, as what it points to would be removed.
    """
    os.makedirs(os.path.dirname(folder), exist_ok=True)
    with contextlib.suppress(FileExistsError):
        os.mkdir(folder)
    if os.path.islink(folder) or not os.path.isdir(folder):
        raise NotADirectoryError(20, "something else than a folder is there", folder)
    with open(os.path.join(folder, MARK), "w") as file:
        file.write("made by the driver of a sweep; goes when the sweep has ended\n")


@dataclass(frozen=True)
class HostPaths:
    """What lies where in the folder that the slots of one host share.

    Attributes:
        root: the folder.
    """

    root: str

    @property
    def blobs(self) -> str:
        """Of what is fetched once, each under its digest."""
        return os.path.join(self.root, "blobs")

    def blob(self, digest: str) -> str:
        """Where a blob lies, or will."""
        return os.path.join(self.blobs, digest)

    @staticmethod
    def payload(attempt: str) -> str:
        """The name of the blob with what an attempt is given; no other attempt has it."""
        return f"{BESIDE}{attempt}"

    @staticmethod
    def file(name: str) -> str:
        """The name of the blob with a file that attempts are given."""
        return f"{BESIDE}{name}"

    @property
    def checkpoints(self) -> str:
        """Of the folders of units."""
        return os.path.join(self.root, "checkpoints")

    def artifacts(self, attempt: str) -> str:
        """An attempt's artifacts: a folder, or a link to the one on shared storage."""
        return os.path.join(self.all_artifacts, attempt)

    @property
    def all_artifacts(self) -> str:
        """Those of all attempts."""
        return os.path.join(self.root, "artifacts")

    def temporary(self, pid: int) -> str:
        """The temporary folder of a process."""
        return os.path.join(self.root, f"t{pid}")

    @property
    def apart(self) -> str:
        """There if each worker is to have a template of its own."""
        return os.path.join(self.root, "apart")

    def template(self, own: str) -> str:
        """The socket of the template, and how the names of what belongs to it begin; ``own`` of one worker's."""
        return os.path.join(self.root, f"template{own}")

    def zygote(self, base: str) -> str:
        """The socket of the process that templates are forked from."""
        return os.path.join(self.root, f"zygote-{base[:16]}")

    @property
    def template_log(self) -> str:
        """What templates print."""
        return os.path.join(self.root, "template.log")

    @property
    def mlflow_store(self) -> str:
        """What MLflow finds its store of slots by."""
        return os.path.join(self.root, "mlflow-store")

    def script(self, work: str) -> str:
        """What processes that attempts spawn read as the user's script; ``work`` is the digest of the objective's."""
        return os.path.join(self.root, f"script-{work}.py")

    @property
    def received(self) -> str:
        """What attempts sent, on the driver, where nobody else keeps it."""
        return os.path.join(self.root, "received")


@dataclass(frozen=True)
class Places:
    """The folders of attempts, as one host sees them.

    Attributes:
        host: folder of this host.
        checkpoints: folder on shared storage that takes one for each unit; None for this host's.
        artifacts: the same for each attempt; None for artifacts that are sent to the driver.
    """

    host: str
    checkpoints: str | None = None
    artifacts: str | None = None

    def check(self) -> None:
        """Whether this host has the storage that the driver has.

        Raises:
            NotShared: the driver's folder is not there, or cannot be written.
        """
        for folder in filter(None, (self.checkpoints, self.artifacts)):
            try:
                os.stat(os.path.join(folder, MARK))
                # Permission bits do not show read-only mounts and full disks.
                with tempfile.TemporaryFile(dir=folder) as probe:
                    probe.write(b"\0")
            except OSError as error:
                raise NotShared(f"{folder}: {error.strerror or error}") from None

    def checkpoint_dir(self, unit: str) -> str:
        """The folder of a unit, made if missing; private, as it may hold what an attempt unpickles."""
        if self.checkpoints is None:
            path = os.path.join(HostPaths(self.host).checkpoints, unit)
            os.makedirs(path, mode=0o700, exist_ok=True)
            return path
        # One level only: where the storage went away there must be an error, not a folder beneath its mount point.
        return _made(os.path.join(self.checkpoints, unit), 0o700)

    def artifact_dir(self, attempt: str) -> str:
        """The folder of an attempt, made if missing."""
        path = HostPaths(self.host).artifacts(attempt)
        if self.artifacts is None:
            os.makedirs(path, mode=0o700, exist_ok=True)
            return path
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        target = _made(os.path.join(self.artifacts, attempt), 0o777)  # others may read what the umask lets them
        with contextlib.suppress(FileExistsError):
            os.symlink(target, path)
        return target


def _made(path: str, mode: int) -> str:
    with contextlib.suppress(FileExistsError):
        os.mkdir(path, mode)
    return path
