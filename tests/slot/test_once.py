"""One attempt in a task of its own, with a template that does what the test says."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable

from sparkml_track.slot.once import _Once
from sparkml_track.slot.template import receive_with_fds
from sparkml_track.slot.wire.frames import Sealer
from sparkml_track.slot.wire.messages import Broken, Message, NoFork, Ready, Run, Unbegun, encode

RUN = Run("0.0.1", 0, {}, 1, "0.0", 1)


def answer_with(template: Callable[[socket.socket, list[int]], None]) -> list[Message]:
    """What the attempt says; ``template`` is given the child's ends."""
    ours, theirs = socket.socketpair()

    def serve() -> None:
        ours.sendall(Sealer().seal(encode(Ready({}))))
        _, fds = receive_with_fds(ours, 4)
        template(ours, fds)
        for fd in fds:
            os.close(fd)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        return [message for message, _ in _Once(theirs, "/nowhere", RUN).run()]
    finally:
        thread.join()
        ours.close()


def test_a_host_without_a_process_to_spare_loses_the_attempt_and_charges_nobody() -> None:
    def template(sock: socket.socket, _: list[int]) -> None:
        sock.sendall(Sealer().seal(encode(NoFork("Resource temporarily unavailable"))))

    end = answer_with(template)[-1]
    assert end == Unbegun("0.0.1", "no process for an attempt: Resource temporarily unavailable", charged=False)


def test_an_objective_that_cannot_be_loaded_is_told_as_broken() -> None:
    ours, theirs = socket.socketpair()
    ours.sendall(Sealer().seal(encode(Broken("ImportError", "3"))))
    assert _Once(theirs, "/nowhere", RUN).run() == [(Broken("ImportError", "3"), b"")]
    ours.close()
