"""The command line and the environment of a task: what a person would type, with the home and the config file given."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from sparkml_track.config.sections.jobs import TaskSettings
from sparkml_track.config.settings import Settings
from sparkml_track.jobs.tasks.call import CALL
from sparkml_track.jobs.tasks.notebooks import notebook_command, notebook_environment
from sparkml_track.jobs.tasks.parameters import Value, word

__all__ = ["command", "environment"]


def command(task: TaskSettings, settings: Settings, log: Path) -> list[str]:
    """The command of a task.

    Args:
        task: with its values filled in.
        settings: of the file that it is in.
        log: of this try; an executed copy of a notebook goes beside it.
    """
    config, folder = settings.file.absolute(), settings.file.absolute().parent
    if task.notebook is not None:
        return notebook_command(folder / task.notebook, task, log)
    if task.python is not None:
        return [sys.executable, "-P", "-m", "sparkml_track.jobs.tasks.call"]
    # -P: the folder that one happens to be in is not where modules come from.
    return [sys.executable, "-P", "-m", "sparkml_track.cli", *_words(task, folder), "--config", str(config)]


def _words(task: TaskSettings, folder: Path) -> list[str]:
    if task.run is not None:
        return [task.run]
    if task.pipeline is not None:
        return ["pipeline", "run", *(str(folder / file) for file in task.pipeline), *task.arguments]
    if task.alert is not None:
        alert = folder / task.alert
        return ["alert", "run", alert.stem, "--folder", str(alert.parent)]
    params = [each for name, value in task.params.items() for each in ("-p", f"{name}={word(value)}")]
    save = [] if task.save is None else ["--save", task.save]
    return ["sql", str(folder / str(task.sql)), *params, *save, "--engine", task.engine]


def environment(
    task: TaskSettings,
    settings: Settings,
    values: Mapping[str, Value],
    log: Path,
    environ: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """The environment of a task: that of the run, the home, and the run's values.

    Args:
        task: with its values filled in.
        settings: of the file that it is in.
        values: all parameters.
        log: of this try.
        environ: that of this process by default.
    """
    made = dict(os.environ if environ is None else environ)
    made |= {
        "SPARKML_HOME": str(settings.home.root),
        "SPARKML_JOB_RUN": str(values["run"]),
        "SPARKML_JOB_PARAMETERS": json.dumps(dict(values)),
        # What is printed is in the log at once.
        "PYTHONUNBUFFERED": "1",
    }
    if task.python is not None:
        made[CALL] = json.dumps({"function": task.python, "options": task.options, "code": settings.code})
    if task.notebook is not None:
        path = [*settings.code, *filter(None, [made.get("PYTHONPATH")])]
        made["PYTHONPATH"] = os.pathsep.join(path)
        made |= notebook_environment(settings.file.absolute().parent / task.notebook, task, log)
    return made
