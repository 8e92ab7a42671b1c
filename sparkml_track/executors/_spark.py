"""Workers as Spark tasks: each slot is a Spark job of one task.

Separate jobs, because a job of N tasks dies whole after spark.task.maxFailures, and because they let dynamic
allocation grow and shrink. They are submitted through ``collectAsync``, which holds no Python thread.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from py4j.protocol import Py4JJavaError

from sparkml_track import slot as slot_package
from sparkml_track.executors._launchers import Launcher, Others
from sparkml_track.executors._spark_others import MARK, SparkOthers
from sparkml_track.slot.worker import Config

__all__ = ["SparkLauncher", "zip_of_slot"]


class SparkLauncher(Launcher):
    """See ``Launcher``. Takes a classic session; ends only its own jobs.

    Args:
        session: a ``pyspark.sql.SparkSession`` with a SparkContext.
        token: names this executor instance in job groups and files.
        code: folders that are shipped as zips where slots are on other hosts.
    """

    def __init__(self, session: Any, token: str, code: Iterable[str] = ()) -> None:
        self._context = session.sparkContext
        self._token = token
        self.shared_host = str(self._context.master).startswith("local") and "cluster" not in self._context.master
        self._jobs: dict[int, Any] = {}
        # Job groups are a property of the JVM thread behind a Python thread: with one of our own, the caller's stay.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sparkml-launch")
        self._others = SparkOthers(self._context, token)
        self._context.addPyFile(zip_of_slot())
        if not self.shared_host:
            for folder in code:
                self._context.addPyFile(_zip_folder(Path(folder), Path(folder).name))

    def slots(self) -> int:
        """See ``Launcher``."""
        scala = self._context._jsc.sc()  # noqa: SLF001
        profile = scala.resourceProfileManager().defaultResourceProfile()
        return max(1, int(scala.maxNumConcurrentTasks(profile)))

    def others(self) -> Others:
        """See ``Launcher``."""
        return self._others.look()

    def launch(self, config: Config) -> None:
        """See ``Launcher``."""
        self._jobs[config.slot] = self._thread.submit(self._submit, config).result()

    def _submit(self, config: Config) -> Any:
        context = self._context
        context.setJobGroup(self._group(config.slot), f"sparkml_track worker {config.slot}", interruptOnCancel=True)
        context.setLocalProperty("spark.scheduler.pool", "sparkml")
        context.setLocalProperty("callSite.short", f"{MARK} {self._token}")  # the name of the stage
        return context.parallelize([config.slot], 1).mapPartitions(_task(config))._jrdd.collectAsync()  # noqa: SLF001

    def failure(self, slot: int) -> str | None:
        """See ``Launcher``."""
        job = self._jobs.get(slot)
        if job is None or not job.isDone():
            return None
        try:
            job.get()
        except Py4JJavaError as error:
            return _cause(error)
        return ""

    def cancel(self, slot: int) -> None:
        """See ``Launcher``."""
        self._jobs.pop(slot, None)
        self._context.cancelJobGroup(self._group(slot))

    def close(self, patience: float) -> None:
        """See ``Launcher``."""
        until = time.monotonic() + patience
        while self._jobs and time.monotonic() < until:
            self._jobs = {slot: job for slot, job in self._jobs.items() if not job.isDone()}
            if self._jobs:
                time.sleep(0.005)
        for slot in list(self._jobs):
            self.cancel(slot)
        self._thread.shutdown()

    def _group(self, slot: int) -> str:
        return f"sparkml-{self._token}-{slot}"


def _task(config: Config) -> Callable[[Iterator[int]], Iterator[int]]:
    # Nested, so that it is pickled by value: the slots have the zip, not this package.
    fields = {name: getattr(config, name) for name in config.__dataclass_fields__}

    def work(_: Iterator[int]) -> Iterator[int]:
        from sparkml_slot.worker import Config, main  # type: ignore[import-not-found]

        main(Config(**fields))
        return iter(())

    return work


def _cause(error: Py4JJavaError) -> str:
    """The last line of the Python traceback inside a Spark failure, else the Java message's first line."""
    text = str(error.java_exception.toString())
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.strip().startswith("at ")]
    python = [line for line in lines if "Error" in line and not line.startswith("org.apache")]
    return (python or lines or ["unknown"])[-1][:500]


def zip_of_slot() -> str:
    """The slot code as ``sparkml_slot``, in a zip named by its content, so that sessions take it once."""
    return _zip_folder(Path(slot_package.__file__).parent, "sparkml_slot")


def _zip_folder(folder: Path, name: str) -> str:
    files = sorted(path for path in folder.rglob("*.py") if "__pycache__" not in path.parts)
    digest = hashlib.sha256()
    for path in files:
        digest.update(str(path.relative_to(folder)).encode() + b"\0" + path.read_bytes())
    base = Path(tempfile.gettempdir()) / f"sparkml-{os.getuid()}"
    base.mkdir(mode=0o700, exist_ok=True)
    target = base / f"{name}-{digest.hexdigest()[:16]}.zip"
    if not target.exists():
        part = target.with_suffix(f".{os.getpid()}")
        inside = Path(name) if (folder / "__init__.py").exists() else Path()
        with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in files:
                archive.write(path, str(inside / path.relative_to(folder)))
        part.rename(target)
    return str(target)
