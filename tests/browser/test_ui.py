"""What a person sees of a sweep: MLflow's UI and the report, in a real browser."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

import sparkml_track as st

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="NO BROWSER: install chromium to open MLflow's UI and the report"),
]

Open = Callable[[str], str]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("seen") / "home"


@pytest.fixture(scope="module")
def swept(home: Path) -> st.SweepResult:
    def objective(trial: Any) -> float:
        if trial.number == 3:
            raise ValueError("<b>bold</b> rows")
        return float(trial.params["x"] ** 2 / 100 + 1 / (trial.number + 1))

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARKML_HOME", str(home))
        space = {"x": st.uniform(-1, 1), "y": st.uniform(0, 1)}
        return st.sweep(objective, space, name="seen", max_trials=12, seed=5, executor="inline", progress=False)


@pytest.fixture(scope="module")
def address(home: Path, swept: st.SweepResult) -> Iterator[str]:
    """``sparkml-track ui``, as a person starts it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [str(Path(sys.executable).with_name("sparkml-track")), "ui", "--port", str(port)]
    with pytest.MonkeyPatch.context() as patch, (home / "ui.log").open("w") as log:
        patch.setenv("SPARKML_HOME", str(home))
        server = subprocess.Popen(command, stdout=log, stderr=log)
    deadline = time.monotonic() + 90
    while server.poll() is None and time.monotonic() < deadline:
        with suppress(OSError):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1).close()
            break
    else:
        pytest.fail((home / "ui.log").read_text())
    yield f"http://127.0.0.1:{port}"
    server.terminate()
    server.wait(20)


@pytest.fixture
def opened(tmp_path: Path) -> Open:
    """The page as it is after its scripts have run."""

    def open_page(url: str) -> str:
        command = [str(BROWSER), "--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}/user"]
        command += ["--virtual-time-budget=60000", "--window-size=1400,1200", "--dump-dom", url]
        return subprocess.run(command, capture_output=True, text=True, timeout=150, check=True).stdout

    return open_page


def texts(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


def test_the_parent_run_says_what_the_sweep_found_and_links_to_its_trials(
    address: str, swept: st.SweepResult, opened: Open
) -> None:
    page = opened(f"{address}/#/experiments/{swept.experiment_id}/runs/{swept.run_id}")
    seen = texts(page)
    assert "12 trials: 11 finished, 1 failed" in seen
    assert "&lt;b&gt;bold&lt;/b&gt; rows" in page, "what a trial raised is text"
    assert re.search(rf"trial {swept.best.number}\b", seen)
    assert "trial-11" in seen
    links = re.findall(rf'href="(#/experiments/{swept.experiment_id}/runs/[0-9a-f]+)"', page)
    best = f"trial-{swept.best.number}"
    assert best in texts(opened(f"{address}/{links[0]}")), "the first link of the description leads to the best trial"


def test_the_best_value_is_a_curve(address: str, swept: st.SweepResult, opened: Open) -> None:
    query = f'runs=["{swept.run_id}"]&metric="best_loss"&experiments=["{swept.experiment_id}"]'
    query += '&plot_metric_keys=["best_loss"]'
    page = opened(f"{address}/#/metric?{quote(query, safe='=&')}")
    (line, *_) = re.findall(r'class="js-line"[^>]* d="([^"]+)"', page)
    assert len(re.findall(r"[LHV]", line)) >= 2, line


def test_the_report_draws_its_plots(swept: st.SweepResult, opened: Open) -> None:
    page = opened(swept.report_path.as_uri())
    assert page.count("main-svg") >= 3
    assert "11 finished" in texts(page)


def test_the_report_draws_the_front_and_learning_curves(home: Path, opened: Open) -> None:
    def objective(trial: Any) -> dict[str, float]:
        x = float(trial.params["x"])
        for step in range(5):
            trial.report({"loss": x + 1 / (step + 1)}, step)
        return {"loss": x, "size": 1 - x}

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARKML_HOME", str(home))
        given: Any = {"max_trials": 6, "sampler": "random", "executor": "inline", "progress": False}
        path = st.sweep(objective, {"x": st.uniform(0, 1)}, name="two", metric=["loss", "size"], **given).report_path
    page = opened(path.as_uri())
    for name in ("pareto", "curves"):
        (plot,) = re.findall(rf'<div id="plot-{name}-[^>]*>(.*?)<script>', page, re.DOTALL)
        assert "main-svg" in plot
        assert re.search(r'<path class="(js-line|point)', plot), f"{name} has an axis and nothing in it"
