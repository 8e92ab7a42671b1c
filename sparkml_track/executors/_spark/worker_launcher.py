"""Workers as Spark tasks: each slot is a Spark job of one task.

Separate jobs, because a job of N tasks dies whole after spark.task.maxFailures, and because they let dynamic
allocation grow and shrink. They are submitted through ``collectAsync``, which holds no Python thread.

Where slots are on other hosts they connect to the driver over TCP. Settings, in the session's SparkConf:

    spark.sparkml.broker.host   what slots connect to; default: spark.driver.host, which they reach anyway
    spark.sparkml.broker.port   default: 0, any free one; name one where a firewall or a service lets only that through
    spark.sparkml.broker.tls    true encrypts, with a certificate made for each sweep and pinned by its workers;
                                default: false, what is sent is authentic but can be read on the way

The broker binds to spark.driver.bindAddress, as Spark's driver does. And, wherever the slots are:

    spark.sparkml.slots.timeout  seconds without any worker after which the sweep ends, 0 for never; default: 120 for
                                 the first one, 60 when all were lost
    spark.sparkml.workers.idle   seconds for which workers stay after a sweep, so that the next one of the session need
                                 not start any; they leave at once when another Spark job waits for a slot; 0 for not at
                                 all, default: 60
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

from py4j.protocol import Py4JJavaError
from typing_extensions import override

from sparkml_track import slot as slot_package
from sparkml_track.errors import SlotsLost
from sparkml_track.executors._base import Resources
from sparkml_track.executors._resident.launcher import Launcher, Others
from sparkml_track.executors._shipping.by_value import zip_folder
from sparkml_track.executors._spark.application import (
    MARK,
    SparkOthers,
    any_decommissioned,
    check_running,
    on_decommissioned,
    telling_of_its_end,
)
from sparkml_track.executors._spark.quiet import hush
from sparkml_track.executors._spark.resources import conf_of, grant, is_local
from sparkml_track.slot.host.folder import user_folder
from sparkml_track.slot.worker import Config

__all__ = ["SparkLauncher", "add_slot", "as_bytes", "cause", "zip_of_slot"]

_log = logging.getLogger(__name__)
#: Seconds between looks for Spark executors that are being decommissioned: two calls for each of them.
_LOOK = 3.0


class SparkLauncher(Launcher):
    """See ``Launcher``. Takes a classic session; ends only its own jobs.

    Args:
        session: a ``pyspark.sql.SparkSession`` with a SparkContext.
        token: names this executor instance in job groups and files.
        resources: of a slot.

    Raises:
        SpecError: no slot can have these resources.
    """

    def __init__(self, session: Any, token: str, resources: Resources = Resources()) -> None:  # noqa: B008  # frozen
        self.context = session.sparkContext
        self._token = token
        self.shared_host = is_local(self.context)
        self._grant = grant(self.context, resources)
        self.place = str(self.context.applicationId)
        self._going: frozenset[int] = frozenset()
        self._looked = 0.0
        self._moves = conf_of(self.context).get("spark.decommission.enabled", "false") == "true"
        self._jobs: dict[int, Future[Any]] = {}
        # Job groups are a property of the JVM thread behind a Python thread: with some of our own, the caller's stay.
        # A submission is a dozen calls into the JVM: four at a time, and nobody waits for them.
        self._threads = ThreadPoolExecutor(4, thread_name_prefix="sparkml-launch")
        self._others = SparkOthers(self.context, token)
        add_slot(self.context)

    @override
    def slots(self) -> int:
        with telling_of_its_end(self.context):
            return self._grant.slots()

    @property
    @override
    def most(self) -> int:
        return self._grant.most

    @property
    @override
    def in_all(self) -> int:
        return self._grant.in_all

    @override
    def check(self) -> None:
        check_running(self.context)

    @override
    def others(self) -> Others:
        with telling_of_its_end(self.context):
            return self._others.look()

    def going(self) -> frozenset[int]:
        """See ``Launcher``: those on Spark executors that are being decommissioned."""
        if not self._moves or time.monotonic() - self._looked < _LOOK:
            return self._going
        self._looked = time.monotonic()
        with telling_of_its_end(self.context):
            some = any_decommissioned(self.context)
            groups = {number: self._group(number) for number in self._jobs} if some else {}
            self._going = frozenset(n for n, group in groups.items() if on_decommissioned(self.context, group))
        return self._going

    @override
    def launch(self, config: Config) -> None:
        self._jobs[config.slot] = self._threads.submit(self._submit, config)

    def _submit(self, config: Config) -> Any:
        context = self.context
        context.setJobGroup(self._group(config.slot), f"sparkml_track worker {config.slot}", interruptOnCancel=True)
        context.setLocalProperty("spark.scheduler.pool", "sparkml")
        context.setLocalProperty("callSite.short", f"{MARK} {self._token}")  # the name of the stage
        # map, which reads all of its input: Spark ends the Python process of a task that left some, and the next
        # sweep would wait 150 ms for another.
        tasks = context.parallelize([config.slot], 1).map(_task(config))
        return as_bytes(self._grant.apply(tasks))._jrdd.collectAsync()  # noqa: SLF001

    @override
    def coming(self, slot: int) -> bool:
        job = self._jobs.get(slot)
        with telling_of_its_end(self.context):
            return job is not None and not _ended(job)

    @override
    def failure(self, slot: int) -> str | None:
        job = self._jobs.get(slot)
        with telling_of_its_end(self.context):
            try:
                if job is None or not _ended(job):
                    return None
                return b"".join(map(bytes, job.result().get())).decode("utf-8", "replace")[:500]
            except Py4JJavaError as error:
                return cause(error)

    @override
    def cancel(self, slot: int) -> None:
        job = self._jobs.pop(slot, None)
        if job is not None:
            wait([job])  # a job that is only being submitted cannot be cancelled
        hush(self.context)
        with telling_of_its_end(self.context):
            self.context.cancelJobGroup(self._group(slot))

    def close(self, longest_wait: float) -> None:
        """See ``Launcher``; workers end with their application."""
        try:
            with telling_of_its_end(self.context):
                self._close(longest_wait)
        except SlotsLost:
            _log.debug("the Spark application ended before its workers")
        self._threads.shutdown()

    def _close(self, longest_wait: float) -> None:
        until = time.monotonic() + longest_wait
        while self._jobs and time.monotonic() < until:
            self._jobs = {slot: job for slot, job in self._jobs.items() if not _ended(job)}
            if self._jobs:
                time.sleep(0.005)
        for slot in list(self._jobs):
            self.cancel(slot)

    def _group(self, slot: int) -> str:
        return f"sparkml-{self._token}-{slot}"


def _ended(job: Future[Any]) -> bool:
    """Whether a Spark job is over, or could not be submitted."""
    return job.done() and (job.exception() is not None or bool(job.result().isDone()))


def as_bytes(rdd: Any) -> Any:
    """An RDD of bytes that the driver gets as they are: nothing that slots send is unpickled."""
    rdd._bypass_serializer = True  # noqa: SLF001  # as pyspark's saveAsTextFile does
    return rdd


def _task(config: Config) -> Callable[[int], bytes]:
    # Nested, so that it is pickled by value: the slots have the zip, not this package.
    fields = {name: getattr(config, name) for name in config.__dataclass_fields__}

    def work(_: int) -> bytes:
        from pyspark import TaskContext
        from sparkml_slot.task import Config, main  # type: ignore[import-not-found]

        task = TaskContext.get()
        gpus = task.resources().get("gpu") if task is not None else None
        mine = {**fields, "gpus": ",".join(gpus.addresses) if gpus is not None else ""}
        body: bytes = main(Config(**mine)).encode()
        return body

    return work


def cause(error: Py4JJavaError) -> str:
    """Why a Spark job failed, in a line: the last of the Python traceback, else the first of the deepest Java one."""
    java, text = error.java_exception, ""
    while java is not None:
        text, java = f"{java.toString()}\n{text}", java.getCause()
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.strip().startswith("at ")]
    python = [line for line in lines if re.match(r"(\w+\.)*\w*(Error|Exception|Exit|Interrupt)\b", line)]
    python = [line for line in python if not line.startswith(("org.apache", "java."))]
    return (python or lines or ["unknown"])[-1 if python else 0][:500]


def add_slot(context: Any) -> None:
    """Gives the slot code to all tasks of an application, once."""
    path = zip_of_slot()
    if Path(path).name not in context._python_includes:  # noqa: SLF001  # Spark would warn
        context.addPyFile(path)


def zip_of_slot() -> str:
    """The slot code as ``sparkml_slot``, in a zip named by its content, so that sessions take it once."""
    data = zip_folder(Path(slot_package.__file__).parent, "sparkml_slot")
    target = Path(user_folder()) / f"sparkml_slot-{hashlib.sha256(data).hexdigest()[:16]}.zip"
    if not target.exists():
        # Other processes and threads may make it at the same time: each has a part of its own.
        with tempfile.NamedTemporaryFile(dir=target.parent, delete=False) as part:
            part.write(data)
        os.replace(part.name, target)
    return str(target)
