"""Clusters and Connect servers for tests, each on ports and in a folder of its own, ended by process id."""

from __future__ import annotations

import importlib.util
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.jvms import BRIEF_EXECUTORS, CLASS_PATH

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

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
    # For the Connect server; other applications bring their own.
    options = {"spark.driver.extraClassPath": CLASS_PATH, **BRIEF_EXECUTORS}
    brief = [f"--conf={key} {value}" for key, value in options.items() if value]
    around = {**os.environ, "SPARKML_HOME": str(home), **(env or {})}
    script = [sys.executable, str(ROOT / "scripts" / "cluster")]
    done = subprocess.run(
        [*script, "up", *ports, *brief, *flags], env=around, capture_output=True, text=True, timeout=200
    )
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


@contextmanager
def application(there: Cluster, **conf: str) -> Iterator[SparkSession]:
    """A Spark application on the cluster, with one executor on each host and a JVM of its own."""
    try:
        with session_on(there.master, **conf) as session:
            yield session
    finally:
        wait_until(lambda: not any(there.executors(name) for name in ("worker-1", "worker-2")), 30)


@contextmanager
def session_on(master: str, **conf: str) -> Iterator[SparkSession]:
    """A session with a JVM of its own: one keeps what the first session in it was configured with."""
    from pyspark.sql import SparkSession

    end_jvm()
    builder = SparkSession.builder.master(master).appName("tests")
    options = {"spark.executor.memory": "512m", "spark.ui.enabled": "false", "spark.ui.showConsoleProgress": "false"}
    options |= {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1", **BRIEF_EXECUTORS}
    for key, value in {**options, **conf}.items():
        builder = builder.config(key, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("OFF")
    try:
        yield session
    finally:
        session.stop()
        end_jvm()


def forget_connect() -> None:
    """Lets Python exit at once: a session on a Connect server that is gone tries ten minutes to clean up there."""
    core = sys.modules.get("pyspark.sql.connect.client.core")
    if core is not None:
        core.SparkConnectClient._on_exit = core.SparkConnectClient._cleanup_ml_cache = lambda _: None


def end_jvm() -> None:
    """Ends the JVM of this process, if one was started: it lives until its standard input is closed."""
    context = getattr(sys.modules.get("pyspark"), "SparkContext", None)
    gateway = context and context._gateway
    if gateway:
        gateway.shutdown()
        gateway.proc.stdin.close()
        gateway.proc.wait(30)
        context._gateway = context._jvm = None


def wait_until(holds: Callable[[], object], seconds: float) -> None:
    """Looks every 20 ms whether something holds.

    Raises:
        AssertionError: not within the bound.
    """
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, f"did not happen within {seconds} s"
        time.sleep(0.02)


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
