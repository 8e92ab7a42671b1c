"""Notebooks as tasks: what runs each form of them, and where the executed copy goes."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from enum import Enum
from importlib.util import find_spec
from keyword import iskeyword
from pathlib import Path

from sparkml_track.config.sections.jobs import TaskSettings
from sparkml_track.jobs.tasks.jupyter import NOTEBOOK
from sparkml_track.jobs.tasks.parameters import word

__all__ = ["Form", "copy_of", "form_of", "notebook_command", "notebook_environment", "notebook_problems"]

_MARIMO = re.compile(rb"^\w+ *= *marimo\.App\(", re.MULTILINE)


class Form(Enum):
    """What a file is."""

    SCRIPT = "script"
    MARIMO = "marimo"
    JUPYTER = "jupyter"


#: What a form needs, by the module that is looked for, and the extra that has it.
_NEEDS = {Form.MARIMO: ("marimo", "dash"), Form.JUPYTER: ("nbclient", "notebook")}
#: How the executed copy of a form ends.
_COPIES = {Form.MARIMO: ".html", Form.JUPYTER: ".ipynb"}


def form_of(file: Path) -> Form:
    """By its name, and by what it says.

    Raises:
        OSError: it cannot be read.
    """
    if file.suffix == ".ipynb":
        return Form.JUPYTER
    return Form.MARIMO if _MARIMO.search(file.read_bytes()) else Form.SCRIPT


def copy_of(log: Path) -> Path | None:
    """The executed copy that a try left beside its log, if it did."""
    return next(filter(Path.is_file, (log.with_suffix(suffix) for suffix in _COPIES.values())), None)


def notebook_command(file: Path, task: TaskSettings, log: Path) -> list[str]:
    """The command.

    Args:
        file: of the notebook.
        task: with its values filled in.
        log: of this try; the executed copy goes beside it.
    """
    arguments = [*task.arguments, *(f"--{name}={word(value)}" for name, value in task.params.items())]
    form = form_of(file) if file.is_file() else Form.SCRIPT
    if form is Form.MARIMO:
        into = ["-o", str(log.with_suffix(_COPIES[form])), "--force", "--no-sandbox"]
        return [sys.executable, "-m", "marimo", "export", "html", str(file), *into, "--", *arguments]
    if form is Form.JUPYTER:
        return [sys.executable, "-P", "-m", "sparkml_track.jobs.tasks.jupyter"]
    return [sys.executable, str(file), *arguments]


def notebook_environment(file: Path, task: TaskSettings, log: Path) -> Mapping[str, str]:
    """What its process needs beside the environment of every task."""
    if file.suffix != ".ipynb":
        return {}
    copy = str(log.with_suffix(_COPIES[Form.JUPYTER]))
    return {NOTEBOOK: json.dumps({"file": str(file), "copy": copy, "params": task.params})}


def notebook_problems(file: Path, task: TaskSettings) -> Iterator[str]:
    """What can be known to fail."""
    try:
        form = form_of(file)
        yield from _unreadable(file, form)
    except (OSError, ValueError) as error:
        yield f"{file} cannot be read: {getattr(error, 'strerror', None) or error}"
        return
    module, extra = _NEEDS.get(form, ("", ""))
    if module and find_spec(module) is None:
        yield f"{file} is a notebook of {form.name.capitalize()}, which needs: pip install 'sparkml-track[{extra}]'"
    if form is Form.JUPYTER:
        if task.arguments:
            yield f"{file} is a notebook of Jupyter, which has no arguments; give it values by params"
        yield from (
            f"params: {name!r} is not a name of Python"
            for name in task.params
            if not name.isidentifier() or iskeyword(name)
        )


def _unreadable(file: Path, form: Form) -> Iterator[str]:
    if form is not Form.JUPYTER:
        try:
            compile(file.read_bytes(), str(file), "exec")
        except SyntaxError as error:
            yield f"{file} is not Python: {error.msg} (line {error.lineno})"
        return
    try:
        cells = json.loads(file.read_bytes()).get("cells")
    except (json.JSONDecodeError, AttributeError):
        cells = None
    if not isinstance(cells, list):
        yield f"{file} is not a notebook of Jupyter: it must be JSON with cells, as Jupyter saves it in format 4"
