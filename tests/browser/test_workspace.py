"""One walk through the workspace in a real browser: from what runs now to a chart of a query, without another host.

With ``SPARKML_PICTURES`` set to a folder, each page is kept there as a picture: light, dark, and on a telephone.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.dummy import DummyClassifier

import sparkml_track as st
from sparkml_track import schema
from sparkml_track.dashboards import SHIPPED
from sparkml_track.home import Home
from sparkml_track.journals import sweeps
from sparkml_track.registries import MlflowRegistry, Package, Run
from sparkml_track.server.browser import Chromium, find_browser
from sparkml_track.tables import DeltaTables
from sparkml_track.testing.servers import free_port

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_browser() is None, reason="NO BROWSER: install chromium to walk through the workspace"),
]

#: Pages that have a figure in this home.
DRAWN = {"sweep", "compare"}
#: A sweep that runs for as long as somebody looks at it.
RUNS = """
import time, sys
from pathlib import Path
import sparkml_track as st

GO = sys.argv[1]

def objective(trial):
    print("rows were read", trial.number)
    while trial.number >= 6 and not Path(GO).exists():
        time.sleep(0.05)
    return trial.params["x"] ** 2

st.sweep(objective, {"x": st.uniform(-1, 1)}, name="running", max_trials=8, sampler="random", executor="processes",
         parallelism=2, progress=False)
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A table, a sweep over it, a model of its best trial; and a sweep that runs."""
    folder = tmp_path_factory.mktemp("walked")
    home = Home(folder / "home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARKML_HOME", str(home.root))
        patch.setenv("SPARKML_LAKE", "")
        tables = DeltaTables(home.tables_root)
        rows = {"carrier": ["AA", "UA", "DL"] * 40, "late": [number % 7 / 7 for number in range(120)]}
        tables.write("flights", pa.table(rows))

        def objective(trial: Any) -> float:
            print("the trial", trial.number, "<b>was here</b>")
            return float(trial.params["x"] ** 2)

        given: dict[str, Any] = {"executor": "processes", "parallelism": 2, "sampler": "random", "progress": False}
        space, data = {"x": st.uniform(-1, 1)}, {"train": tables.pin("flights")}
        found = st.sweep(objective, space, name="found", max_trials=10, seed=2, data=data, **given)
        registry = MlflowRegistry(home.tracking_uri, str(home.artifacts))
        package = Package(DummyClassifier().fit(np.eye(1), [0]), pd.DataFrame({"x": [1.0]}))
        tags = {schema.TAG_SWEEP: found.sweep, schema.TAG_SWEEP_RUN: found.run_id}
        registry.register("delay", package, Run("model", "delay", "found", params=found.best_params, tags=tags))
        registry.set_alias("delay", "champion", 1)
        with Running(folder / "go"):
            yield home


class Running:
    """The sweep that runs, until the block ends."""

    def __init__(self, go: Path) -> None:
        self.go = go

    def __enter__(self) -> None:
        script = self.go.with_name("runs.py")
        script.write_text(RUNS)
        with self.go.with_name("runs.log").open("w") as log:
            self.process = subprocess.Popen([sys.executable, str(script), str(self.go)], stdout=log, stderr=log)

    def __exit__(self, *_: object) -> None:
        self.go.touch()
        self.process.wait(120)


@pytest.fixture(scope="module")
def address(home: Home) -> Iterator[str]:
    """``sparkml-track ui``, as a person starts it."""
    port = free_port()
    command = [str(Path(sys.executable).with_name("sparkml-track")), "ui", "--port", str(port)]
    with (home.root / "ui.log").open("w") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, cwd=home.root)
    deadline = time.monotonic() + 120
    while server.poll() is None and time.monotonic() < deadline:
        with suppress(OSError):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1).close()
            break
        time.sleep(0.1)
    else:
        pytest.fail((home.root / "ui.log").read_text())
    yield f"http://127.0.0.1:{port}"
    server.terminate()
    server.wait(60)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    with Chromium(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


def seen(browser: Chromium, *words: str) -> None:
    """Waits until a person reads all of these words."""
    for word in words:
        browser.wait(f"{browser.reads}.includes({json.dumps(word)})")


def test_from_what_runs_to_a_chart_without_another_host(address: str, home: Home, browser: Chromium) -> None:
    (runs,) = [entry.sweep for entry in sweeps(home.root) if entry.sweep.startswith("running-")]
    (found,) = [entry.sweep for entry in sweeps(home.root) if entry.sweep.startswith("found-")]

    browser.size(1280)
    browser.open(f"{address}/lake/")
    seen(browser, "What runs now", runs, "running", "Nothing is monitored yet", "No job ran")
    browser.click(runs)
    seen(browser, "One sweep", "running", "Trials")

    browser.open(f"{address}/lake/sweep/?sweep={found}&trial=4")
    seen(browser, "10 finished", "Trial 4", "the trial 4 <b>was here</b>")
    best = st.load_sweep(found, home=home.root).best.number
    browser.open(f"{address}/lake/sweep/?sweep={found}&trial={best}")
    seen(browser, f"Trial {best}")
    browser.click("delay 1")
    seen(browser, "champion", "delay")
    browser.click("lineage")
    seen(browser, "Lineage of delay@1", "flights@0", found)
    browser.click("flights@0")
    seen(browser, "One SELECT", "Nothing was asked yet")
    browser.click("Run", "button")
    seen(browser, "carrier", "UA", "Drawn as")
    browser.wait_for(".main-svg .bars path")

    browser.open(f"{address}/#/experiments")
    browser.wait("document.title.includes('MLflow')")
    assert browser.elsewhere() == set()


@pytest.mark.parametrize("page", SHIPPED, ids=lambda page: page.name)
def test_a_page_fits_wide_and_narrow_windows(page: Any, address: str, home: Home, browser: Chromium) -> None:
    (found,) = [entry.sweep for entry in sweeps(home.root) if entry.sweep.startswith("found-")]
    query = {"sweep": f"?sweep={found}", "compare": f"?sweeps={found}", "lineage": "?model=delay"}.get(page.name, "")
    browser.open(f"{address}/lake/{page.name}/{query}", "document.querySelector('.sk-head')")
    browser.wait("document.querySelector('[data-testid=loading-indicator]') === null")
    if page.name in DRAWN:
        browser.wait_for(".main-svg")
    for width, dark in ((1280, False), (1280, True), (390, False)):
        browser.size(width, dark=dark)
        browser.wait(f"window.innerWidth === {width}")
        wide = browser.run("document.documentElement.scrollWidth")
        keep(browser, f"{page.name}-{width}{'-dark' if dark else ''}.png")
        assert wide <= width, "the page is wider than its window"
    assert "cannot be shown" not in browser.text()
    assert browser.elsewhere() == set()
    assert [error for error in browser.errors if "favicon" not in error] == []


def keep(browser: Chromium, name: str) -> None:
    if folder := os.environ.get("SPARKML_PICTURES"):
        browser.picture(Path(folder) / name)
