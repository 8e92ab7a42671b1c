"""A sweep in a cell of marimo's editor: a live display, an interrupt, a rich result."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from sparkml_track.engine.audit.load import load_sweep
from sparkml_track.engine.audit.sweep_list import overview
from sparkml_track.home import Home
from sparkml_track.trial import Counts
from tests.notebooks.marimo_server import Page, opened

pytestmark = pytest.mark.slow

NOTEBOOK = """
import marimo

app = marimo.App()


@app.cell
def _():
    import time
    from pathlib import Path

    import sparkml_track as st

    def objective(trial):
        while not Path("seen").exists():
            time.sleep(0.01)
        return trial.params["x"] ** 2

    return objective, st


@app.cell
def _(objective, st):
    result = st.sweep(
        objective, {"x": st.uniform(-3, 3)}, max_trials=6, parallelism=2, executor="processes", sampler="random",
        seed=1, name="squares", tracking=st.Tracking(uri="memory:"), resume="never",
    )
    result
    return
"""


@dataclass
class Seen:
    """What the second cell showed."""

    outputs: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    cell: str = ""
    code: str = ""


@dataclass(frozen=True)
class Run:
    """A notebook whose sweep was interrupted, and then run again to its end."""

    interrupted: Seen
    whole: Seen
    sweeps: list[Counts]


def watched(page: Page, folder: Path, interrupt: bool) -> Seen:
    seen, sent = Seen(), False
    for op, data in page.messages():
        if op == "kernel-ready":
            seen.cell, seen.code = data["cell_ids"][1], data["codes"][1]  # type: ignore[index]
            page.run()
        output = data.get("output") if op == "cell-op" else None
        if not isinstance(output, dict):
            continue
        text = json.dumps(output.get("data"))
        (seen.errors if "error" in str(output.get("mimetype")) else seen.outputs).append(text)
        if "2 running" in text and not interrupt:
            (folder / "seen").touch()
        elif "2 running" in text and not sent:
            sent = True
            page.post("interrupt")
    return seen


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    folder = tmp_path_factory.mktemp("marimo")
    (folder / "sweep.py").write_text(NOTEBOOK)
    with pytest.MonkeyPatch.context() as patch:
        for name in ("SPARKML_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"):
            patch.setenv(name, str(folder / name.lower()))
        with opened(folder / "sweep.py") as page:
            interrupted = watched(page, folder, interrupt=True)
            page.post("run", cellIds=[interrupted.cell], codes=[interrupted.code])
            whole = watched(page, folder, interrupt=False)
        home = Home.find().root
        yield Run(interrupted, whole, [load_sweep(one.sweep).counts for one in overview(home)])


def test_a_cell_shows_progress_while_it_runs(run: Run) -> None:
    assert any(">Stop</a>or interrupt the cell" in text for text in run.whole.outputs)
    assert any("2 running" in text for text in run.whole.outputs)
    assert any("6 of 6 trials" in text for text in run.whole.outputs)


def test_the_result_is_shown_richly(run: Run) -> None:
    html = run.whole.outputs[-1]
    assert len(re.findall(r"<tr><td>\d</td><td>finished</td>", html)) == 6
    assert "<svg" in html
    assert run.whole.errors == []


def test_an_interrupted_cell_ends_the_sweep_in_good_order(run: Run) -> None:
    assert '[{"type": "interruption"}]' in run.interrupted.errors
    counts = sorted(run.sweeps, key=lambda each: each.finished)
    assert counts == [Counts(6, killed=2, not_started=4), Counts(6, finished=6)]
