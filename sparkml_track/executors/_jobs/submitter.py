"""Who starts attempts as jobs of their own: a contract, and a member that needs no Spark."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass

from typing_extensions import override

from sparkml_track.slot.host.folder import package_root
from sparkml_track.slot.wire.messages import Run
from sparkml_track.slot.worker import Config

__all__ = ["JobFailed", "LocalSubmitter", "Request", "Submitter"]

_BOOT = "import sys, json; sys.path.insert(0, sys.argv[1]); c, m, f, p = json.load(sys.stdin); "
_BOOT += "from sparkml_track.slot.worker import Config; from sparkml_track.slot.once import run_once; "
_BOOT += "from sparkml_track.slot.wire.messages import Run; "
_BOOT += "json.dump([x.hex() for x in run_once(Config(**c), Run(*m), f, bytes.fromhex(p))], sys.stdout)"


class JobFailed(Exception):
    """The job ended without an answer; the message says why, for a person.

    Attributes:
        charged: the attempt had begun, as far as is known.
        hopeless: the next one would end alike.
    """

    def __init__(self, message: str, charged: bool = True, hopeless: bool = False) -> None:
        super().__init__(message)
        self.charged = charged
        self.hopeless = hopeless


@dataclass(frozen=True, slots=True)
class Request:
    """What a job is given.

    Attributes:
        config: of a worker, without address and secret.
        run: the attempt.
        payload: what it is given.
    """

    config: Config
    run: Run
    payload: bytes = b""


class Submitter(ABC):
    """Runs ``slot.once.run_once`` somewhere, one job for each request.

    Ownership: of the executor, which closes it. Threads: ``run`` is called from many, one for each attempt; the
    others from one.

    Attributes:
        shared_host: slots read the driver's files.
    """

    shared_host: bool

    @abstractmethod
    def slots(self) -> int:
        """How many jobs run at one time."""

    @abstractmethod
    def ship(self, files: dict[str, str]) -> None:
        """Sends files to all hosts.

        Args:
            files: paths by digest.
        """

    @abstractmethod
    def run(self, key: str, request: Request) -> list[bytes]:
        """Runs one job and waits for what ``run_once`` returns.

        Args:
            key: names it for ``cancel``.
            request: what it executes.

        Raises:
            JobFailed: it ended otherwise.
            SlotsLost: so would every other one.
        """

    @abstractmethod
    def cancel(self, key: str) -> None:
        """Ends a job by force; nothing happens if it has not begun or has ended, or if what ran it is gone."""

    def check(self) -> None:  # noqa: B027  # nothing to look at is fine
        """Looks whether jobs can still be run; called now and then while some do, and when one failed.

        Raises:
            SlotsLost: whatever ran them is gone.
        """

    @abstractmethod
    def close(self) -> None:
        """Ends what still runs."""


class LocalSubmitter(Submitter):
    """Jobs as plain processes of this host: the in-process twin of Spark jobs."""

    shared_host = True

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    @override
    def slots(self) -> int:
        return self._slots

    def ship(self, files: dict[str, str]) -> None:
        """See ``Submitter``; they are there."""

    @override
    def run(self, key: str, request: Request) -> list[bytes]:
        root = package_root(os.path.abspath(__file__), __package__ or "")
        config = {**asdict(request.config), "secret": "", "certificate": "", "address": ["", ""]}
        process = self._processes[key] = subprocess.Popen(  # noqa: S603
            [sys.executable, "-c", _BOOT, root], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        answer, errors = process.communicate(json.dumps([config, request.run, {}, request.payload.hex()]).encode())
        del self._processes[key]
        if process.returncode:
            last = errors.decode("utf-8", "replace").strip().splitlines()[-1:]
            raise JobFailed(f"its process ended with status {process.returncode}: {''.join(last)[:300]}")
        return [bytes.fromhex(each) for each in json.loads(answer)]

    @override
    def cancel(self, key: str) -> None:
        process = self._processes.get(key)
        if process is not None:
            process.kill()

    @override
    def close(self) -> None:
        for key in list(self._processes):
            self.cancel(key)
