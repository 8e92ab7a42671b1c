"""What new notebooks begin with: each runs as a script, on a home with nothing in it and on a small one."""

from __future__ import annotations

import runpy
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

import sparkml_track as st
from sparkml_track.errors import InvalidInput
from sparkml_track.home import Home
from sparkml_track.notebooks import write_notebook
from sparkml_track.objective import Trial
from sparkml_track.tables import DeltaTables, TableExpectations

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

#: What each says of what is empty, and of how to fill it.
EMPTY = {
    "explore": ("There are no tables yet", "sparkml-track run", "There are no sweeps yet", "--new sweep"),
    "features": ("There are no feature tables yet", "sparkml-track features", "create_training_set"),
    "evaluate": ("There are no sweeps yet", "--new sweep", "There are no registered models yet", "register"),
}
#: What each shows of a small home.
SMALL = {
    "explore": ("air.weather", "squares-", "JFK"),
    "evaluate": ("squares-", "3 finished"),
}


def square(trial: Trial) -> float:
    return float(trial.params["x"]) ** 2


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SPARKML_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(sys, "argv", ["notebook.py"])
    return tmp_path / "home"


def shown(template: str, folder: Path) -> str:
    """All that a notebook shows when it is run as a script."""
    outputs, _ = runpy.run_path(str(write_notebook(template, folder / f"{template}.py")))["app"].run()
    return "\n".join(getattr(each, "text", None) or repr(each) for each in outputs if each is not None)


@pytest.mark.parametrize("template", EMPTY)
def test_an_empty_home_is_said_with_the_way_to_fill_it(template: str, tmp_path: Path, home: Path) -> None:
    text = shown(template, tmp_path)
    assert [words for words in EMPTY[template] if words not in text] == []
    assert not home.exists()  # to look makes nothing


@pytest.fixture
def weather(home: Path) -> None:
    """A feature table."""
    noon = datetime(2013, 1, 1, 12, tzinfo=UTC)
    rows = pa.table({"origin": ["JFK"], "known_at": [noon], "wind": [5.0]})
    expect = TableExpectations(keys=("origin",), timestamp="known_at")
    DeltaTables(Home.find().tables_root).write("air.weather", rows, expect=expect)


def test_a_small_home_is_shown(tmp_path: Path, weather: None) -> None:
    st.sweep(square, {"x": st.uniform(-3, 3)}, name="squares", max_trials=3, executor="inline", sampler="random", tracking=st.Tracking(uri="memory:"), progress=False)  # fmt: skip  # noqa: E501
    for template, said in SMALL.items():
        text = shown(template, tmp_path)
        assert (template, [words for words in said if words not in text]) == (template, [])


@pytest.mark.parametrize("template", ["features", "sweep"])
def test_a_notebook_that_trains_runs_no_cell_by_itself(template: str, tmp_path: Path) -> None:
    text = write_notebook(template, tmp_path / "own.py").read_text()
    assert text.startswith('# /// script\n# [tool.marimo.runtime]\n# on_cell_change = "lazy"\n# ///\n')


@pytest.mark.spark
def test_features_are_read_on_spark(spark: SparkSession, tmp_path: Path, weather: None) -> None:
    text = shown("features", tmp_path)
    assert [words for words in ("air.weather@v0", "origin", "known_at", "JFK") if words not in text] == []


@pytest.mark.slow
def test_the_sweep_runs_as_a_script_with_a_number_of_trials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["sweep.py", "--", "--trials=2"])
    assert "2 finished" in shown("sweep", tmp_path)


@pytest.mark.parametrize(
    ("template", "name", "problem"),
    [
        ("explor", "a.py", "there is no template 'explor'; did you mean 'explore'?"),
        ("explore", "a.ipynb", "its name must end with .py"),
        ("explore", "a-b.py", "one that Python can import"),
        ("explore", "there.py", "is there already"),
    ],
)
def test_what_cannot_be_written_is_refused(template: str, name: str, problem: str, tmp_path: Path) -> None:
    (tmp_path / "there.py").write_text("mine")
    with pytest.raises(InvalidInput, match=problem.replace("?", r"\?")):
        write_notebook(template, tmp_path / name)
    assert (tmp_path / "there.py").read_text() == "mine"
