"""Drivers for fault tests: sweeps in forks of a process that has imported everything, so that each starts at once.

A driver can end itself by SIGKILL at a named moment, as a machine that loses its power would. Its objective writes a
line for each execution to a file for each trial.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import traceback
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
MARK = "SPARKML_FAULT_DRIVER"


def run(request: dict[str, Any]) -> dict[str, Any]:
    """One sweep, in this process."""
    from sparkml_track.api.provenance import environment_tags
    from sparkml_track.engine.run import run_sweep
    from sparkml_track.engine.spec.arguments import SweepArguments
    from sparkml_track.engine.spec.check import check
    from sparkml_track.engine.surroundings import Surroundings

    around = Surroundings(
        home=Path(request["home"]),
        tags=environment_tags(),
        reached=_moment(request),
        longest_wait=request.get("longest_wait", 20.0),
    )
    spec = check(SweepArguments(**{**DEFAULTS, **_arguments(request)}))
    result = run_sweep(spec, around)
    best = result.summary.best
    return {
        "sweep": result.sweep,
        "run": result.run_id,
        "digest": result.summary.digest,
        "counts": asdict(result.counts),
        "best": best.number if best else None,
    }


def _arguments(request: dict[str, Any]) -> dict[str, Any]:
    import sparkml_track as st

    given = dict(request.get("arguments", {}))
    given["tracking"] = st.Tracking(**given.get("tracking", {}))
    given["failures"] = st.Failures(**given.get("failures", {}))
    given["space"] = {"x": st.uniform(*given.pop("bounds", (-3.0, 3.0))), "kind": st.choice("a", "b")}
    if given.get("sampler") == "grid":
        given["space"] = {"x": st.quniform(0.0, 19.0, 1.0)}
    given["objective"] = counting(request["executions"], given.pop("seconds", 0.03), given.pop("power", 2))
    return given


def counting(folder: str, seconds: float, power: int) -> Any:
    """An objective that says in a file that it ran. Pickled by value."""

    def objective(trial: Any) -> float:
        import time
        from pathlib import Path

        with Path(folder, str(trial.number)).open("a") as file:
            file.write(f"{trial.attempt} {trial.params['x']!r}\n")
        time.sleep(seconds)
        if trial.params.get("kind") == "b" and int(trial.params["x"] * 100) % 7 == 0:
            raise ValueError("an unlucky point")
        return float((trial.params["x"] - 1.0) ** power)

    return objective


DEFAULTS: dict[str, Any] = {
    "name": "faults",
    "sampler": "random",
    "max_trials": 20,
    "parallelism": 2,
    "seed": 7,
    "executor": "processes",
}


class _Crash:
    """Sends this process a signal the ``count``-th time a moment comes."""

    def __init__(self, moment: str, count: int, number: int = signal.SIGKILL, times: int = 1) -> None:
        self._moment, self._left = moment, count
        self._number, self._times = number, times

    def __call__(self, moment: str) -> None:
        if moment == self._moment:
            self._left -= 1
            if not self._left:
                for _ in range(self._times):
                    os.kill(os.getpid(), self._number)


def _moment(request: dict[str, Any]) -> Any:
    if request.get("crash"):
        return _Crash(*request["crash"])
    return lambda _: None


def serve() -> None:
    """Forks a driver for each line of JSON on stdin; answers with its process id."""
    import mlflow  # noqa: F401

    import sparkml_track.engine.run
    import sparkml_track.samplers._hyperopt
    import sparkml_track.samplers._optuna
    import sparkml_track.trackers._mlflow.opening  # noqa: F401

    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for line in sys.stdin:
        request = json.loads(line)
        pid = os.fork()
        if not pid:
            _drive(request)
        _, status = os.waitpid(pid, 0)
        print(json.dumps(os.waitstatus_to_exitcode(status)), flush=True)


def _drive(request: dict[str, Any]) -> None:
    status = 1
    try:
        os.environ[MARK] = request["mark"]
        os.environ.update(request.get("environment", {}))
        log = os.open(Path(request["home"]).with_suffix(".log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, 1)
        os.dup2(log, 2)
        answer: dict[str, Any] = {}
        try:
            answer = run(request)
            status = 0
        except BaseException as error:
            traceback.print_exc()
            answer = {"error": type(error).__name__, "message": str(error)}
        Path(request["answer"]).write_text(json.dumps(answer))
    finally:
        os._exit(status)


@dataclass
class Drivers:
    """Starts drivers on one home."""

    process: subprocess.Popen[str]
    home: Path
    executions: Path
    number: int = field(default=0)

    def drive(self, crash: tuple[Any, ...] | None = None, **request: Any) -> dict[str, Any]:
        """Runs one driver to its end.

        Returns:
            What it said, and ``status``: -9 if it was killed.
        """
        self.number += 1
        answer = self.home.with_suffix(f".{self.number}.json")
        message = {"home": str(self.home), "executions": str(self.executions), "answer": str(answer)}
        message |= {"crash": crash, "mark": self.mark, **request}
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(message) + "\n")
        self.process.stdin.flush()
        status = json.loads(self.process.stdout.readline())
        told = json.loads(answer.read_text()) if answer.exists() else {}
        return {**told, "status": status}

    @property
    def mark(self) -> str:
        return str(self.home)

    def executed(self) -> Counter[int]:
        """How often each trial was executed."""
        return Counter({int(path.name): len(path.read_text().splitlines()) for path in self.executions.iterdir()})

    def sweeps(self) -> list[str]:
        return sorted(path.name for path in (self.home / "journal").iterdir() if path.is_dir())

    def left_after(self, seconds: float) -> list[str]:
        """Processes of killed drivers that live after so many seconds, at most."""
        deadline = time.monotonic() + seconds
        while left := self._left():
            if time.monotonic() > deadline:
                return left
            time.sleep(0.05)
        return []

    def _left(self) -> list[str]:
        wanted = f"{MARK}={self.mark}".encode()
        found = []
        for path in Path("/proc").glob("[0-9]*"):
            try:
                if wanted in (path / "environ").read_bytes().split(b"\0"):
                    found.append((path / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
            except OSError:
                continue
        return found


def start() -> subprocess.Popen[str]:
    """The process that forks drivers."""
    code = "from tests.faults.driver import serve; serve()"
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdin=pipe, stdout=pipe, text=True)
