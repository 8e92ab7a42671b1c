"""Progress on a terminal of any width, also on one that goes away."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from sparkml_track.api.progress.terminal import TerminalDisplay
from sparkml_track.engine.loop.progress import Progress, RunningNow
from tests.api.progress.looks import look

RUNNING = RunningNow(11, {"x": 0.25, "model.kind": "forest"}, 12.0, 0.5, 3)
LOOK = look(
    finished=10, pruned=3, failed=1, running=2, best=0.125, best_number=7, best_params={"x": 0.5, "model.kind": "tree"},
    elapsed=7.0, remaining=13.0, slots=4, busy=2, trials=(RUNNING,), note="tracking is away",
)  # fmt: skip


def drawn(progress: Progress, width: int, height: int = 40, **console: object) -> list[str]:
    """The lines of one drawing, without what only moves the cursor."""
    stream = io.StringIO()
    shown = TerminalDisplay("forests", Console(file=stream, force_terminal=True, width=width, height=height, **console))  # type: ignore[arg-type]
    shown.start()
    begun = len(stream.getvalue())
    shown(progress)
    text = stream.getvalue()[begun:]
    return [re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", line).rstrip() for line in text.lstrip("\r").splitlines()]


def test_it_shows_what_is_done_what_runs_the_best_and_the_time_left() -> None:
    lines = drawn(LOOK, 120)
    assert lines[0].startswith("forests ━")
    assert lines[0].endswith("14/40 35 %, 7.0 s, 2.0 trials/s, 13.0 s left")
    assert lines[1] == "10 finished · 2 running · 3 pruned · 1 failed · 2 of 4 slots busy"
    assert lines[2:4] == ["best 0.125 (trial 7): x=0.5, model.kind=tree", "tracking is away"]
    assert " ".join(lines[5].split()) == "11 12.0 s 0.5 at step 3 x=0.25, model.kind=forest"


@pytest.mark.parametrize("width", [20, 40, 69, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    long = look(finished=1, best=1.0, best_number=0, best_params={f"name{n}": "value" * 9 for n in range(30)})
    for each in (LOOK, long):
        lines = drawn(each, width)
        assert max(map(len, lines)) <= width
        assert len(lines) <= 7


def test_a_low_terminal_names_no_trials() -> None:
    assert "running  for" not in " ".join(drawn(LOOK, 120, height=10))


def test_without_a_number_of_trials_there_is_no_bar() -> None:
    assert drawn(look(finished=4, planned=None, elapsed=8.0), 120)[0] == "forests 4 done, 8.0 s, 30.0 trials/min"


def test_no_color_is_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    stream = io.StringIO()
    TerminalDisplay("s", Console(file=stream, force_terminal=True, width=80))(LOOK)
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]", stream.getvalue())


class Gone(io.StringIO):
    """A terminal that goes away after so many writes."""

    left = 2

    def __init__(self, error: type[OSError]) -> None:
        super().__init__()
        self._error = error

    def write(self, text: str) -> int:
        self.left -= 1
        if self.left < 0:
            raise self._error
        return super().write(text)


@pytest.mark.parametrize("error", [OSError, BrokenPipeError])
def test_a_terminal_that_goes_away_costs_the_display_alone(
    error: type[OSError], monkeypatch: pytest.MonkeyPatch
) -> None:
    # rich puts the null device in the place of this process's own stdout.
    monkeypatch.setattr("rich.console.os.dup2", lambda *_: None)
    stream = Gone(error)
    shown = TerminalDisplay("forests", Console(file=stream, force_terminal=True, width=80))
    shown.start()
    for _ in range(5):
        shown(LOOK)
    shown.stop()
    assert stream.left < 0
