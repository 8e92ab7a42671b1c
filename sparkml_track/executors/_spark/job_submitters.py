"""Spark jobs of one attempt each, on Spark Connect and on a classic session.

Data, code and the objective are shipped once, as files that Spark copies to each of its executors when that runs its
first attempt; each host then keeps one copy of its own. Connect sends them in pieces of 32 KB: some 100 MB of data
take seconds, more is better read by the objective itself from shared storage.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import logging
import os
import shutil
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from typing_extensions import override

from sparkml_track.adapters.spark.connect import wait_for_server
from sparkml_track.errors import DataError, SlotsLost, SpecError
from sparkml_track.executors._base import Resources
from sparkml_track.executors._jobs.submitter import JobFailed, Request, Submitter
from sparkml_track.executors._spark.application import check_running, telling_of_its_end
from sparkml_track.executors._spark.quiet import hush
from sparkml_track.executors._spark.resources import conf_of, grant, is_local
from sparkml_track.executors._spark.worker_launcher import add_slot, as_bytes, zip_of_slot

__all__ = ["ClassicJobs", "ConnectJobs", "Interrupter", "is_connect"]

#: Jobs that wait at most for dynamic allocation; each has a thread.
_WAITING = 64
_log = logging.getLogger(__name__)

#: Seconds without an answer from the Connect server's port after which it is gone.
_SILENT = 10.0


def is_connect(session: object) -> bool:
    """Whether it is a session of Spark Connect, which has no SparkContext."""
    return type(session).__module__.startswith("pyspark.sql.connect")


class Interrupter:
    """Interrupts what runs under a tag, without waiting: the client would ask a dead server for ten minutes."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self._asking: set[str] = set()

    def __call__(self, tag: str) -> None:
        """Asks once at a time for each tag."""
        if tag not in self._asking:
            self._asking.add(tag)
            threading.Thread(target=self._ask, args=(tag,), name=f"sparkml-interrupt-{tag}", daemon=True).start()

    def _ask(self, tag: str) -> None:
        try:
            self._session.interruptTag(tag)
        except Exception as error:
            _log.debug("tag %s could not be interrupted: %s", tag, error)
        finally:
            self._asking.discard(tag)


class ClassicJobs(Submitter):
    """See ``Submitter``: one RDD job for each attempt.

    Args:
        session: a session with a SparkContext.
        resources: of a slot.
    """

    def __init__(self, session: Any, resources: Resources) -> None:
        self._context = session.sparkContext
        self.shared_host = is_local(self._context)
        self._grant = grant(self._context, resources)
        self._again = _speculates(conf_of(self._context).get)
        add_slot(self._context)

    def slots(self) -> int:
        """See ``Submitter``; dynamic allocation brings executors only for jobs that wait."""
        return max(self._grant.slots(), min(self._grant.most, _WAITING))

    @override
    def ship(self, files: dict[str, str]) -> None:
        if not self.shared_host:
            for digest, path in files.items():
                _add_file(self._context, digest, path)

    @override
    def run(self, key: str, request: Request) -> list[bytes]:
        context = self._context
        execute = _execute(request, self._again)
        # Tags are a property of the JVM thread behind this thread, which lives as long as the attempt.
        context.addJobTag(key)
        context.setLocalProperty("spark.scheduler.pool", "sparkml")
        context.setLocalProperty("spark.job.description", f"sparkml_track attempt {request.run.attempt}")
        try:
            # flatMap reads all of its input: Spark ends the Python process of a task that left some.
            tasks = context.parallelize([0], 1).flatMap(lambda _: execute())
            return list(map(bytes, as_bytes(self._grant.apply(tasks)).collect()))
        except Exception as error:
            raise _failed(error) from None

    @override
    def cancel(self, key: str) -> None:
        hush(self._context)
        with suppress(SlotsLost), telling_of_its_end(self._context):
            self._context.cancelJobsWithTag(key)

    @override
    def check(self) -> None:
        check_running(self._context)

    def close(self) -> None:
        """See ``Submitter``; the executor has cancelled what ran."""


def _add_file(context: Any, digest: str, path: str) -> None:
    """Gives a file to an application, once.

    For as long as it runs: Spark forgets no file, takes none of that name from elsewhere, and a Spark executor that
    comes to its first task, however late, gets all there ever were or fails.
    """
    if any(url.endswith(f"/{digest}") for url in context.listFiles):
        return
    lasting = os.path.join(context._temp_dir, digest)  # noqa: SLF001  # removed with the application
    if not os.path.exists(lasting):
        mine = f"{lasting}.{uuid.uuid4().hex}"  # another sweep may be at it, and a copy may end half-way
        try:
            _link_or_copy(path, mine)
            os.rename(mine, lasting)
        except OSError as error:
            raise DataError(f"the data cannot be copied to {lasting} for Spark to ship: {error}") from None
        finally:
            with contextlib.suppress(OSError):
                os.unlink(mine)
    context.addFile(lasting)


def _link_or_copy(source: str, target: str) -> None:
    try:
        os.link(os.path.realpath(source), target)
    except OSError:  # another file system
        shutil.copyfile(source, target)


class ConnectJobs(Submitter):
    """See ``Submitter``: one mapInArrow job for each attempt.

    Args:
        session: a session of Spark Connect.
        resources: of a slot.

    Raises:
        SpecError: no slot can have the resources.
        SlotsLost: the server does not answer, or refuses.
    """

    shared_host = False

    def __init__(self, session: Any, resources: Resources) -> None:
        self._session = session
        self._address = _address(session)
        self._heard = time.monotonic()
        self._wait_for_server()
        self._interrupt = Interrupter(session)
        self._again = _speculates(self._conf)
        self._there = self._parallelism()
        self._share = self._check_resources(resources)
        self._artifacts(zip_of_slot(), pyfile=True)

    def _wait_for_server(self) -> None:
        try:
            wait_for_server(self._address)
        except OSError as error:
            raise _gone(self._address, error) from None

    def _check_resources(self, resources: Resources) -> int:
        """How many tasks' cores an attempt takes."""
        cpus = int(self._conf("spark.task.cpus", "1"))
        there = self._there
        if resources.cpus > cpus * there:
            raise SpecError(f"resources: an attempt needs {resources.cpus} cpus, slots have {cpus * there}")
        if resources.cpus > cpus and not self._conf("spark.master", "").startswith("local["):
            raise SpecError(
                f"resources: an attempt needs {resources.cpus} cpus, slots have {cpus}: start the Spark Connect server "
                f"with spark.task.cpus={resources.cpus}"
            )
        if resources.gpus > float(self._conf("spark.task.resource.gpu.amount", "0")):
            raise SpecError(
                f"resources: an attempt needs {resources.gpus} gpus, slots have none: start the Spark Connect server "
                f"with spark.task.resource.gpu.amount={resources.gpus}"
            )
        return -(-resources.cpus // cpus)

    def _conf(self, key: str, default: str) -> str:
        try:
            return str(self._session.conf.get(key, default))
        except Exception as error:
            raise _gone(self._address, error) from None

    def _parallelism(self) -> int:
        """Partitions that Spark gives a range by itself: the cores it has."""
        from pyspark.sql.connect.functions import max as largest
        from pyspark.sql.connect.functions import spark_partition_id

        try:
            parts = self._session.range(0, 1 << 16).select(spark_partition_id().alias("part"))
            rows = parts.groupBy().agg(largest("part")).collect()
        except Exception as error:
            raise _gone(self._address, error) from None
        return int(rows[0][0]) + 1

    @override
    def slots(self) -> int:
        return max(1, self._there // self._share)

    @override
    def ship(self, files: dict[str, str]) -> None:
        for path in files.values():
            self._artifacts(path, file=True)

    def _artifacts(self, path: str, **kind: bool) -> None:
        try:
            self._session.addArtifacts(path, **kind)
        except Exception as error:
            raise _gone(self._address, error) from None

    @override
    def run(self, key: str, request: Request) -> list[bytes]:
        execute = _execute(request, self._again)

        def once(batches: Iterator[Any]) -> Iterator[Any]:
            import pyarrow

            list(batches)  # what is left unread costs the slot its Python process
            for body in execute():
                yield pyarrow.RecordBatch.from_pydict({"body": pyarrow.array([body], pyarrow.binary())})

        # Tags belong to this thread, which lives as long as the attempt.
        self._session.addTag(key)
        try:
            rows = self._session.range(0, 1, 1, 1).mapInArrow(once, "body binary").collect()
            return [bytes(row[0]) for row in rows]
        except Exception as error:
            # Of a session that was stopped, or of another server than the one it began on.
            if self._session.is_stopped or "INVALID_HANDLE.SESSION" in str(error):
                raise _gone(self._address, error) from None
            raise _failed(error) from None

    @override
    def cancel(self, key: str) -> None:
        self._interrupt(key)

    def check(self) -> None:
        """See ``Submitter``: the client itself would try again for ten minutes, and again when Python exits."""
        if self._session.is_stopped:
            raise _gone(self._address, RuntimeError("the session was stopped"))
        try:
            with socket.create_connection(self._address, 2.0):
                self._heard = time.monotonic()
        except OSError as error:
            if time.monotonic() - self._heard > _SILENT:
                client = self._session.client
                atexit.unregister(client._on_exit)  # noqa: SLF001
                raise _gone(self._address, error) from None

    def close(self) -> None:
        """See ``Submitter``; the executor has cancelled what ran."""


def _speculates(conf: Callable[[str, str], str]) -> bool:
    return conf("spark.speculation", "false") == "true"


def _execute(request: Request, again: bool) -> Callable[[], list[bytes]]:
    """What the task calls. Nested, so that it is pickled by value: the slots have the zip, not this package.

    A task that Spark repeats by itself is reported as lost, because attempts are counted here; not so where it starts
    copies of slow tasks (``again``), of which the first to end counts.
    """
    config = {name: getattr(request.config, name) for name in request.config.__dataclass_fields__}
    run, payload = json.loads(json.dumps(request.run)), request.payload

    def execute() -> list[bytes]:
        from pyspark import SparkFiles, TaskContext
        from sparkml_slot.once import run_once  # type: ignore[import-not-found]
        from sparkml_slot.wire.messages import Run, Unbegun, encode  # type: ignore[import-not-found]
        from sparkml_slot.worker import Config  # type: ignore[import-not-found]

        task = TaskContext.get()
        if task is not None and task.attemptNumber() > 0 and not again:
            return [encode(Unbegun(run[0], "Spark repeated its task", charged=True))]

        class Shipped(dict[str, str]):
            def __missing__(self, digest: str) -> str:
                return str(SparkFiles.get(digest))

        gpus = task.resources().get("gpu") if task is not None else None
        mine = {**config, "gpus": ",".join(gpus.addresses) if gpus is not None else ""}
        return list(run_once(Config(**mine), Run(*run), Shipped(), payload))

    return execute


def _failed(error: Exception) -> JobFailed:
    """Why a job ended without an answer, in a line; raises what would befall every other job too."""
    text = str(error)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    for line in lines:
        if "PYTHON_VERSION_MISMATCH" in line:
            return JobFailed(f"{line}; set PYSPARK_PYTHON to the same interpreter on all hosts", hopeless=True)
        if line.startswith(("ModuleNotFoundError", "ImportError")):
            return JobFailed(f"slots cannot execute attempts: {line}", hopeless=True)
    telling = [line for line in lines if not line.startswith(("at ", "File ", "Traceback"))]
    return JobFailed((telling or [type(error).__name__])[0][:500])


def _address(session: Any) -> tuple[str, int]:
    host, _, port = str(session.client._builder.endpoint).rpartition(":")  # noqa: SLF001  # only there
    return host.strip("[]"), int(port)


def _gone(address: tuple[str, int], error: Exception) -> SlotsLost:
    first = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return SlotsLost(
        f"the Spark Connect server at {address[0]}:{address[1]} cannot be used ({first[:300]}); results so far are "
        "kept: start it again, or correct its address and token, then resume the sweep"
    )
