"""What a process is like from outside: whether it may execute the next attempt."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator

import pytest

from sparkml_track.slot.condition import Watch, born_here
from sparkml_track.slot.wire.messages import Born


def thread() -> None:
    threading.Thread(target=threading.Event().wait, daemon=True).start()


def child() -> None:
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])


def elsewhere() -> None:
    os.chdir("/proc")


def silent() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def closed() -> None:
    os.close(2)


def many_files() -> None:
    for _ in range(100):
        os.open(os.devnull, os.O_RDONLY)


class Fork:
    """A process that did something, and waits."""

    def __init__(self, act: Callable[[], object]) -> None:
        self.out, out = os.pipe()
        here, there = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.setpgid(0, 0)
            os.dup2(out, 1)
            os.dup2(out, 2)
            born = born_here()
            act()
            os.write(there, repr(tuple(born)).encode())
            threading.Event().wait()
        self.born = Born(*eval(os.read(here, 1000)))
        for fd in (here, there, out):
            os.close(fd)

    def end(self) -> None:
        os.killpg(self.pid, 9)
        os.waitpid(self.pid, 0)
        os.close(self.out)


@pytest.fixture
def forked(request: pytest.FixtureRequest) -> Iterator[Fork]:
    fork = Fork(request.param)
    yield fork
    fork.end()


def as_born(fork: Fork, threads: int = 0) -> bool:
    watch = Watch(fork.born, os.fstat(fork.out).st_ino)
    try:
        return watch.is_as_born(threads)
    finally:
        watch.close()


@pytest.mark.parametrize("forked", [lambda: None], indirect=True)
def test_a_process_that_left_nothing_is_used_again(forked: Fork) -> None:
    assert as_born(forked)


@pytest.mark.parametrize("forked", [thread, child, elsewhere, silent, closed, many_files], indirect=True)
def test_one_that_left_something_is_not_whatever_it_says(forked: Fork) -> None:
    assert not as_born(forked)


@pytest.mark.parametrize("forked", [thread], indirect=True)
def test_threads_that_data_needs_do_not_count(forked: Fork) -> None:
    assert as_born(forked, threads=1)


def test_one_that_is_gone_is_not() -> None:
    fork = Fork(lambda: None)
    os.killpg(fork.pid, 9)
    os.waitpid(fork.pid, 0)
    assert not as_born(fork)
    os.close(fork.out)
