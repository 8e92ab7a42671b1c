"""Does to a running sweep what its plan says, by process id, and tells each step."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sparkml_track.journals import read, sweeps
from sparkml_track.testing.servers import TrackingServer
from sparkml_track.trial import AttemptId
from tests.clusters import Cluster, command, wait_until
from tests.nemesis.executions import Execution, Executions
from tests.nemesis.hosts import HOSTS, Known, executors, of_host, send, workers
from tests.nemesis.schedule import SILENT, Fault

__all__ = ["Driver", "Nemesis", "Story"]

#: Seconds between looks.
TURN = 0.1
#: Seconds for which a host that comes back runs attempts before it can tell of them.
AHEAD = 2.5


class Story:
    """What happened, for a person."""

    def __init__(self, folder: Path) -> None:
        self._began, self._path = time.monotonic(), folder / "story"

    def tell(self, line: str) -> None:
        line = f"[{time.monotonic() - self._began:6.1f} s] {line}"
        print(line, flush=True)
        with self._path.open("a") as file:
            file.write(line + "\n")

    def __str__(self) -> str:
        return self._path.read_text()


class Driver:
    """The same command, started as often as it takes."""

    def __init__(self, settings: Path, home: Path, log: Path) -> None:
        self._command = [sys.executable, str(Path(__file__).parent / "sweep.py"), str(settings)]
        root = Path(__file__).resolve().parent.parent.parent
        self._env = {**os.environ, "SPARKML_HOME": str(home), "PYTHONPATH": str(root)}
        self.log = log
        self.process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            return subprocess.Popen(
                self._command, env=self._env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(20)

    def again(self) -> None:
        self.process = self._start()


@dataclass
class Death:
    """What was known when the driver died.

    Attributes:
        accepted: trials that had an outcome in the journal.
        begun: attempts that had begun.
        units: trial and index of units that had one, where trials have several.
    """

    accepted: set[int]
    begun: list[Execution]
    units: set[tuple[int, int]] = field(default_factory=set)


@dataclass
class Nemesis:
    """See the module.

    Attributes:
        death: of the driver.
        done: faults, in order.
    """

    there: Cluster
    server: TrackingServer
    driver: Driver
    executions: Executions
    home: Path
    story: Story
    death: Death | None = None
    done: list[Fault] = field(default_factory=list)
    _heals: list[tuple[float, Callable[[], None]]] = field(default_factory=list)
    _frozen: dict[str, list[Known]] = field(default_factory=dict)
    _outage: threading.Thread | None = None
    _late: list[tuple[int, int]] = field(default_factory=list)

    @property
    def late(self) -> bool:
        """Whether a host came back, under the driver that ended the sweep, with attempts that had been given up.

        That is known of those times after which another attempt began: the driver was there to hear of it.
        """
        last = self.driver.process.pid
        return any(driver == last and begun < len(self.executions.begun) for driver, begun in self._late)

    def run(self, faults: Sequence[Fault], seconds: float) -> None:
        """Returns when the driver has ended.

        Raises:
            AssertionError: it did not within the bound.
        """
        waiting, until = list(faults), time.monotonic() + seconds
        try:
            while self.driver.process.poll() is None:
                begun = self.executions.read()
                for fault in list(waiting):
                    if begun >= fault.at and self._can(fault):
                        waiting.remove(fault)
                        self._do(fault, begun)
                self._heal(time.monotonic())
                assert time.monotonic() < until, f"the sweep did not end within {seconds:.0f} s"
                time.sleep(TURN)
        finally:
            self._heal(float("inf"))
            self._wait_for_server()
        self.executions.read()
        self.story.tell(f"the driver ended with {self.driver.process.returncode}")
        self.story.tell(f"faults that the sweep's end left out: {waiting or 'none'}")

    def _can(self, fault: Fault) -> bool:
        """A second outage waits for the end of the first, and what is frozen is left alone."""
        if fault.kind == "server":
            return self._outage is None
        if fault.kind == "freeze":
            return any(self._running(host) for host in HOSTS if host not in self._frozen)
        if fault.kind in ("executor", "worker"):
            return bool(self._targets(fault.kind))
        return True

    def _do(self, fault: Fault, begun: int) -> None:
        self.done.append(fault)
        told = getattr(self, f"_{fault.kind}")(fault)
        self.story.tell(f"{begun} begun: {told}")

    def _heal(self, now: float) -> None:
        due = [heal for at, heal in self._heals if at <= now]
        self._heals = [(at, heal) for at, heal in self._heals if at > now]
        for heal in due:
            heal()

    def _later(self, seconds: float, heal: Callable[[], None]) -> None:
        self._heals.append((time.monotonic() + seconds, heal))

    # -- faults

    def _targets(self, kind: str) -> list[Known]:
        find = executors if kind == "executor" else workers
        return [process for host in HOSTS if host not in self._frozen for process in find(self.there, host)]

    def _kill(self, fault: Fault) -> str:
        found = self._targets(fault.kind)
        process = found[int(fault.pick * len(found))]
        send(process, signal.SIGKILL)
        return f"killed {fault.kind} {process}, one of {len(found)}"

    _executor = _worker = _kill

    def _running(self, host: str) -> list[Execution]:
        """Attempts at work there."""
        pids = {process.pid for process in of_host(self.there, host)}
        return [execution for execution in self.executions.running if execution.pid in pids]

    def _freeze(self, fault: Fault) -> str:
        hosts = [host for host in HOSTS if host not in self._frozen and self._running(host)]
        host = hosts[int(fault.pick * len(hosts))]
        there = self._frozen[host] = of_host(self.there, host)
        for process in there:
            send(process, signal.SIGSTOP)
        self.executions.read()
        running, driver = self._running(host), self.driver.process.pid
        self._later(fault.lasts, lambda: self._thaw_attempts(host))
        self._later(fault.lasts + AHEAD, lambda: self._thaw(host, running, fault.lasts > SILENT, driver))
        ids = ", ".join(f"{one.trial}.{one.unit}.{one.attempt}" for one in running)
        return f"froze {host}, {len(there)} processes for {fault.lasts:.1f} s, at work: {ids}"

    def _thaw_attempts(self, host: str) -> None:
        """Attempts first, so that they have results when their worker can tell of them."""
        for process in self._frozen[host]:
            if "java" not in command(process.pid) and "pyspark.daemon" not in command(process.pid):
                send(process, signal.SIGCONT)

    def _thaw(self, host: str, running: list[Execution], given_up: bool, driver: int) -> None:
        there = self._frozen.pop(host)
        left = sum(process.there for process in there)
        for process in there:
            send(process, signal.SIGCONT)
        if given_up and running:
            self._late.append((driver, self.executions.read()))
        self.story.tell(f"{host} goes on with {left} of {len(there)} processes")

    def _server(self, fault: Fault) -> str:
        self.server.stop(signal.SIGKILL)
        self._outage = threading.Thread(target=self._serve_again, args=(fault.lasts,))
        self._outage.start()
        return f"killed the tracking server, back in {fault.lasts:.1f} s and what it takes to start"

    def _serve_again(self, seconds: float) -> None:
        time.sleep(seconds)
        self.server.start()
        self.story.tell("the tracking server is back")
        self._outage = None

    def _driver(self, fault: Fault) -> str:
        pid = self.driver.process.pid
        self.driver.kill()
        (entry,) = sweeps(self.home)
        records = list(read(self.home, entry.sweep))
        accepted = {int(str(r.body["n"])) for r in records if r.kind == "accepted"}
        ids = [AttemptId.parse(str(r.body["a"])) for r in records if r.kind == "unit"]
        self.executions.read()
        self.death = Death(accepted, list(self.executions.begun), {(each.trial, each.unit) for each in ids})
        self.story.tell(f"killed the driver {pid}: {len(accepted)} outcomes are in the journal")
        if fault.pick < 0.5:
            self._wait_for_attempts()
        # A sweep is refused at its start while the tracking server is away.
        self._wait_for_server()
        self.driver.again()
        return f"the same command again: driver {self.driver.process.pid}"

    def _wait_for_attempts(self) -> None:
        """Nothing that the dead driver sent goes on, but for what is frozen."""
        frozen = [process for host in self._frozen.values() for process in host]
        pids = {execution.pid for execution in self.executions.begun}
        there = [process for pid in pids if "python" in command(pid) and (process := Known.of(pid)) not in frozen]
        wait_until(lambda: not any(process is not None and process.there for process in there), 15)

    def _wait_for_server(self) -> None:
        outage = self._outage
        if outage is not None:
            outage.join()
