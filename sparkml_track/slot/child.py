"""The process that executes attempts: forked from the template, speaks with its worker over a socket."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # signal itself makes an enumeration of each answer
import os
import random
import resource
import signal
import socket
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from .attempt.context import Data, TrialContext
from .attempt.execute import Stopped, closed, execute
from .attempt.payload import Payload, in_parts
from .attempt.run_log import STORE, Recorder, executing, keep_store, new_run_id
from .attempt.threads import thread_count
from .attempt.usage import Meter
from .condition import LINUX, born_here
from .host.paths import HostPaths, Places
from .host.temporary import make_temporary
from .wire.frames import PAYLOAD_LIMIT, Opener, Sealer
from .wire.messages import (
    Answer,
    Ask,
    Done,
    Gather,
    Gathered,
    Message,
    Part,
    Question,
    Reply,
    Report,
    Run,
    decode,
    encode,
)

__all__ = ["Loaded", "serve"]

#: Where MLflow finds the run that it logs to.
_RUN_ID = "MLFLOW_RUN_ID"


@dataclass(frozen=True)
class Loaded:
    """What the template imported and its children execute.

    Attributes:
        objective: the user's function.
        data: digest of the file and its opener, by name.
        metric: names the sweep optimises.
        places: of attempts; the files lie in ``blobs`` of the host's folder.
        memory: bytes an attempt may allocate, None for no limit.
        payload_limit: bytes an attempt may give back.
        tracked: ``mlflow`` is the run of the trial.
    """

    objective: Callable[[TrialContext], object]
    data: Mapping[str, tuple[str, Callable[[str], object]]]
    metric: Sequence[str]
    places: Places
    memory: int | None = None
    payload_limit: int = PAYLOAD_LIMIT
    tracked: bool = True


class _Gone(Stopped):
    """The worker closed the socket."""


class _WorkerLink:
    """The socket to the worker, as an attempt's link."""

    def __init__(self, sock: socket.socket, payload_limit: int = PAYLOAD_LIMIT) -> None:
        self._sock = sock
        self.payload = Payload(payload_limit)
        self._opener = Opener()
        self._sealer = Sealer()
        self._waiting: list[bytes] = []
        self._lock = threading.Lock()
        self.attempt, self._world = "", 1
        self._held, self._holds = b"", False

    def send(self, message: Message, blob: bytes = b"") -> None:
        """Sends one message."""
        body = self._sealer.seal(encode(message, blob))
        try:
            with self._lock:  # MLflow logs from threads of its own, too
                self._sock.sendall(self._held + body)
                self._held = b""
        except OSError:
            raise _Gone from None

    def begin(self, run: Run, given: bytes, paths: HostPaths) -> None:
        """Another attempt begins; ``given`` goes with its message, or lies in a file."""
        self.attempt, self._world = run.attempt, run.world
        self.payload.begin(given, paths.blob(run.payload) if run.payload else "")

    def end(self, done: Done) -> None:
        """Sends an end, and what the attempt gives back."""
        *ahead, (_, last) = in_parts(self.payload.back)
        for at, part in ahead:
            self.send(Part(done.attempt, at, done.key), part)
        self.send(done._replace(payload=len(self.payload.back)), last)
        self.payload.begin(b"")  # both may be large, and the process may wait

    def receive(self) -> tuple[Message, bytes]:
        """Waits for one message and its blob."""
        while not self._waiting:
            data = self._sock.recv(1 << 16)
            if not data:
                raise _Gone
            self._waiting = self._opener.feed(data)
        return decode(self._waiting.pop(0))

    def report(self, index: int, metrics: dict[str, float], step: int, when: float) -> None:
        """See ``context.Link``."""
        message = Report(self.attempt, index, metrics, step, when)
        if not self._holds:
            self.send(message)
            return
        with self._lock:
            self._held += self._sealer.seal(encode(message))
            self._holds = False

    def hold(self) -> None:
        """See ``door.DoorLink``."""
        self._holds = True

    def decision(self, index: int) -> bool:
        """See ``context.Link``. Answers come when asked for: unread ones would fill the socket and stop the worker."""
        self.send(Ask(self.attempt, index))
        while True:
            message, _ = self.receive()
            if isinstance(message, Answer) and message.number == index:
                return message.stop

    def question(self, number: int, body: str, waits: bool) -> str:
        """See ``door.DoorLink``."""
        self.send(Question(self.attempt, number, body, waits))
        while waits:
            message, _ = self.receive()
            if isinstance(message, Reply) and (message.attempt, message.number) == (self.attempt, number):
                return message.body
        return ""

    def gather(self, number: int, value: bytes) -> list[bytes]:
        """See ``context.Link``."""
        if self._world == 1:
            return [value]
        self.send(Gather(self.attempt, number), value)
        while True:
            message, blob = self.receive()
            if isinstance(message, Gathered) and (message.attempt, message.number) == (self.attempt, number):
                if message.refused:
                    raise RuntimeError(message.refused)
                ends = list(accumulate(message.sizes))
                return [blob[end - size : end] for size, end in zip(message.sizes, ends, strict=True)]


def serve(sock: socket.socket, loaded: Loaded) -> None:
    """Executes attempts until the worker closes the socket. Called in the forked child; the caller exits after it."""
    link = _WorkerLink(sock, loaded.payload_limit)
    if loaded.memory is not None:
        _limit_memory(loaded.memory)
    try:
        link.send(born_here())
        make_temporary(loaded.places.host)
        paths = HostPaths(loaded.places.host)
        data = Data(loaded.data, paths.blobs)
        first_id = _first_run_id(tracked=loaded.tracked)
        store = os.environ.get(STORE, "") if loaded.tracked else ""
        clean, meter = _Clean(), Meter()
        while True:
            run, given = link.receive()
            if isinstance(run, Run):
                link.begin(run, given, paths)
                clean.seed(run.seed)
                _environment(run)
                data.renew()
                with_mlflow = (
                    loaded.tracked and "mlflow" in sys.modules
                )  # nobody else notices that trials share an id, which is quicker
                recorder = Recorder(run, loaded.places, link.send, new_run_id() if with_mlflow else first_id)
                executing(recorder)
                if with_mlflow:
                    os.environ[_RUN_ID] = recorder.run_id
                meter.begin()
                done = execute(loaded.objective, run, data, link, loaded.metric, loaded.places)
                keep_store(store)
                done = closed(done, recorder.close)._replace(usage=meter.end())
                if with_mlflow:
                    os.environ[_RUN_ID] = first_id  # an environment that is as before need not be restored
                flush_output()
                link.end(done._replace(clean=clean.restore(data.threads), threads=data.threads, key=run.key))
    except _Gone:
        return


def _environment(run: Run) -> None:
    """What the objective finds there of its own; it is put back when the attempt ends."""
    for name, value in run.env.items():
        os.environ[name] = str(value)
    if run.gpus:
        os.environ["CUDA_VISIBLE_DEVICES"] = run.gpus


def _first_run_id(*, tracked: bool) -> str:
    """The id that attempts have which know nothing of MLflow; it finds it, if their runs are to be the trials'."""
    made = new_run_id()
    if tracked:
        os.environ[_RUN_ID] = made
    return made


def flush_output() -> None:
    """Python's buffers of stdout and stderr go out before the attempt counts as done."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:
            continue


def _limit_memory(limit: int) -> None:
    # RLIMIT_DATA, not RLIMIT_AS: the latter counts mapped files and breaks memory-mapped data.
    with open("/proc/self/statm") as statm:
        used = int(statm.read().split()[5]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_DATA, (used + limit, used + limit))


#: Signals that a handler can be set for, and limits that an attempt can change.
_SIGNALS = tuple(set(range(1, 32)) - {signal.SIGKILL, signal.SIGSTOP})
_LIMITS = tuple(
    getattr(resource, f"RLIMIT_{name}")
    for name in ("AS", "CORE", "CPU", "DATA", "FSIZE", "NOFILE", "NPROC", "STACK")
    if hasattr(resource, f"RLIMIT_{name}")
)


#: What os.environ is made of: compared for each attempt, which the mapping around it makes slow.
_ENVIRON: dict[bytes, bytes] = os.environ._data  # type: ignore[attr-defined]


class _Clean:
    """What every attempt finds as the first one did: cwd, environment, umask, seeds; and whether more was left."""

    def __init__(self) -> None:
        self._cwd = os.getcwd()
        self._environ = dict(_ENVIRON)
        self._umask = os.umask(0o077)
        os.umask(self._umask)
        self._threads = thread_count()
        self._streams = sys.stdin, sys.stdout, sys.stderr
        self._handlers = {number: _signal.getsignal(number) for number in _SIGNALS}
        self._limits = {limit: resource.getrlimit(limit) for limit in _LIMITS}

    def seed(self, seed: int) -> None:
        """Seeds the global generators for one attempt."""
        random.seed(seed)
        numpy = sys.modules.get("numpy")
        if numpy is not None:
            numpy.random.seed(seed)

    def restore(self, known: int) -> bool:
        """Puts back what can be; returns whether no process was left, and no thread but ``known`` ones of the data."""
        os.umask(self._umask)
        if self._environ != _ENVIRON:
            kept = {os.fsdecode(name): os.fsdecode(value) for name, value in self._environ.items()}
            os.environ.clear()
            os.environ.update(kept)
        try:
            if os.getcwd() != self._cwd:
                os.chdir(self._cwd)
        except OSError:
            os.chdir(self._cwd)
        whole = self._restore_signals() and self._restore_limits() and self._restore_streams()
        # Where the worker can see for itself, threads are its to count.
        return whole and not _children_left() and (LINUX or thread_count() <= self._threads + known)

    def _restore_signals(self) -> bool:
        """Timers first: what they send must not meet the handler of before."""
        for timer in (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF):
            _signal.setitimer(timer, 0.0)
        for number, handler in self._handlers.items():
            if _signal.getsignal(number) is not handler:
                if handler is None:  # not one of Python's: it cannot be put back
                    return False
                signal.signal(number, handler)
        return not _signal.pthread_sigmask(signal.SIG_BLOCK, ())

    def _restore_limits(self) -> bool:
        """Whether they are as before; a hard limit that was lowered cannot be raised."""
        try:
            for limit, before in self._limits.items():
                if resource.getrlimit(limit) != before:
                    resource.setrlimit(limit, before)
        except (OSError, ValueError):
            return False
        return True

    def _restore_streams(self) -> bool:
        """Puts Python's streams back; whether they can still be written."""
        sys.stdin, sys.stdout, sys.stderr = self._streams
        return not any(stream is not None and stream.closed for stream in self._streams)


def _children_left() -> bool:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return False
    return True
