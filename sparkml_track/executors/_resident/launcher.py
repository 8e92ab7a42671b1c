"""Who starts workers: a contract with two members, so that the resident executor can be tested without a JVM."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from abc import ABC, abstractmethod
from dataclasses import dataclass

from typing_extensions import override

from sparkml_track.slot.host.folder import package_root
from sparkml_track.slot.worker import Config

__all__ = ["Launcher", "LocalLauncher", "Others"]

_BOOT = "import sys, pickle; sys.path.insert(0, sys.argv[1]); c = pickle.load(sys.stdin.buffer); "
_BOOT += "from sparkml_track.slot.task import main; main(c)"


@dataclass(frozen=True, slots=True)
class Others:
    """What else runs in the application that our workers live in.

    Attributes:
        active: Spark stages that are not of a sweep.
        waiting: their tasks that have no slot.
        sweeps: other sweeps that have workers, or wait for slots.
        sweeps_waiting: workers of theirs that have no slot.
    """

    active: int = 0
    waiting: int = 0
    sweeps: int = 0
    sweeps_waiting: int = 0


class Launcher(ABC):
    """Starts one worker in each slot.

    Ownership: of the executor, which closes it. Threads: one. A worker that ended may be launched again under the
    same number; ``failure`` reports a worker that ended without saying goodbye. Errors: every method but ``close``
    raises ``SlotsLost`` once what workers live in is gone.

    Attributes:
        shared_host: slots are on the driver's host, so a Unix socket and the driver's sys.path will do.
        on_spark: workers are tasks of Spark, so its settings count.
        waited_for: why a worker may not be there yet, for a person.
        place: names where others of this process may want the same slots; empty where nobody can.
        more: how there would be more slots, for a person.
    """

    shared_host: bool
    on_spark = True
    waited_for = "Spark has no slot for one yet, or is starting it"
    place = ""
    more = "start Spark with more executors or cores"

    @abstractmethod
    def slots(self) -> int:
        """How many workers can run at one time."""

    @property
    def most(self) -> int:
        """How many there can be with dynamic allocation, which brings them while workers wait; 0 without it."""
        return 0

    @property
    def in_all(self) -> int:
        """How many there can be, by what is set up; 0 where more may come at any time."""
        return 0

    def check(self) -> None:  # noqa: B027  # nothing to look at is fine
        """Looks whether workers can still live; called when one is lost.

        Raises:
            SlotsLost: whatever they live in is gone, so that no attempt is to blame.
        """

    def others(self) -> Others:
        """Who else wants slots; nobody, unless a member knows."""
        return Others()

    def going(self) -> frozenset[int]:
        """Numbers of workers that will be ended soon from outside; none, unless a member knows."""
        return frozenset()

    @abstractmethod
    def launch(self, config: Config) -> None:
        """Starts worker ``config.slot``; returns before it runs."""

    @abstractmethod
    def coming(self, slot: int) -> bool:
        """Whether a worker was started for the slot that has not ended, or is started again by Spark."""

    @abstractmethod
    def failure(self, slot: int) -> str | None:
        """Why the worker is not running any more, empty if it left in good order; None while it runs or may start."""

    @abstractmethod
    def cancel(self, slot: int) -> None:
        """Ends one worker by force."""

    @abstractmethod
    def close(self, longest_wait: float) -> None:
        """Waits ``longest_wait`` seconds for all workers to leave, then ends them by force."""


class LocalLauncher(Launcher):
    """Workers as plain processes of this host: the in-process twin of Spark tasks."""

    shared_host = True
    on_spark = False
    waited_for = "its process has not come up yet"
    more = "set parallelism, since there are parallelism x gang of them on this host, and one for each core without it"

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        self._leaving: list[subprocess.Popen[bytes]] = []

    @override
    def slots(self) -> int:
        return self._slots

    @property
    @override
    def in_all(self) -> int:
        return self._slots

    @override
    def launch(self, config: Config) -> None:
        root = package_root(os.path.abspath(__file__), __package__ or "")
        process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-c", _BOOT, root],
            stdin=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C goes to a whole group; it is the driver that ends attempts
        )
        assert process.stdin is not None
        process.stdin.write(pickle.dumps(config))
        process.stdin.close()
        if config.slot in self._processes:  # it was sent away, and may not have left yet
            self._leaving.append(self._processes[config.slot])
        self._processes[config.slot] = process

    def pid(self, slot: int) -> int:
        """Of a worker."""
        return self._processes[slot].pid

    @override
    def coming(self, slot: int) -> bool:
        process = self._processes.get(slot)
        return process is not None and process.poll() is None

    @override
    def failure(self, slot: int) -> str | None:
        process = self._processes.get(slot)
        if process is None or process.poll() is None:
            return None
        return "" if process.returncode == 0 else f"worker process ended with status {process.returncode}"

    @override
    def cancel(self, slot: int) -> None:
        process = self._processes.pop(slot, None)
        if process is not None:
            process.kill()
            process.wait()

    @override
    def close(self, longest_wait: float) -> None:
        for process in [*self._leaving, *self._processes.values()]:
            try:
                process.wait(longest_wait)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._leaving.clear()
        self._processes.clear()
