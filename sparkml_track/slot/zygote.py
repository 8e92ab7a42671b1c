"""The zygote: imports libraries once for a host and forks templates, which find them imported.

It never loads what a user wrote, so a template that is forked from it is as good as one that was started anew. It
leaves when no worker is connected any more and its templates have left.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import selectors
import signal
import socket
from collections.abc import Mapping, Sequence
from typing import Any

from . import template
from .attempt.threads import thread_count
from .wire.frames import Opener, WireError

__all__ = ["main"]


class Zygote:
    """The serving loop.

    Args:
        listener: workers connect to it.
        config: see ``main``.
    """

    def __init__(self, listener: socket.socket, config: Mapping[str, Any]) -> None:
        self._listener = listener
        self._name = str(config["socket"])
        self._clients: dict[socket.socket, tuple[Opener, list[int]]] = {}
        self._templates: set[int] = set()
        self._came = False
        self._selector = selectors.DefaultSelector()
        self._wake_in, self._wake_out = os.pipe()

    def run(self) -> None:
        """Serves until nobody is left."""
        for end in (self._wake_in, self._wake_out):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(self._wake_out, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._listener.setblocking(False)
        self._selector.register(self._listener, selectors.EVENT_READ, self._accept)
        self._selector.register(self._wake_in, selectors.EVENT_READ, self._reap)
        while self._clients or self._templates or not self._came:
            ready = self._selector.select(None if self._came else template.LONELY)
            for key, _ in ready:
                key.data()
            if not ready and not self._came:
                break
        with contextlib.suppress(OSError):
            os.unlink(self._name)

    def _accept(self) -> None:
        with contextlib.suppress(BlockingIOError):
            client, _ = self._listener.accept()
            self._came = True
            self._clients[client] = (Opener(), [])
            self._selector.register(client, selectors.EVENT_READ, lambda: self._read(client))

    def _read(self, client: socket.socket) -> None:
        opener, fds = self._clients[client]
        try:
            data, came = template.receive_with_fds(client, 2)
            fds += came
            for body in opener.feed(data) if data else ():
                self._fork(json.loads(body), fds[:2])
                del fds[:2]
        except (OSError, WireError):
            data = b""
        if not data:
            self._leave(client)

    def _leave(self, client: socket.socket) -> None:
        self._selector.unregister(client)
        _, fds = self._clients.pop(client)
        client.close()
        for fd in fds:
            os.close(fd)

    def _fork(self, wanted: dict[str, Any], fds: Sequence[int]) -> None:
        """Makes a template; where there is no process for one, its worker finds its socket closed."""
        import_all(wanted["imports"])
        alone = thread_count() > 1  # a fork would lose threads that a library has started: there is one template only
        pid = 0
        if not alone:
            gc.freeze()
            with contextlib.suppress(OSError):
                pid = os.fork() or -1
        if alone or pid < 0:
            self._become_template(wanted | {"listener": fds[0], "share": fds[1]}, fds, alone)
        for fd in fds:
            os.close(fd)
        if pid:
            self._templates.add(pid)

    def _become_template(self, config: dict[str, Any], fds: Sequence[int], alone: bool) -> None:
        try:
            if alone:
                os.unlink(self._name)
            else:
                os.setsid()
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            self._selector.close()
            self._listener.close()
            for client, (_, more) in self._clients.items():
                client.close()
                for fd in set(more) - set(fds):
                    os.close(fd)
            os.close(self._wake_in)
            os.close(self._wake_out)
            template.main(config)
        finally:
            os._exit(1)  # a template that ran to its end has left before

    def _reap(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._wake_in, 4096)
        with contextlib.suppress(ChildProcessError):
            while (pid := os.waitpid(-1, os.WNOHANG)[0]) > 0:
                self._templates.discard(pid)


def import_all(names: Sequence[str]) -> None:
    """Imports libraries; what fails there is left to the template, which reports it."""
    for name in names:
        with contextlib.suppress(Exception):
            importlib.import_module(name)


def main(config: Mapping[str, Any]) -> None:
    """The process; ``config`` is what ``host.Host`` gives it.

    listener   descriptor of the listening socket
    socket     its path
    folder     of the host
    path       entries for sys.path
    """
    template.prepare(config)
    Zygote(socket.socket(fileno=int(config["listener"])), config).run()
