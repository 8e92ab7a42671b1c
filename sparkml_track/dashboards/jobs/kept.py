"""Runs of jobs: rows are read again only after one was written, and only runs that are shown are made of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from sparkml_track.catalog.system.store import SystemTables
from sparkml_track.dashboards.page import Page
from sparkml_track.dashboards.stamps import Kind
from sparkml_track.jobs.records.views import Run, runs_of

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["JobName", "ids_of_jobs", "last_ids", "runs", "system_rows"]

#: Project and job.
JobName = tuple[str, str]


def ids_of_jobs(page: Page) -> Mapping[JobName, Sequence[str]]:
    """The ids of all runs of each job, the latest first; the job that ran last comes first."""
    return page.kept.get("runs of jobs", page.stamp(Kind.SYSTEM, of="job_runs"), lambda: _ids(page))


def last_ids(page: Page, most: int) -> list[str]:
    """The ids of the last runs of all jobs, the latest first."""

    def read() -> list[str]:
        rows = system_rows(page, "job_runs").sort_by([("started_at", "descending")])
        return list(dict.fromkeys(rows["run_id"].to_pylist()))

    return page.kept.get("last runs", page.stamp(Kind.SYSTEM, of="job_runs"), read)[:most]


def runs(page: Page, ids: Sequence[str]) -> list[Run]:
    """The runs of some ids, the latest first; whether one is under way is looked up each time."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not ids:
        return []
    wanted = pa.array(ids, pa.string())
    own = [
        rows.filter(pc.is_in(rows["run_id"], value_set=wanted)).to_pylist()
        for rows in (system_rows(page, "job_runs"), system_rows(page, "task_runs"))
    ]
    return list(reversed(runs_of(own[0], own[1], page.home)))


def system_rows(page: Page, table: str) -> pa.Table:
    """All rows of a system table."""

    def read() -> pa.Table:
        from sparkml_track.tables import DeltaTables

        tables = DeltaTables(page.home.tables_root, lineage=False)
        return SystemTables(page.home.system, tables).seen(table)

    return page.kept.get(("rows of", table), page.stamp(Kind.SYSTEM, of=table), read)


def _ids(page: Page) -> Mapping[JobName, Sequence[str]]:
    rows = system_rows(page, "job_runs").sort_by([("started_at", "descending")])
    found = dict[JobName, dict[str, None]]()
    for project, job, run in zip(*(rows[name].to_pylist() for name in ("project", "job", "run_id")), strict=True):
        found.setdefault((project, job), {})[run] = None
    return {job: tuple(ids) for job, ids in found.items()}
