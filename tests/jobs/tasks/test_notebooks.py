"""Notebooks as tasks: scripts, marimo's and Jupyter's, with values, each leaving an executed copy beside its log."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from sparkml_track.config.sections.jobs import TaskSettings
from sparkml_track.jobs.tasks import notebooks
from sparkml_track.jobs.tasks.notebooks import notebook_command, notebook_environment, notebook_problems

MARIMO = """
import marimo

app = marimo.App()


@app.cell
def _():
    import marimo as mo

    day = mo.cli_args().get("day")
    print("printed", day)
    mo.md(f"shown {day}")
    return (day,)


@app.cell
def _(day):
    assert day != "bad", "a bad day"
    return
"""


def task(**fields: object) -> TaskSettings:
    return TaskSettings.model_validate({"notebook": "n", **fields})


def jupyter(folder: Path, *cells: str) -> Path:
    file = folder / "note.ipynb"
    made = new_notebook(cells=[new_code_cell(cell) for cell in cells])
    made.cells[0].metadata["tags"] = ["parameters"]
    made.metadata["kernelspec"] = {"name": "somebody-elses", "display_name": "x", "language": "python"}
    nbformat.write(made, file)
    return file


def marimo(folder: Path) -> Path:
    file = folder / "note.py"
    file.write_text(MARIMO)
    return file


def environment(file: Path, asked: TaskSettings, log: Path) -> dict[str, str]:
    """Of this process, with what a notebook's needs, and a place for its libraries' own settings."""
    names = ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_STATE_HOME")
    own = {name: str(file.parent / name.lower()) for name in names}
    return {**os.environ, **own, **notebook_environment(file, asked, log)}


def ran(file: Path, asked: TaskSettings) -> tuple[int, str, Path]:
    """Runs a notebook as a job does: exit code, what is in the log, the log's place."""
    log = file.with_name("task.1.1.log")
    command, environ = notebook_command(file, asked, log), environment(file, asked, log)
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=240, cwd=file.parent)
    return done.returncode, done.stdout + done.stderr, log


def test_values_are_arguments_of_a_script(tmp_path: Path) -> None:
    file = tmp_path / "note.py"
    file.write_text("import marimo\n")  # it uses marimo and is none of its notebooks
    asked = task(arguments=("--fast",), params={"day": "2013-01-01", "on": True})
    command = notebook_command(file, asked, tmp_path / "task.log")
    assert command == [sys.executable, str(file), "--fast", "--day=2013-01-01", "--on=true"]


@pytest.mark.parametrize(
    ("name", "text", "fields", "problem"),
    [
        ("none.ipynb", None, {}, "none.ipynb cannot be read: No such file or directory"),
        ("a.ipynb", "{", {}, "a.ipynb is not a notebook of Jupyter: it must be JSON with cells"),
        ("a.ipynb", "[]", {}, "a.ipynb is not a notebook of Jupyter"),
        ("a.ipynb", '{"cells": []}', {"arguments": ("x",)}, "has no arguments; give it values by params"),
        ("a.ipynb", '{"cells": []}', {"params": {"a-b": 1}}, "params: 'a-b' is not a name of Python"),
        ("a.ipynb", '{"cells": []}', {"params": {"class": 1}}, "params: 'class' is not a name of Python"),
        ("a.py", "a b", {}, "a.py is not Python: invalid syntax (line 1)"),
    ],
)
def test_what_cannot_run_is_known_before(
    name: str, text: str | None, fields: dict[str, object], problem: str, tmp_path: Path
) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
    (found,) = notebook_problems(tmp_path / name, task(**fields))
    assert problem in found


def test_an_extra_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notebooks, "find_spec", lambda _: None)
    file = tmp_path / "a.ipynb"
    file.write_text('{"cells": []}')
    assert list(notebook_problems(marimo(tmp_path), task())) == [
        f"{tmp_path / 'note.py'} is a notebook of Marimo, which needs: pip install 'sparkml-track[dash]'"
    ]
    assert "pip install 'sparkml-track[notebook]'" in next(notebook_problems(file, task()))


@pytest.mark.slow
def test_jupyters_notebook_gets_values_and_leaves_a_copy_also_where_it_fails(tmp_path: Path) -> None:
    cells = "day, n = 'default', 1", "print('printed', day, n)", "day", "1 / 0", "print('never')"
    file = jupyter(tmp_path, *cells)
    code, log, place = ran(file, task(params={"day": "2013-01-01"}))
    assert code == 1
    assert "printed 2013-01-01 1" in log
    assert f"executed copy: {place.with_suffix('.ipynb')}" in log
    assert "error: a cell raised ZeroDivisionError: division by zero" in log
    assert "Traceback" not in log
    copy = nbformat.read(place.with_suffix(".ipynb"), as_version=4).cells
    assert [cell.source for cell in copy[:2]] == ["day, n = 'default', 1", "day = '2013-01-01'"]
    assert copy[3].outputs[0].data["text/plain"] == "'2013-01-01'"
    assert copy[4].outputs[0].ename == "ZeroDivisionError"
    assert copy[5].outputs == []
    assert json.loads(file.read_text())["cells"][1]["outputs"] == []  # the notebook itself stays as it was


@pytest.mark.slow
def test_a_task_that_is_ended_interrupts_its_cell_and_keeps_what_it_had(tmp_path: Path) -> None:
    file, log = jupyter(tmp_path, "print('begun', flush=True)\nwhile True: pass"), tmp_path / "task.1.1.log"
    command, environ = notebook_command(file, task(), log), environment(file, task(), log)
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        process.terminate()
        said = process.communicate(timeout=240)[1]
    assert process.returncode == 143
    # The kernel may log one of its own, where the interrupt comes between two of its turns.
    assert "sparkml_track/jobs" not in said
    outputs = nbformat.read(log.with_suffix(".ipynb"), as_version=4).cells[0].outputs
    assert [output.get("ename") or output.text for output in outputs] == ["begun\n", "KeyboardInterrupt"]


@pytest.mark.slow
def test_marimos_notebook_gets_values_and_leaves_a_page_also_where_it_fails(tmp_path: Path) -> None:
    code, log, place = ran(marimo(tmp_path), task(params={"day": "bad"}))
    assert code == 1
    assert "printed bad" in log
    assert "a bad day" in log
    assert "shown bad" in place.with_suffix(".html").read_text()


def test_a_copy_is_found_beside_its_log(tmp_path: Path) -> None:
    log = tmp_path / "task.1.1.log"
    assert notebooks.copy_of(log) is None
    log.with_suffix(".html").touch()
    assert notebooks.copy_of(log) == tmp_path / "task.1.1.html"
