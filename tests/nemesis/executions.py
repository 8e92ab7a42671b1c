"""What the objective wrote of its executions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["Execution", "Executions"]


@dataclass(frozen=True)
class Execution:
    """One attempt that began.

    Attributes:
        trial: its number.
        attempt: from 1.
        sent: names the driver that sent it.
        pid: of its process.
        unit: of the trial.
    """

    trial: int
    attempt: int
    sent: str
    pid: int
    unit: int = 0


class Executions:
    """Reads the file as it grows.

    Attributes:
        begun: in order.
        running: those that have not ended, or never will.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "executions"
        self._at = 0
        self.begun: list[Execution] = []
        self.running: set[Execution] = set()

    def read(self) -> int:
        """Takes what is new; returns how many have begun."""
        if self._path.exists():
            with self._path.open("rb") as file:
                file.seek(self._at)
                text = file.read()
            whole = text[: text.rfind(b"\n") + 1]
            self._at += len(whole)
            for line in whole.decode().splitlines():
                self._take(*line.split())
        return len(self.begun)

    def _take(self, what: str, trial: str, attempt: str, sent: str, pid: str, unit: str = "0") -> None:
        execution = Execution(int(trial), int(attempt), sent, int(pid), int(unit))
        if what == "begin":
            self.begun.append(execution)
            self.running.add(execution)
        else:
            self.running.discard(execution)
