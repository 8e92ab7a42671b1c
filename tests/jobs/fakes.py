"""Tasks that do nothing, on a clock that goes when it is asked to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sparkml_track.config.settings import Settings, load
from sparkml_track.jobs.processes.launcher import Launch

HEAD = "name: mine\nhome: state\nsweep: {objective: m:f, max_trials: 1, space: {x: {uniform: [0, 1]}}}\n"


def settings_of(folder: Path, jobs: str) -> Settings:
    """A config file with the section of jobs that is given."""
    file = folder / "conf.yaml"
    file.write_text(f"{HEAD}jobs:\n{jobs}")
    return load(file)


class FakeClock:
    """Begins in the night of 2026-11-30."""

    def __init__(self) -> None:
        self.at = 0.0

    def now(self) -> datetime:
        return datetime(2026, 11, 30, tzinfo=UTC) + timedelta(seconds=self.at)

    def seconds(self) -> float:
        return self.at


class FakeLauncher:
    """Tasks that take the seconds and end with the codes that are given; one second and 0 by default.

    Attributes:
        launched: names, in the order of their beginnings.
        ended: those that were asked to end, which they do after a second.
        most: that ran at one time.
    """

    def __init__(
        self,
        clock: FakeClock,
        codes: Mapping[str, Sequence[int]] | None = None,
        seconds: Mapping[str, float] | None = None,
        meanwhile: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._clock = clock
        self._codes = {name: list(each) for name, each in (codes or {}).items()}
        self._seconds = dict(seconds or {})
        self._meanwhile = meanwhile
        self._running: dict[str, float] = {}
        self.launched: list[str] = []
        self.launches: dict[str, Launch] = {}
        self.ended: list[str] = []
        self.killed: list[str] = []
        self.most = 0

    def start(self, name: str, launch: Launch) -> None:
        self.launched.append(name)
        self.launches[name] = launch
        self._running[name] = self._clock.at + self._seconds.get(name, 1.0)
        self.most = max(self.most, len(self._running))

    def end(self, name: str) -> None:
        self.ended.append(name)
        self._codes.setdefault(name, []).insert(0, -15)
        self._running[name] = self._clock.at + 1.0

    def kill(self, name: str) -> None:
        self.killed.append(name)
        self._running[name] = self._clock.at

    def wait(self, seconds: float | None) -> dict[str, int]:
        for name in self._running:
            self._meanwhile(name)
        soonest = min(self._running.values(), default=float("inf"))
        until = min(soonest, float("inf") if seconds is None else self._clock.at + seconds)
        assert until < float("inf"), "nothing would ever happen"
        self._clock.at = max(until, self._clock.at)
        over = [name for name, at in self._running.items() if at <= self._clock.at]
        for name in over:
            del self._running[name]
        return {name: (self._codes.get(name) or [0]).pop(0) for name in over}
