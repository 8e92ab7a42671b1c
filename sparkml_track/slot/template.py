"""The template: imports the objective once for a host, then forks a child for each request.

It stays single-threaded and never calls the objective, because a fork copies no threads and an OpenMP pool that was
used before it makes children hang. Workers connect over a Unix socket and pass the child's ends along. It ends its
children with the worker that asked for them, and itself with the last worker.
"""

from __future__ import annotations

import array
import contextlib
import ctypes
import gc
import importlib
import os
import pickle
import selectors
import signal
import socket
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .attempt.returned import describe_error
from .attempt.run_log import STORE, choose_store
from .attempt.threads import thread_count
from .autolog import VARIABLE, autolog_on_import
from .child import Loaded, serve
from .host.paths import NotShared, Places
from .host.plugin import offer_mlflow_store
from .host.share import Share, remove_left
from .preload import preload
from .script import offer_script
from .sources import Version, sources_of_modules, versions_of
from .strays import Strays, end_process, wait_for
from .wire.frames import Opener, Sealer
from .wire.messages import Broken, Exit, Fork, Kill, Message, NoFork, Ready, Renew, Rests, Stale, Warn, decode, encode

__all__ = ["LONELY", "main", "prepare", "receive_with_fds"]

#: Modules whose versions go to the driver, which compares them with its own.
_PACKAGES = ("cloudpickle", "numpy", "scipy", "sklearn", "pandas", "pyarrow", "xgboost", "lightgbm", "torch", "pyspark")
#: Opened here, once, and not in each child.
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
#: Seconds without any worker after which a template that nobody came to leaves.
LONELY = 30.0


@dataclass
class _Client:
    """A connected worker; ``rests`` as it said."""

    sock: socket.socket
    rests: bool = False
    opener: Opener = field(default_factory=Opener)
    sealer: Sealer = field(default_factory=Sealer)
    children: set[int] = field(default_factory=set)
    fds: list[int] = field(default_factory=list)


class Template:
    """The serving loop."""

    def __init__(self, listener: socket.socket, share: Share, config: Mapping[str, Any]) -> None:
        self._listener = listener
        self._share = share
        self._config = config
        self._clients: dict[int, _Client] = {}
        self._owner: dict[int, _Client] = {}
        self._over, self._listens = False, True
        self._state: list[Message] = []
        self._loaded: Loaded | None = None
        self._sources: Mapping[str, Version] = {}
        self._strays = Strays()
        self._lonely_since, self._patience = time.monotonic(), LONELY
        self._selector = selectors.DefaultSelector()
        self._wake_in, self._wake_out = os.pipe()

    def run(self) -> None:
        """Loads, then serves until the last worker has left."""
        self._load()
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)
        for end in (self._wake_in, self._wake_out):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(self._wake_out, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._listener.setblocking(False)
        self._selector.register(self._listener, selectors.EVENT_READ, "listener")
        self._selector.register(self._wake_in, selectors.EVENT_READ, "wake")
        gc.collect()
        gc.freeze()
        while not self._left_alone():
            for key, _ in self._selector.select(min(1.0, self._patience)):
                self._handle(key.data)
            self._reap()
            self._strays.end_overdue()
        self._finish()

    def _load(self) -> None:
        try:
            prepare(self._config)
            with open(str(self._config["work"]), "rb") as file:
                # From the driver, over the authenticated broker. The other direction never unpickles.
                work = pickle.load(file)
            offer_script(str(self._config["folder"]), str(self._config["work"]), work.pop("main"))
            places = Places(str(self._config["folder"]), *work.pop("roots"))
            places.check()
            self._loaded = Loaded(places=places, **work)
            preload(self._loaded.objective)
            for _, opener in self._loaded.data.values():
                importlib.import_module(getattr(opener, "imports", "builtins"))
            if self._loaded.tracked:
                choose_store(os.environ.get(STORE, ""))
            self._sources = sources_of_modules()
            self._state = [Ready(_versions())]
            threads = thread_count()
            if threads > 1:
                text = f"importing the objective started {threads - 1} threads; attempts are forked without them"
                self._state.insert(0, Warn(text))
        except NotShared as error:
            self._state = [Broken(f"{NotShared.__name__}: {error}")]
        except BaseException as error:
            version = getattr(sys.modules.get("cloudpickle"), "__version__", "")
            self._state = [Broken(describe_error(error), version)]

    def _left_alone(self) -> bool:
        if self._clients:
            return False
        over = not os.path.exists(str(self._config["socket"]))
        return over or time.monotonic() - self._lonely_since > self._patience

    def _handle(self, source: object) -> None:
        if source == "listener":
            self._accept()
        elif source == "wake":
            os.read(self._wake_in, 4096)
        elif isinstance(source, _Client):
            self._read(source)

    def _accept(self) -> None:
        sock, _ = self._listener.accept()
        client = _Client(sock)
        self._clients[sock.fileno()] = client
        self._selector.register(sock, selectors.EVENT_READ, client)
        for message in self._state:
            self._send(client, message)

    def _read(self, client: _Client) -> None:
        try:
            data, fds = receive_with_fds(client.sock, 4)
        except OSError:
            data, fds = b"", []
        client.fds += fds
        if not data:
            self._leave(client)
            return
        for body in client.opener.feed(data):
            match decode(body)[0]:
                case Fork():
                    self._fork(client)
                case Rests():
                    client.rests = True
                case Renew():
                    self._renew(client)
                case Kill(pid) if pid in client.children:
                    end_process(pid)

    def _renew(self, client: _Client) -> None:
        if versions_of(self._sources) == self._sources:
            for message in self._state:
                self._send(client, message)
            return
        self._leave_socket()  # whoever joins from now on starts another one
        self._send(client, Stale())

    def _leave_socket(self) -> None:
        """Nothing new may join; what others start under the name later is theirs."""
        if self._listens:
            self._listens = False
            with contextlib.suppress(OSError):  # the folder may be gone, when the sweep is over
                os.unlink(str(self._config["socket"]))

    def _leave(self, client: _Client) -> None:
        self._selector.unregister(client.sock)
        del self._clients[client.sock.fileno()]
        client.sock.close()
        for pid in client.children:
            end_process(pid)
        for fd in client.fds:
            os.close(fd)
        if not self._clients:
            self._over = client.rests
            self._lonely_since, self._patience = time.monotonic(), float(str(self._config.get("linger", 0.0)))
            if self._patience <= 0:
                self._finish()

    def _finish(self) -> None:
        # Nothing new may join between the last worker's leaving and the exit: a late one finds no socket and
        # starts a template of its own.
        self._leave_socket()
        wait_for(self._has_no_children)
        if self._over:
            self._share.over()
        self._share.close()
        os._exit(0)

    def _send(self, client: _Client, message: Message) -> None:
        with contextlib.suppress(OSError):  # its end is seen when the socket is read
            client.sock.sendall(client.sealer.seal(encode(message)))

    def _fork(self, client: _Client) -> None:
        sock_fd, out_fd = client.fds[:2]
        del client.fds[:2]
        parent = os.getpid()
        try:
            pid = os.fork()
        except OSError as error:
            self._send(client, NoFork(str(error)))
            os.close(sock_fd)
            os.close(out_fd)
            return
        if pid == 0:
            self._become_child(parent, sock_fd, out_fd)
        os.close(sock_fd)
        os.close(out_fd)
        client.children.add(pid)
        self._owner[pid] = client

    def _become_child(self, parent: int, sock_fd: int, out_fd: int) -> None:
        status = 1
        try:
            os.setpgid(0, 0)
            _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            _prctl(_PR_SET_CHILD_SUBREAPER, 1)
            if os.getppid() != parent:
                os._exit(1)
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.dup2(out_fd, 1)
            os.dup2(out_fd, 2)
            sock = socket.socket(fileno=os.dup(sock_fd))
            self._close_inherited(sock_fd, out_fd)
            assert self._loaded is not None
            serve(sock, self._loaded)
            status = 0
        finally:
            os._exit(status)

    def _close_inherited(self, *fds: int) -> None:
        self._selector.close()
        self._listener.close()
        os.close(self._share.fileno())
        for client in self._clients.values():
            client.sock.close()
            for fd in client.fds:
                os.close(fd)
        for fd in (*fds, self._wake_in, self._wake_out):
            os.close(fd)

    def _has_no_children(self) -> bool:
        self._reap()
        try:
            return os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None and not self._owner
        except ChildProcessError:
            return True

    def _reap(self) -> None:
        while True:
            try:
                # Look first, so that the pid is still ours while its group is ended.
                found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT | os.WNOHANG)
            except ChildProcessError:
                return
            if found is None:
                return
            self._bury(found.si_pid)

    def _bury(self, pid: int) -> None:
        owner = self._owner.pop(pid, None)
        if owner is not None:
            end_process(pid)  # its group, where that has to do
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        self._strays.reaped(pid)
        if owner is None:
            return  # a grandchild that came to us as the nearest reaper
        owner.children.discard(pid)
        self._strays.end(self._owner)
        self._send(owner, Exit(pid, status))


def _versions() -> dict[str, str]:
    """Of the packages that the objective brought in and whose version may matter."""
    found = {name: getattr(sys.modules.get(name), "__version__", None) for name in _PACKAGES}
    return {name: version for name, version in found.items() if isinstance(version, str)}


def prepare(config: Mapping[str, Any]) -> None:
    """What comes before any import: where modules are found, and what is to happen when they are."""
    sys.path[:0] = [entry for entry in config["path"] if entry not in sys.path]
    store = offer_mlflow_store(str(config["folder"]), __package__ or "")
    if store not in sys.path:
        sys.path.append(store)
    autolog_on_import(os.environ.pop(VARIABLE, ""))


def _prctl(option: int, value: int) -> None:
    if _LIBC is not None:
        _LIBC.prctl(option, value, 0, 0, 0)


def receive_with_fds(sock: socket.socket, most: int) -> tuple[bytes, list[int]]:
    """Receives bytes and the descriptors that came with them."""
    fds = array.array("i")
    data, control, _, _ = sock.recvmsg(1 << 16, socket.CMSG_SPACE(most * fds.itemsize))
    for level, kind, piece in control:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fds.frombytes(piece[: len(piece) - len(piece) % fds.itemsize])
    return data, list(fds)


def main(config: Mapping[str, Any]) -> None:
    """The template process; ``config`` is what ``host.Host`` gives it.

    listener   descriptor of the listening socket
    socket     its path
    work       file with a pickled mapping of the fields of ``Loaded``, of the last of ``Places`` as ``roots``, and of
               the names that the driver's script defines as ``main``
    folder     of the host
    share      descriptor of a share in it
    single     as of ``Share``
    linger     seconds to wait for another worker when the last has left
    path       entries for sys.path
    """
    listener = socket.socket(fileno=int(config["listener"]))
    share = Share(str(config["folder"]), bool(config["single"]), int(config["share"]))
    with contextlib.suppress(OSError):
        remove_left(os.path.dirname(share.folder))
    Template(listener, share, config).run()
