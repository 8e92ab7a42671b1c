"""What can be known to fail before anything starts: files that are not there, functions that do not import."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from sparkml_track.config.alerts import load_alert
from sparkml_track.config.sections.jobs import TaskSettings
from sparkml_track.config.settings import Settings
from sparkml_track.errors import InvalidInput, SetupError
from sparkml_track.jobs.tasks.notebooks import notebook_problems
from sparkml_track.jobs.tasks.parameters import Value, filled, word
from sparkml_track.objective import resolve

__all__ = ["task_problems"]


def task_problems(settings: Settings, job: str, values: Mapping[str, Value], tasks: Sequence[str]) -> Iterator[str]:
    """What is wrong with the tasks of a job; of its steps, ``pipeline.preflight`` knows.

    Args:
        settings: of the config file.
        job: its name.
        values: all parameters of the run.
        tasks: that are looked at.
    """
    for name in tasks:
        task = settings.jobs[job].tasks[name]
        check = _CHECKS.get(task.kind)
        if check is None:
            continue
        at = settings.at(f"jobs.{job}.tasks.{name}.{task.kind}")
        try:
            problems = list(check(filled(task, values), settings))
        except InvalidInput as error:
            problems = list(error.problems)
        yield from (f"{at}: {problem}" for problem in problems)


def _folder(settings: Settings) -> Path:
    return settings.file.absolute().parent


def _missing(file: Path) -> Iterator[str]:
    if not file.is_file():
        yield f"there is no file {file}"


def _pipeline(task: TaskSettings, settings: Settings) -> Iterator[str]:
    from sparkml_track.pipelines import Pipeline

    files = [_folder(settings) / file for file in task.pipeline or ()]
    # What it reads may be made by the tasks before it.
    Pipeline(files[0].stem, files, settings.home).declared()
    return iter(())


def _sql(task: TaskSettings, settings: Settings) -> Iterator[str]:
    from sparkml_track.catalog.queries.saved import read_saved
    from sparkml_track.sql import check_parameters, open_engine

    file = _folder(settings) / str(task.sql)
    if file.suffix != ".sql":
        yield f"{file} must be a file that ends with .sql"
        return
    query = read_saved(file)
    values = query.values({name: word(value) for name, value in task.params.items()})
    if task.engine == "duckdb":
        try:
            parsed = open_engine().parse(query.text)
        except SetupError as error:
            yield str(error)
            return
        check_parameters(parsed.parameters, values)


def _alert(task: TaskSettings, settings: Settings) -> Iterator[str]:
    file = _folder(settings) / str(task.alert)
    if file.suffix != ".yaml":
        yield f"{file} must be a file that ends with .yaml"
        return
    load_alert(file.parent, file.stem)


def _notebook(task: TaskSettings, settings: Settings) -> Iterator[str]:
    return notebook_problems(_folder(settings) / str(task.notebook), task)


def _python(task: TaskSettings, settings: Settings) -> Iterator[str]:
    function = resolve(str(task.python), settings.code)
    try:
        inspect.signature(function).bind(**task.options)
    except TypeError as error:
        options = ", ".join(task.options) or "no options"
        yield f"{task.python} cannot be called with {options}: {error}"
    except ValueError:  # built in C, without a signature
        return


_CHECKS: dict[str, Callable[[TaskSettings, Settings], Iterator[str]]] = {
    "pipeline": _pipeline,
    "sql": _sql,
    "alert": _alert,
    "notebook": _notebook,
    "python": _python,
}
