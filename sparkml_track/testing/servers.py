"""Real servers on loopback, for tests and benchmarks: started by whoever needs them, ended by their process id."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

__all__ = ["PostgresServer", "RedisServer", "TrackingServer", "free_port"]

_START_SECONDS = 90


def free_port() -> int:
    """A port on loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


class TrackingServer:
    """A tracking server on loopback, which can be stopped and started again on the same port.

    Args:
        folder: its log, and by default its database and artifacts, lie here.
        store: the URI of the database; ``mlflow.db`` in the folder by default.
        bulk: start ``sparkml-track server``, which has the bulk endpoint; else MLflow's own.
        more: arguments of the command.
        environ: added to the environment.
    """

    def __init__(
        self,
        folder: Path,
        store: str = "",
        *,
        bulk: bool = False,
        more: Sequence[str] = (),
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.home = folder
        self.port = free_port()
        self.uri = f"http://127.0.0.1:{self.port}"
        self._environ = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
        self._environ |= environ or {}
        store = store or f"sqlite:///{folder}/mlflow.db"
        kept = ["--artifacts" if bulk else "--artifacts-destination", f"{folder}/artifacts"]
        program = str(Path(sys.executable).with_name("sparkml-track")) if bulk else "mlflow"
        command = [program, "server"] if bulk else [sys.executable, "-m", program, "server"]
        where = ["--store" if bulk else "--backend-store-uri", store]
        self._command = [*command, "--port", str(self.port), "--workers", "1", *where, *kept, *more]
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def log(self) -> str:
        """What it printed."""
        return (self.home / "server.log").read_text(errors="replace")

    def start(self) -> None:
        """Starts it and waits until it answers.

        Raises:
            RuntimeError: it does not; the message is what it printed.
        """
        with (self.home / "server.log").open("a") as log:
            self._process = subprocess.Popen(  # noqa: S603
                self._command, stdout=log, stderr=log, env=os.environ | self._environ, start_new_session=True
            )
        if not self._answers():
            self.stop()
            raise RuntimeError(f"the server did not answer: {self.log}")

    def stop(self, number: int = signal.SIGTERM) -> None:
        """Ends it, with its workers; a server that is not running is left alone."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)
            self._process.wait(20)
            self._process = None

    def _answers(self) -> bool:
        deadline = time.monotonic() + _START_SECONDS
        while self._process is not None and self._process.poll() is None and time.monotonic() < deadline:
            try:
                urllib.request.urlopen(self.uri + "/health", timeout=1).close()  # noqa: S310
            except OSError:
                time.sleep(0.1)
            else:
                return True
        return False


class PostgresServer:
    """PostgreSQL on loopback, with an empty cluster of its own.

    It does not run as root: started by root, it runs as the user ``postgres`` that Debian's package makes.

    Args:
        folder: of the cluster; it is made.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = free_port()
        self._made = 0
        self._process: subprocess.Popen[bytes] | None = None

    @staticmethod
    def programs() -> Path | None:
        """The folder with ``initdb``; None where PostgreSQL is not installed."""
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
        on_path = shutil.which("initdb")
        return found[-1].parent if found else Path(on_path).parent if on_path else None

    def __enter__(self) -> Self:
        programs = self.programs()
        assert programs is not None, "PostgreSQL is not installed"
        self._folder.mkdir(parents=True)
        if _is_root():
            shutil.chown(self._folder, "postgres", "postgres")
            for above in self._folder.parents:  # pytest's folders are the user's alone
                if above.stat().st_uid == os.getuid() and above != Path("/"):
                    above.chmod(above.stat().st_mode | 0o011)
        data = str(self._folder / "data")
        self._run([str(programs / "initdb"), "-D", data, "-U", "sparkml", "--auth=trust", "--no-sync"])
        fast = [
            "fsync=off",
            "synchronous_commit=off",
            "full_page_writes=off",
            f"unix_socket_directories={self._folder}",
        ]
        settings = [part for one in ("listen_addresses=127.0.0.1", *fast) for part in ("-c", one)]
        with (self._folder / "server.log").open("w") as log:
            self._process = subprocess.Popen(  # noqa: S603
                self._as_user([str(programs / "postgres"), "-D", data, "-p", str(self._port), *settings]),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._ready = [str(programs / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self._port)]
        self._wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGINT)  # PostgreSQL's fast end
            self._process.wait(20)

    def database(self, like: str = "") -> str:
        """The URI of a new database.

        Args:
            like: the URI of one that is copied, and whose connections end; else it is empty.
        """
        programs = self.programs()
        assert programs is not None
        self._made += 1
        name = f"tracking{self._made}"
        where = ["-h", "127.0.0.1", "-p", str(self._port), "-U", "sparkml"]
        template = ["-T", like.rpartition("/")[2]] if like else []
        if template:
            end = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{template[1]}'"  # noqa: S608
            self._run([str(programs / "psql"), *where, "-q", "-c", end, "postgres"])
        self._run([str(programs / "createdb"), *where, *template, name])
        return f"postgresql+psycopg://sparkml@127.0.0.1:{self._port}/{name}"

    def _wait(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while subprocess.run(self._ready, check=False).returncode:  # noqa: S603
            if self._process is None or self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL did not answer: {(self._folder / 'server.log').read_text()}")
            time.sleep(0.05)

    def _run(self, command: Sequence[str]) -> None:
        done = subprocess.run(self._as_user(command), capture_output=True, text=True, check=False, cwd="/")  # noqa: S603
        if done.returncode:
            raise RuntimeError(f"{Path(command[0]).name} failed: {done.stderr or done.stdout}")

    def _as_user(self, command: Sequence[str]) -> list[str]:
        return ["runuser", "-u", "postgres", "--", *command] if _is_root() else list(command)


class RedisServer:
    """Redis on loopback, that keeps nothing on disk.

    Args:
        folder: of its log; it is there.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = free_port()
        self._made = 0
        self._process: subprocess.Popen[bytes] | None = None

    @staticmethod
    def program() -> str | None:
        """The server; None where Redis is not installed."""
        return shutil.which("redis-server")

    def __enter__(self) -> Self:
        program = self.program()
        assert program is not None, "Redis is not installed"
        options = {"port": self._port, "bind": "127.0.0.1", "save": "", "appendonly": "no", "databases": 1000}
        command = [program, *(part for name, value in options.items() for part in (f"--{name}", str(value)))]
        with (self._folder / "redis.log").open("w") as log:
            self._process = subprocess.Popen(  # noqa: S603
                command, stdout=log, stderr=log, start_new_session=True, cwd=self._folder
            )
        deadline = time.monotonic() + _START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"Redis did not answer: {(self._folder / 'redis.log').read_text()}")
            time.sleep(0.05)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)

    def database(self) -> str:
        """The URL of an empty database."""
        self._made += 1
        return f"redis://127.0.0.1:{self._port}/{self._made}"

    def _answers(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self._port), 1) as probe:
            probe.sendall(b"PING\r\n")
            return probe.recv(5) == b"+PONG"
        return False


def _is_root() -> bool:
    return os.getuid() == 0
