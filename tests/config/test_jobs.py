"""The section of jobs: what is wrong with it is one sentence with its line, whatever command reads the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from sparkml_track.config.settings import load
from sparkml_track.errors import ConfigError
from tests.jobs.fakes import HEAD, settings_of

WRONG = [
    ("{a: {run: sweep, needs: c}, b: {run: sweep, needs: a}, c: {run: sweep, needs: b}}", "a needs c needs b needs a"),
    ("{a: {python: 'm:f', needs: a}}", "tasks.a.needs: tasks wait for each other in a circle: a needs a"),
    ("{abc: {python: 'm:f'}, b: {python: 'm:f', needs: ab}}", "no task 'ab'; the others are: abc; did you mean 'abc'"),
    ("{a: {dbt: x}}", "tasks.a.dbt: unknown key; allowed: run, pipeline, sql, alert, notebook, python, needs"),
    ("{a: {}}", "tasks.a: must be a mapping with one of run, pipeline, sql, alert, notebook, python, not {}"),
    ("{a: {sql: q.sql, run: sweep}}", "tasks.a: must be a mapping with one of"),
    ("{a: {run: swep}}", "tasks.a.run: must be one of 'prepare', 'features', 'sweep'"),
    ("{a: {run: prepare}}", "tasks.a.run: there is no section 'prepare', so there is nothing to prepare; add one"),
    ("{a: {run: sweep, save: t}}", "tasks.a: must be a mapping without 'save', which is for tasks of sql alone"),
    ("{a: {run: sweep, when: all_done}}", "tasks.a.when: says what must have become of other tasks"),
    ("{a: {run: sweep, needs: [b], when: sometimes}, b: {run: sweep}}", "tasks.a.when: must be one of 'all_success'"),
    ("{a: {notebook: n.py, arguments: ['{dat}']}}", "there is no parameter 'dat'; there are: n"),
    ("{a: {run: sweep, retries: -1}}", "tasks.a.retries: must be at least 0, not -1"),
    ("{a: {run: sweep, timeout: 0}}", "tasks.a.timeout: must be more than 0, not 0"),
    ("{a: {python: nowhere}}", "tasks.a.python: must be a function as package.module:function, not 'nowhere'"),
    ("{}", "jobs.j.tasks: "),
    ("{'a b': {run: sweep}}", "letters, digits"),
]  # fmt: skip


@pytest.mark.parametrize(("tasks", "said"), WRONG)
def test_wrong_tasks(tmp_path: Path, tasks: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        settings_of(tmp_path, f"  j:\n    parameters: {{n: 1}}\n    tasks: {tasks}\n")
    assert said in str(caught.value)
    assert len(caught.value.problems) == 1
    assert f"{tmp_path / 'conf.yaml'}:7: jobs.j.tasks" in str(caught.value)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("schedule: every day", "schedule: must be five fields of cron (minute hour day-of-month month day-of-week)"),
        ("schedule: '0 0 0 * * *'", "schedule: must be five fields of cron"),
        ("schedule: '61 * * * *'", "of days that there are, such as '0 3 * * *' (bad minute), not '61 * * * *'"),
        ("schedule: '0 0 31 2 *'", "of days that there are, such as '0 3 * * *' (bad day-of-month), not '0 0 31 2 *'"),
        ("schedule: '0 0 */30 2 1L'", "this one does not come in 50 years"),
        ("timezone: Europe/Berlinn", "a time zone of the IANA database, such as UTC or Europe/Berlin"),
        ("timezone: ../../etc/passwd", "a time zone of the IANA database"),
        ("catch_up: some", "catch_up: must be one of 'none', 'last' or 'all', not 'some'"),
        ("triggers: {table: x}", "triggers.table: unknown key; allowed: tables, files, settle; did you mean 'tables'?"),
        ("parameters: {date: 1}", "parameters.date: every run has date, time, run by itself"),
        ("max_parallel: 0", "max_parallel: must be at least 1, not 0"),
    ],
)
def test_wrong_jobs(tmp_path: Path, line: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        settings_of(tmp_path, f"  j:\n    tasks: {{a: {{run: sweep}}}}\n    {line}\n")
    assert said in str(caught.value)
    assert len(caught.value.problems) == 1
    assert ":7: jobs.j." in str(caught.value)


def test_a_job_is_read_with_its_defaults(tmp_path: Path) -> None:
    job = settings_of(
        tmp_path, "  j:\n    schedule: '0 3 * * *'\n    tasks: {a: {run: sweep}, b: {run: sweep, needs: a}}\n"
    ).jobs["j"]
    assert (job.catch_up, job.timezone, job.max_parallel, dict(job.parameters)) == ("last", "UTC", 1, {})
    assert (job.tasks["b"].needs, job.tasks["b"].when, job.tasks["b"].kind) == (("a",), "all_success", "run")


def test_a_file_without_jobs_has_none(tmp_path: Path) -> None:
    (tmp_path / "conf.yaml").write_text(HEAD)
    assert dict(load(tmp_path / "conf.yaml").jobs) == {}
