"""What joblib calls: its public contract for backends, ``joblib.parallel.ParallelBackendBase``."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, fields
from difflib import get_close_matches
from functools import cache
from typing import Any

from joblib.externals.loky.process_executor import TerminatedWorkerError
from joblib.parallel import AutoBatchingMixin, FallbackToBackend, ParallelBackendBase, SequentialBackend

from sparkml_track.api.session import local_or_active
from sparkml_track.errors import SpecError
from sparkml_track.executors import Resources, Work, open_executor, slots_of
from sparkml_track.frontdoors._joblib.arrays import Arrays, Mapping
from sparkml_track.frontdoors._joblib.batches import IN_SLOT, RunBatch, arrived
from sparkml_track.frontdoors._joblib.dispatcher import Batch, Dispatcher, Ends
from sparkml_track.frontdoors._joblib.pickling import BatchPickler
from sparkml_track.slot.wire.frames import PAYLOAD_LIMIT

__all__ = ["Options", "SparkmlBackend"]

_RESOURCES = Resources()
#: What the process that all others of a host are forked from imports, if the driver has it: these survive a fork.
_PRELOADED = frozenset(
    {"cloudpickle", "joblib", "lightgbm", "numpy", "pandas", "scipy", "sklearn", "statsmodels", "xgboost"}
)
_EXECUTORS = ("auto", "resident", "jobs", "processes")
_ISOLATIONS = ("kept", "recycled", "fresh")
#: Seconds for which a number of slots is believed: to ask Spark costs a millisecond or two.
_BELIEVED = 10.0


@dataclass(frozen=True)
class Options:
    """What ``parallel_config(backend="sparkml", ...)`` takes beside joblib's own.

    Attributes:
        spark: the session; the active one by default, else a new one on this machine.
        executor: "auto", "resident", "jobs", or "processes" for this host without Spark.
        isolation: "kept": a process executes batches for as long as it is as it was born, as loky's do; "recycled": for
            about a second of work; "fresh": for one batch.
        resources: of a slot.
        code: folders whose modules slots on other hosts get.
        retries: how often a batch is executed again when what it ran on was lost.
        payload_limit: bytes that the results of a batch may have, pickled.
    """

    spark: object | None = None
    executor: str = "auto"
    isolation: str = "kept"
    resources: Resources = _RESOURCES
    code: Sequence[str] = ()
    retries: int = 2
    payload_limit: int = PAYLOAD_LIMIT

    def __post_init__(self) -> None:
        for name, allowed in (("executor", _EXECUTORS), ("isolation", _ISOLATIONS)):
            if getattr(self, name) not in allowed:
                raise SpecError(f"{name} is {getattr(self, name)!r}; allowed are {', '.join(allowed)}")
        for name, least in (("retries", 0), ("payload_limit", 1)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise SpecError(f"{name} is {value!r}; allowed is a whole number from {least}")

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Of all that may be given."""
        return tuple(field.name for field in fields(cls))

    @classmethod
    def of(cls, given: dict[str, Any]) -> Options:
        """Raises ``SpecError`` for a name or a value that is not allowed."""
        for name in given:
            if name not in cls.names():
                near = get_close_matches(name, cls.names(), 1)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                raise SpecError(f"backend 'sparkml' has no {name!r}; allowed are {', '.join(cls.names())}{hint}")
        return cls(**given)


class SparkmlBackend(AutoBatchingMixin, ParallelBackendBase):  # type: ignore[misc]
    """Executes batches in slots; see ``frontdoors.joblib``.

    One instance may serve several calls at one time: they share an executor, and the last one closes it.
    """

    supports_retrieve_callback = True
    supports_inner_max_num_threads = True
    default_n_jobs = -1

    def __init__(
        self, nesting_level: int | None = None, inner_max_num_threads: int | None = None, **options: Any
    ) -> None:
        super().__init__(nesting_level=nesting_level, inner_max_num_threads=inner_max_num_threads)
        self._options = Options.of(options)
        self._lock = threading.Lock()
        self._calls = 0
        self._counted = (0.0, 0, True)
        self._mapping = Mapping()
        self._dispatcher: Dispatcher | None = None

    def effective_n_jobs(self, n_jobs: int | None) -> int:
        """How many batches run at one time; -1 for all slots, -2 for all but one."""
        if n_jobs == 0:
            raise ValueError("n_jobs == 0 in Parallel has no meaning")
        if n_jobs is None or IN_SLOT in os.environ:
            return 1
        if n_jobs == 1:
            return 1
        slots, _ = self._slots()
        if n_jobs < 0:
            return max(1, slots + 1 + n_jobs)
        return n_jobs if self._options.executor == "processes" else min(n_jobs, slots)

    def _slots(self) -> tuple[int, bool]:
        """How many there are, and whether they read the driver's files."""
        when, slots, shared = self._counted
        if not slots or time.monotonic() - when > _BELIEVED:
            slots, shared = slots_of(self._options.executor, self._options.resources, self._session())
            self._counted = time.monotonic(), slots, shared
        return slots, shared

    def _session(self) -> object | None:
        if self._options.executor == "processes":
            return None
        return self._options.spark or local_or_active()

    def configure(
        self,
        n_jobs: int = 1,
        parallel: Any = None,
        prefer: str | None = None,  # noqa: ARG002 - of joblib's contract
        require: str | None = None,  # noqa: ARG002
        **given: Any,
    ) -> int:
        """Opens the executor, and returns how many batches run at one time; one job runs here, one task by one."""
        own = {name: given[name] for name in Options.names() if name in given}
        if own:
            self._options = Options.of({**{name: getattr(self._options, name) for name in Options.names()}, **own})
        n_jobs = self.effective_n_jobs(n_jobs)
        if n_jobs == 1:
            raise FallbackToBackend(SequentialBackend(nesting_level=self.nesting_level))
        self.parallel = parallel
        self._mapping = Mapping(*(given[field.name] for field in fields(Mapping) if field.name in given))
        with self._lock:
            if self._dispatcher is None:
                self._open(n_jobs)
            self._calls += 1
        return n_jobs

    def _open(self, n_jobs: int) -> None:
        options, session = self._options, self._session()
        slots, shared = self._slots()
        work = Work(
            _objective(tuple(sorted(_PRELOADED & sys.modules.keys()))),
            code=tuple(options.code),
            isolation=options.isolation,
            resources=options.resources,
            parallelism=None if n_jobs == slots else n_jobs,
            payload_limit=options.payload_limit,
            threads=self.inner_max_num_threads,
            tracked=False,
        )
        arrays = self._arrays = Arrays(shared=shared)
        self._pickler = BatchPickler(arrays, shared=shared, code=options.code)
        ends = Ends(options.retries, TerminatedWorkerError, lambda batch: arrays.release(batch.files))
        self._dispatcher = Dispatcher(lambda: open_executor(options.executor, work, session), ends)

    def submit(self, func: Any, callback: Callable[[Future[bytes]], None] | None = None) -> Future[bytes]:
        """Takes a batch; what is wrong with it is raised where its results are asked for."""
        dispatcher = self._dispatcher
        if dispatcher is None:
            raise RuntimeError("the call to Parallel that this task belongs to has ended")
        try:
            batch = Batch(*self._pickler.dumps(func, self._mapping), len(func))
        except Exception as error:  # noqa: BLE001 - of the user's classes
            batch = Batch(b"", {}, len(func), error=_not_pickled(error))
        if callback is not None:
            batch.future.add_done_callback(callback)
        dispatcher.submit(batch)
        return batch.future

    def retrieve_result_callback(self, out: Future[bytes]) -> Any:
        """The results of a batch.

        Loads a pickle that a slot made. It came over the executor's authenticated connection, or as the result of a
        Spark job of this session, from processes that execute the user's own code.
        """
        return arrived(out.result())

    def abort_everything(self, ensure_ready: bool = True) -> None:  # noqa: ARG002 - joblib's
        """Ends what runs by force."""
        if self._dispatcher is not None:
            self._dispatcher.abort()

    def terminate(self) -> None:
        """Closes the executor when no call needs it any more."""
        with self._lock:
            self._calls = max(0, self._calls - 1)
            if self._calls or self._dispatcher is None:
                return
            dispatcher, arrays, self._dispatcher = self._dispatcher, self._arrays, None
        dispatcher.close()
        arrays.close()
        self.reset_batch_stats()


@cache
def _objective(roots: tuple[str, ...]) -> RunBatch:
    """The same for as long as the driver has imported no other library, so that workers can stay.

    What it imports for all processes are the public parts of these libraries that the driver has now.
    """
    names = [name for name in sys.modules if name.partition(".")[0] in roots and name.count(".") < 2]
    return RunBatch(tuple(sorted(name for name in names if not any(part[0] == "_" for part in name.split(".")))))


def _not_pickled(error: Exception) -> Exception:
    import pickle

    text = f"{type(error).__name__}: {error}"[:500]
    why = pickle.PicklingError(
        f"a task cannot be pickled to be sent to slots ({text}); pass what it is made of, or make it inside the task"
    )
    why.__cause__ = error
    return why
