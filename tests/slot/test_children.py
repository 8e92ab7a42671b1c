"""A worker never waits for a process that executes a user's code."""

from __future__ import annotations

import os
import select
import socket
from collections.abc import Callable, Iterator

import pytest

from sparkml_track.slot.children import Child, Children
from sparkml_track.slot.template import receive_with_fds
from sparkml_track.slot.wire.messages import Answer, Run


class Bench:
    """A worker's end, and what its template was given for the one child."""

    def __init__(self) -> None:
        self.poll, self.sources = select.poll(), dict[int, Callable[[], None]]()
        ours, self.template = socket.socketpair()
        self.children = Children(ours, "/nowhere", self.poll, self.sources, lambda *_: None, lambda _: None)
        self.child: Child = self.children.new()
        _, (sock, self.out) = receive_with_fds(self.template, 4)
        self.end = socket.socket(fileno=sock)

    def serve(self) -> None:
        for fd, _ in self.poll.poll(0):
            self.sources[fd]()


@pytest.fixture
def bench() -> Iterator[Bench]:
    one = Bench()
    yield one
    one.children.retire(one.child)
    one.children.close()
    one.end.close()
    one.template.close()
    os.close(one.out)


def test_a_child_that_reads_nothing_holds_nobody_up(bench: Bench) -> None:
    for index in range(50_000):
        bench.child.send(Answer("0.0.1", index, stop=False))
    assert 0 < len(bench.child.unsent) < (1 << 20) + 1000
    bench.serve()


def test_a_message_larger_than_the_socket_arrives_as_it_is_read(bench: Bench) -> None:
    bench.child.send(Run("0.0.1", 0, {"text": "x" * 3_000_000}, 1, "0.0", 1))
    got = 0
    while bench.child.unsent:
        got += len(bench.end.recv(1 << 20))
        bench.serve()
    bench.end.setblocking(False)
    while True:
        try:
            got += len(bench.end.recv(1 << 20))
        except BlockingIOError:
            break
    assert got > 3_000_000
    bench.serve()


def test_taking_what_a_child_printed_ends_though_it_prints_on(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "read", lambda _, size: b"x" * size)
    bench.child.drain()
    assert "bytes cut" in bench.child.log.text()
