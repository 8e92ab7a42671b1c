"""The section of jobs: tasks that wait for each other, and what starts them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from sparkml_track.adapters.cron import schedule_problem, zone_of
from sparkml_track.config.sections.fields import Function, Options, Positive, Seconds, Section, Text, Whole, Word

__all__ = ["KINDS", "WHENS", "JobSettings", "TaskSettings", "TriggerSettings"]

#: What a task may be.
KINDS = ("run", "pipeline", "sql", "alert", "notebook", "python")
When = Literal["all_success", "at_least_one", "none_failed", "all_done", "at_least_one_failed", "all_failed"]
WHENS: tuple[When, ...] = (
    "all_success",
    "at_least_one",
    "none_failed",
    "all_done",
    "at_least_one_failed",
    "all_failed",
)
#: Keys that some kinds of tasks alone have.
_OF_KINDS = {
    "options": ("python",),
    "params": ("sql", "notebook"),
    "save": ("sql",),
    "engine": ("sql",),
    "arguments": ("notebook", "pipeline"),
}


def _schedule(expression: str) -> str:
    if problem := schedule_problem(expression):
        raise ValueError(problem)
    return expression


def _zone(name: str) -> str:
    zone_of(name)
    return name


def _listed(value: object) -> object:
    """One text as a list of one; as a tuple, which a strict field takes from a validator."""
    return (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list) else value


Names = Annotated[tuple[Text, ...], BeforeValidator(_listed)]


class TaskSettings(Section):
    """A task: one of the keys of ``KINDS`` says what is done. Paths are relative to the config file.

    Attributes:
        run: a step of this file.
        pipeline: files of pipelines.
        sql: a query in a file.
        alert: a file of an alert.
        notebook: a Python file, also one of marimo, or a notebook of Jupyter.
        python: a function.
        needs: tasks that end before this one begins.
        when: what must have become of them.
        retries: further tries of a task that failed.
        retry_wait: seconds before each.
        timeout: seconds of one try.
        options: keyword arguments of the function.
        params: values of the query, or of the notebook.
        save: the table that the rows of the query go to.
        engine: which answers the query.
        arguments: of the notebook, or further ones of ``pipeline run``.
    """

    run: Literal["prepare", "features", "sweep", "register", "deploy", "score", "monitor"] | None = None
    pipeline: Annotated[Names, Field(min_length=1)] | None = None
    sql: Text | None = None
    alert: Text | None = None
    notebook: Text | None = None
    python: Function | None = None
    needs: Annotated[tuple[Word, ...], BeforeValidator(_listed)] = ()
    when: When = "all_success"
    retries: Whole = 0
    retry_wait: Annotated[float, Field(ge=0)] = 0.0
    timeout: Seconds | None = None
    options: Options = Field(default_factory=dict)
    params: Options = Field(default_factory=dict)
    save: Text | None = None
    engine: Literal["duckdb", "spark"] = "duckdb"
    arguments: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """One of ``KINDS``."""
        return next(name for name in KINDS if getattr(self, name) is not None)

    @model_validator(mode="after")
    def _one_kind(self) -> TaskSettings:
        kinds = [name for name in KINDS if getattr(self, name) is not None]
        if len(kinds) != 1:
            raise ValueError(f"a mapping with one of {', '.join(KINDS)}")
        for key, allowed in _OF_KINDS.items():
            if key in self.model_fields_set and kinds[0] not in allowed:
                raise ValueError(f"a mapping without {key!r}, which is for tasks of {' and '.join(allowed)} alone")
        return self


class TriggerSettings(Section):
    """What starts a job beside a schedule.

    Attributes:
        tables: a new version of one of these.
        files: a file that is new or changed, and no longer written to; patterns, relative to the config file.
        settle: seconds for which a file must not have changed.
    """

    tables: Names = ()
    files: Names = ()
    settle: Seconds = 10.0


class JobSettings(Section):
    """A job.

    Attributes:
        tasks: by name.
        parameters: with their defaults; a task has them as ``{name}``.
        schedule: a cron expression; None for none.
        timezone: of the schedule and of ``{date}``.
        catch_up: which of the scheduled times that were missed are run: "none", "last" or "all".
        triggers: what else starts it.
        max_parallel: tasks at one time.
    """

    tasks: Annotated[dict[Word, TaskSettings], Field(min_length=1)]
    parameters: dict[Word, str | int | float | bool] = Field(default_factory=dict)
    schedule: Annotated[Text, AfterValidator(_schedule)] | None = None
    timezone: Annotated[Text, AfterValidator(_zone)] = "UTC"
    catch_up: Literal["none", "last", "all"] = "last"
    triggers: TriggerSettings = TriggerSettings()
    max_parallel: Positive = 1
