"""One attempt in a task of its own, with a template that does what the test says."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable

from sparkml_track.slot.once import _Once
from sparkml_track.slot.template import receive_with_fds
from sparkml_track.slot.wire.frames import Message, Sealer, pack

RUN: Message = {"op": "run", "attempt": "0.0.1", "number": 0, "params": {}, "seed": 1, "try": 1}


def answer_with(template: Callable[[socket.socket, list[int]], None]) -> Message:
    """What the attempt tells; ``template`` is given the child's ends."""
    ours, theirs = socket.socketpair()

    def serve() -> None:
        ours.sendall(Sealer().seal(pack({"op": "ready"})))
        _, fds = receive_with_fds(ours, 4)
        template(ours, fds)
        for fd in fds:
            os.close(fd)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        return _Once(theirs, dict(RUN), "").run()
    finally:
        thread.join()
        ours.close()


def test_a_host_without_a_process_to_spare_loses_the_attempt_and_charges_nobody() -> None:
    def template(sock: socket.socket, _: list[int]) -> None:
        sock.sendall(Sealer().seal(pack({"op": "nofork", "message": "Resource temporarily unavailable"})))

    answer = answer_with(template)
    assert answer == {"lost": "no process for an attempt: Resource temporarily unavailable", "charged": False}


def test_an_objective_that_cannot_be_loaded_is_told_as_broken() -> None:
    ours, theirs = socket.socketpair()
    ours.sendall(Sealer().seal(pack({"op": "broken", "message": "ImportError", "cloudpickle": "3"})))
    assert _Once(theirs, dict(RUN), "").run() == {"broken": "ImportError", "cloudpickle": "3"}
    ours.close()
