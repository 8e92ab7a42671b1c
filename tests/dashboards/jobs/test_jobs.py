"""What the page of jobs shows, from rows as runs write them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from sparkml_track.catalog.system.schemas import SCHEMAS
from sparkml_track.catalog.system.store import SystemTables
from sparkml_track.dashboards.jobs.choice import job_choice, job_section, log_of, run_choice, run_of, task_choice
from sparkml_track.dashboards.jobs.matrix import matrix
from sparkml_track.dashboards.jobs.overview import job_list, jobs_section
from sparkml_track.dashboards.jobs.plans import next_time, plan_of
from sparkml_track.dashboards.jobs.rules import expectations_section
from sparkml_track.dashboards.page import Page
from sparkml_track.errors import InvalidInput
from sparkml_track.home import Home
from sparkml_track.jobs.course.states import RunState, TaskState
from sparkml_track.jobs.records.book import Book, Try
from sparkml_track.jobs.records.lock import job_lock, scheduler_lock
from sparkml_track.jobs.records.orders import Order
from sparkml_track.tables import DeltaTables
from tests.jobs.fakes import HEAD

JOB = ("mine", "flow")
START = datetime(2026, 11, 30, 3, tzinfo=UTC)
CONFIG = (
    HEAD
    + """\
jobs:
  flow:
    schedule: "0 3 * * *"
    timezone: Europe/Berlin
    tasks:
      load: {run: sweep}
      score: {python: "m:f", needs: load}
      page: {python: "m:f", needs: score}
"""
)


@pytest.fixture
def page(tmp_path: Path) -> Page:
    (tmp_path / "conf.yaml").write_text(CONFIG)
    return Page("jobs", Home(tmp_path / "home"))


def with_query(page: Page, **query: str) -> Page:
    return Page("jobs", page.home, query, kept=page.kept)


def system(page: Page) -> SystemTables:
    return SystemTables(page.home.system, DeltaTables(page.home.tables))


def record(  # a run whose tasks take a second each
    page: Page, run: str, states: Mapping[str, TaskState], *, end: RunState | None = RunState.SUCCEEDED, day: int = 0
) -> None:
    began = START + timedelta(days=day)
    order = Order(run, *JOB, str(page.home.root.parent / "conf.yaml"), "schedule", began, {"source": "<b>"})
    book = Book(system(page), order)
    book.begin(began)
    for place, (task, state) in enumerate(states.items()):
        log = page.home.job_run(run) / f"{task}.1.1.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(f"{task} of {run}\n<script>\n")
        one = Try(task, "python", 1, began + timedelta(seconds=place), str(log))
        why = "exit 1" if state is TaskState.FAILED else ""
        ended = state is not TaskState.RUNNING
        book.task(one, state, began + timedelta(seconds=place + 1), ended=ended, code=0 if ended else None, reason=why)
    if end is not None:
        book.end(end, began + timedelta(seconds=9), "failed: score" if end is RunState.FAILED else "")


GOOD = {"load": TaskState.SUCCEEDED, "score": TaskState.SUCCEEDED, "page": TaskState.SUCCEEDED}
BAD = {"load": TaskState.SUCCEEDED, "score": TaskState.FAILED, "page": TaskState.UPSTREAM_FAILED}


def text(parts: Sequence[str]) -> str:
    return "".join(parts)


def test_an_empty_home_says_what_fills_it(page: Page) -> None:
    assert "sparkml-track job run JOB --config CONFIG" in text(job_list(page))
    assert "sparkml-track job run JOB" in jobs_section(page)
    assert "sparkml-track pipeline run FILES" in expectations_section(page)
    assert job_choice(page).first is None
    assert job_section(page, None, 14) == run_of(page, None) == log_of(page, None, None) == []
    assert not page.home.root.exists()


def test_jobs_say_what_became_of_them_and_what_comes(page: Page) -> None:
    record(page, "r1", GOOD)
    record(page, "r2", BAD, end=RunState.FAILED, day=1)
    shown = text(job_list(page))
    assert "failed: score" in shown
    assert "0 3 * * * (Europe/Berlin)" in shown
    assert f"sparkml-track scheduler {page.home.root.parent / 'conf.yaml'}" in shown
    page.home.jobs.mkdir(parents=True, exist_ok=True)
    with scheduler_lock(page.home):
        shown = text(job_list(page))
        assert "sparkml-track scheduler" not in shown
        assert "pid " in shown
    last = jobs_section(page)
    assert last.index("r2") < last.index("r1")
    assert "/lake/jobs/?job=flow&amp;project=mine&amp;run=r2" in last
    assert not page.home.tables.exists()  # nothing is written by looking


def test_jobs_that_are_left_out_are_counted(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sparkml_track.dashboards.jobs.overview._JOBS", 1)
    record(page, "r1", BAD, end=RunState.FAILED)
    order = Order("r2", "mine", "other", "conf.yaml", "schedule", START + timedelta(days=1), {})
    book = Book(system(page), order)
    book.begin(START + timedelta(days=1))
    book.end(RunState.SUCCEEDED, START + timedelta(days=2), "")
    shown = text(job_list(page))
    assert "1 more" in shown and ">flow<" not in shown
    assert "<b>1</b><span>failed last" in shown


def test_the_next_time_is_that_of_the_schedule_in_its_zone(page: Page) -> None:
    plan = plan_of(page, str(page.home.root.parent / "conf.yaml"), "flow")
    assert plan.job is not None
    assert next_time(plan.job, START) == datetime(2026, 12, 1, 2, tzinfo=UTC)
    assert "has no job 'x' any more" in plan_of(page, str(page.home.root.parent / "conf.yaml"), "x").problem
    assert "cannot be read" in plan_of(page, "/nowhere/conf.yaml", "flow").problem


def test_the_matrix_has_a_square_for_each_task_of_each_run(page: Page) -> None:
    record(page, "r1", GOOD)
    record(page, "r2", BAD, end=RunState.FAILED, day=1)
    shown = matrix(page, JOB)
    # In the order of the file, the latest run first, in the job's own time.
    assert shown.index("12-01<br>04:00") < shown.index("11-30<br>04:00")
    rows = [row for row in shown.partition("</tbody>")[0].split("<tr>") if row.startswith("<td>")]
    assert [row.removeprefix("<td>").partition("<")[0] for row in rows] == ["load", "score", "page"]
    assert [row.count('role="img"') for row in rows] == [2, 2, 2]
    assert "score, 2026-12-01 04:00: failed, 1.0 s" in rows[1]
    assert "task=score" in rows[1]
    assert "The last 1 of 2 runs" in matrix(page, JOB, 1)


def test_a_run_has_its_tasks_as_a_graph_and_its_way_out(page: Page) -> None:
    record(page, "r1", BAD, end=RunState.FAILED)
    asks = with_query(page, run="r1")
    assert job_choice(asks).first == "mine/flow"
    assert run_choice(asks, "mine/flow").first == "r1"
    shown = text(run_of(asks, "r1"))
    assert "sparkml-track job repair r1 --config" in shown
    assert "source=&lt;b&gt;" in shown
    assert shown.count("marker-end") == 2  # load to score, score to page
    (page.home.root.parent / "conf.yaml").write_text("rubbish: [")
    shown = text(run_of(asks, "r1"))
    assert "Which task needs which is not known" in shown
    assert "marker-end" not in shown


def test_a_task_that_failed_shows_what_it_printed(page: Page) -> None:
    record(page, "r1", BAD, end=RunState.FAILED)
    assert task_choice(page, "r1").first == "score"
    assert task_choice(with_query(page, task="load"), "r1").first == "load"
    shown = text(log_of(page, "r1", "score"))
    assert "score of r1\n&lt;script&gt;" in shown
    (page.home.job_run("r1") / "score.1.1.log").unlink()
    assert "The file is gone" in text(log_of(page, "r1", "score"))
    assert "no task" in text(log_of(page, "r1", "other"))


def test_a_log_outside_the_runs_own_folder_is_not_read(page: Page) -> None:
    book = Book(system(page), Order("r1", *JOB, "conf.yaml", "manual", START, {}))
    book.begin(START)
    book.task(Try("load", "python", 1, START, "/etc/passwd"), TaskState.FAILED, START)
    shown = text(log_of(page, "r1", "load"))
    assert "not among those of this home" in shown
    assert "root:" not in shown


def test_a_run_under_way_is_lost_when_its_process_is_gone(page: Page) -> None:
    running = {"load": TaskState.SUCCEEDED, "score": TaskState.RUNNING}
    record(page, "r1", running, end=None)
    page.home.jobs.mkdir(parents=True, exist_ok=True)
    with job_lock(page.home, *JOB) as lock:
        lock.name("r1")
        assert ": running" in matrix(page, JOB)
    # No row was written since.
    assert ": interrupted" in matrix(page, JOB)
    assert "its process ended without a word" in text(run_of(page, "r1"))


def test_rubbish_among_the_rows_costs_the_section_a_sentence(page: Page) -> None:
    record(page, "r1", GOOD)
    row = {"run_id": "r2", "project": "mine", "job": "flow", "attempt": 1, "state": "?"}
    system(page).append("job_runs", [row | {"started_at": START + timedelta(days=1), "cause": "x"}])
    assert run_choice(page, "mine/flow").first is not None
    assert task_choice(page, "r2").all == {}
    with pytest.raises(ValueError, match="is not a valid RunState"):  # which the page shows as a sentence
        job_list(page)


def test_an_address_that_leads_nowhere_says_so(page: Page) -> None:
    record(page, "r1", GOOD)
    for query in ({"job": "none"}, {"run": "none"}, {"job": "flow", "project": "other"}):
        with pytest.raises(InvalidInput, match="nothing is known of"):
            job_section(with_query(page, **query), "mine/flow", 14)
    assert run_of(page, "none") == []


def test_a_job_that_is_not_in_its_file_any_more_still_shows_its_runs(page: Page) -> None:
    record(page, "r1", GOOD)
    (page.home.root.parent / "conf.yaml").unlink()
    assert "cannot be read" in text(job_list(page))
    assert "11-30<br>03:00" in matrix(page, JOB)


def test_expectations_show_the_last_update_and_the_one_before(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    for update in range(3):
        rows = [
            {
                "recorded_at": START + timedelta(days=update),
                "pipeline": "flights",
                "update_id": str(update),
                "flow": "clean",
                "table_name": "main.air.clean",
                "table_version": update,
                "expectation": name,
                "condition": "a < b",
                "action": "drop",
                "passed": 90,
                "failed": failed,
            }
            for name, failed in (("sound", 0), ("known", 10 * update))
        ]
        system(page).append("expectations", rows)
    shown = expectations_section(page)
    assert shown.index("known") < shown.index("sound")
    assert "/lake/sql/?table=main.air.clean&amp;version=2" in shown
    assert "a &lt; b" in shown
    assert "18.18%" in shown
    assert "10.00%" in shown
    assert "2 in the last updates, 1 with rows that failed" in shown
    assert "more" not in shown
    monkeypatch.setattr("sparkml_track.dashboards.jobs.rules._MOST", 1)
    assert "1 more" in expectations_section(page)


def test_ten_thousand_runs_are_shown_in_two_seconds(page: Page) -> None:
    count, tasks = 10_000, 5
    many(page, "job_runs", count, 1)
    many(page, "task_runs", count, tasks)
    started = time.process_time()
    shown = text([*job_list(page), *job_section(page, job_choice(page).first, 30), jobs_section(page)])
    took = time.process_time() - started
    assert shown.count('role="img"') == 30 * tasks + 6
    assert "The last 30 of 10,000 runs" in shown
    assert took < 2, took


def many(page: Page, table: str, count: int, tasks: int) -> None:
    """The rows with which runs, or tries, ended."""
    schema = SCHEMAS[table]
    total = count * tasks
    times = [START + timedelta(minutes=number // tasks) for number in range(total)]
    made: dict[str, list[object]] = {name: [None] * total for name in schema.names}
    made |= {name: list(times) for name in ("event_time", "started_at", "ended_at", "logical_time") if name in made}
    made |= {"id": [str(n) for n in range(total)], "run_id": [f"r{n // tasks}" for n in range(total)]}
    made |= {"project": [JOB[0]] * total, "job": [JOB[1]] * total, "attempt": [1] * total}
    made |= {"state": ["succeeded"] * total, "cause": ["schedule"] * total, "parameters": ["{}"] * total}
    made |= {"config": ["conf.yaml"] * total, "task": [f"t{n % tasks}" for n in range(total)], "kind": ["sql"] * total}
    made |= {"try_number": [1] * total}
    rows = pa.table([pa.array(made[field.name], field.type) for field in schema], schema=schema)
    DeltaTables(page.home.tables).write(f"system.{table}", rows, mode="append")
