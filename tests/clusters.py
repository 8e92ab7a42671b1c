"""Clusters and Connect servers for tests, each on ports and in a folder of its own, ended by process id."""

from __future__ import annotations

import importlib.util
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Cluster:
    """One that is up.

    Attributes:
        folder: of its process ids, logs and work folders.
        master: its address; empty if there is only a Connect server.
        connect: the Connect server's address; empty if there is none.
    """

    folder: Path
    master: str
    connect: str

    def pid(self, name: str) -> int:
        """Of "master", "worker-1", "worker-2" or "connect"."""
        return int((self.folder / f"{name}.pid").read_text())

    def executors(self, name: str) -> list[int]:
        """Process ids of the Spark executors of a worker."""
        return [pid for pid in children(self.pid(name)) if "CoarseGrainedExecutorBackend" in command(pid)]


@contextmanager
def cluster(home: Path, *flags: str, env: dict[str, str] | None = None) -> Iterator[Cluster]:
    """A cluster by scripts/cluster, with its flags."""
    ports = [f"--{name}={free_port()}" for name in ("port", "ui-port", "connect-port")]
    around = {**os.environ, "SPARKML_HOME": str(home), **(env or {})}
    script = [sys.executable, str(ROOT / "scripts" / "cluster")]
    done = subprocess.run([*script, "up", *ports, *flags], env=around, capture_output=True, text=True, timeout=200)
    try:
        assert done.returncode == 0, done.stdout + done.stderr
        urls = (home / "cluster" / "urls").read_text().split()
        yield Cluster(
            home / "cluster",
            next((url for url in urls if url.startswith("spark:")), ""),
            next((url for url in urls if url.startswith("sc:")), ""),
        )
    finally:
        subprocess.run([*script, "down"], env=around, check=True, timeout=100)


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def children(pid: int) -> list[int]:
    """Its child processes."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            found.append(int(path.parent.name))
    return found


def descendants(pid: int) -> list[int]:
    """Its children, and theirs."""
    return [each for child in children(pid) for each in [child, *descendants(child)]]


def command(pid: int) -> str:
    """Its command line, empty if it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def alive(pid: int) -> bool:
    """Whether it runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def spark_home() -> str:
    """The Spark inside the pyspark package."""
    found = importlib.util.find_spec("pyspark")
    assert found is not None and found.origin is not None
    return os.path.dirname(found.origin)
