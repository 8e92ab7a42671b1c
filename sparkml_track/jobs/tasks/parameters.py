"""Values of a run, and texts that name them: ``{date}`` in a task is the value of the parameter ``date``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TypeVar

from sparkml_track.adapters.cron import zone_of
from sparkml_track.config.jobs import BUILT_IN, PLACEHOLDER
from sparkml_track.config.messages import did_you_mean
from sparkml_track.config.sections.jobs import JobSettings, TaskSettings
from sparkml_track.errors import InvalidInput

__all__ = ["Value", "filled", "given_values", "run_values", "word"]

Value = str | int | float | bool
Anything = TypeVar("Anything")
# What is not filled in: names of tasks, rules, functions.
_FIXED = ("run", "python", "needs", "when", "engine")


def given_values(job: JobSettings, name: str, given: Mapping[str, str]) -> dict[str, Value]:
    """The parameters of a run: defaults of the file, and what was given as words, each of its default's type.

    Args:
        job: whose.
        name: the job's, for messages.
        given: words by name.

    Raises:
        InvalidInput: one is unknown, or of another type; all problems at once.
    """
    values, problems = dict[str, Value](job.parameters), list[str]()
    for key, text in given.items():
        if key in BUILT_IN:
            problems.append(f"parameter {key!r} is set by the run itself; --date says which date it is for")
        elif key not in values:
            known = ", ".join(values) or "none"
            problems.append(f"job {name!r} has no parameter {key!r}; it has: {known}{did_you_mean(key, list(values))}")
        else:
            try:
                values[key] = _typed(text, values[key])
            except ValueError as error:
                problems.append(f"parameter {key!r} must be {error}, like its default {values[key]!r}, not {text!r}")
    if problems:
        raise InvalidInput(*problems)
    return values


def run_values(job: JobSettings, given: Mapping[str, Value], moment: datetime, run: str) -> dict[str, Value]:
    """All that texts of a run may name.

    Args:
        job: whose time zone the date is of.
        given: of ``given_values``.
        moment: that the run is for.
        run: its id.
    """
    local = moment.astimezone(zone_of(job.timezone))
    return {**given, "date": f"{local:%Y-%m-%d}", "time": local.isoformat(), "run": run}


def filled(task: TaskSettings, values: Mapping[str, Value]) -> TaskSettings:
    """The task with values in the place of their names. A text that is a name and nothing else becomes the value."""
    fields = {name: getattr(task, name) for name in task.model_fields_set if name not in _FIXED}
    return task.model_copy(update={name: _filled(value, values) for name, value in fields.items()})


def _filled(value: Anything, values: Mapping[str, Value]) -> Anything:
    if isinstance(value, str):
        return _text(value, values)  # type: ignore[return-value]
    if isinstance(value, dict):
        return {key: _filled(each, values) for key, each in value.items()}  # type: ignore[return-value]
    if isinstance(value, list | tuple):
        made = [_filled(each, values) for each in value]
        # Arguments are words, whatever the parameter is.
        return tuple(map(word, made)) if isinstance(value, tuple) else made  # type: ignore[return-value]
    return value


def _text(text: str, values: Mapping[str, Value]) -> Value:
    whole = PLACEHOLDER.fullmatch(text)
    if whole and whole[1] is not None:
        return values[whole[1]]
    return PLACEHOLDER.sub(lambda found: found[0][0] if found[1] is None else word(values[found[1]]), text)


def word(value: object) -> str:
    """A value as a word of a command line."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _typed(text: str, default: Value) -> Value:
    if isinstance(default, bool):
        if text.lower() not in ("true", "false"):
            raise ValueError("true or false")
        return text.lower() == "true"
    if isinstance(default, int | float):
        kind, name = (int, "a whole number") if isinstance(default, int) else (float, "a number")
        try:
            return kind(text)
        except ValueError:
            raise ValueError(name) from None
    return text
