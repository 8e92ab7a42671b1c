"""A sweep in a cell of Jupyter's kernel: a live display, an interrupt, a rich result."""

from __future__ import annotations

import os
import re
import signal
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode

from sparkml_track.engine.audit.load import load_sweep
from sparkml_track.engine.audit.sweep_list import overview
from sparkml_track.home import Home
from sparkml_track.trial import Counts

pytestmark = pytest.mark.slow

BEGIN = """
import time
from pathlib import Path

import sparkml_track as st


def objective(trial):
    while not Path("seen").exists():
        time.sleep(0.01)
    return trial.params["x"] ** 2
"""
SWEEP = """
result = st.sweep(
    objective, {"x": st.uniform(-3, 3)}, max_trials=6, parallelism=2, executor="processes", sampler="random", seed=1,
    name="squares", tracking=st.Tracking(uri="memory:"),
)
result
"""
AGAIN = SWEEP.replace("seed=1", "seed=1, resume='never'")
Seen = Callable[[str, str, "Client"], None]


class Client(NotebookClient):
    """Passes on what is shown while a cell runs."""

    seen: Seen

    def process_message(self, msg: dict[str, object], cell: NotebookNode, cell_index: int) -> NotebookNode | None:
        if msg["msg_type"] in ("display_data", "update_display_data"):
            data = msg["content"]["data"]  # type: ignore[index]
            self.seen(data["text/plain"], data.get("text/html", ""), self)
        return super().process_message(msg, cell, cell_index)  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Executed:
    """A notebook that was executed once: a sweep that is interrupted, one that is stopped, and one to its end."""

    cells: list[NotebookNode]
    shown: list[str]
    sweeps: list[Counts]


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Executed]:
    """In a kernel whose home and whose own settings are in a folder of this module."""
    folder = tmp_path_factory.mktemp("jupyter")
    shown: list[str] = []
    sent: list[str] = []

    def seen(text: str, html: str, client: Client) -> None:
        shown.append(text)
        button = re.search('href="(http://127[^"]*)"', html)
        if "2 running" not in text or button is None:  # it runs no more
            return
        address = button[1]
        if address in sent:
            return
        if not sent:
            # As Jupyter's server does: to all of the kernel's process group.
            os.killpg(os.getpgid(client.km.provisioner.pid), signal.SIGINT)
        elif len(sent) == 1:
            assert b"<button" in urllib.request.urlopen(address, timeout=30).read()
            assert b"is being stopped" in urllib.request.urlopen(address, b"", timeout=30).read()
        else:
            (folder / "seen").touch()
        sent.append(address)

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name in ("SPARKML_HOME", "IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR"):
            patch.setenv(name, str(folder / name.lower()))
        cells = [nbformat.v4.new_code_cell(cell) for cell in (BEGIN, SWEEP, AGAIN, AGAIN)]
        client = Client(nbformat.v4.new_notebook(cells=cells), timeout=240, kernel_name="python3", allow_errors=True)
        client.seen = seen
        cells = client.execute().cells
        home = Home.find().root
        yield Executed(cells, shown, [load_sweep(one.sweep).counts for one in overview(home)])


def test_a_cell_shows_progress_while_it_runs(executed: Executed) -> None:
    assert executed.shown[0] == "squares: starting"
    assert any("0 done, 2 running, 0 failed, 2 of 2 slots busy" in text for text in executed.shown)
    assert "6 done" in executed.shown[-1]
    progress = executed.cells[3].outputs[0].data["text/html"]
    assert "6 of 6 trials" in progress
    assert "interrupt" not in progress


def test_the_result_is_shown_richly(executed: Executed) -> None:
    html = executed.cells[3].outputs[1].data["text/html"]
    assert len(re.findall(r"<tr><td>\d</td><td>finished</td>", html)) == 6
    assert "<svg" in html
    assert "<script" not in html


@pytest.mark.parametrize("cell", [1, 2], ids=["interrupt", "button"])
def test_an_interrupted_cell_ends_the_sweep_in_good_order(cell: int, executed: Executed) -> None:
    outputs = executed.cells[cell].outputs
    assert [output.ename for output in outputs if output.output_type == "error"] == ["KeyboardInterrupt"]
    said = "".join(output.text for output in outputs if output.output_type == "stream")
    assert said.count("trials are being ended") == 1
    assert sorted(executed.sweeps, key=lambda counts: counts.finished) == [
        Counts(6, killed=2, not_started=4),
        Counts(6, killed=2, not_started=4),
        Counts(6, finished=6),
    ]
