# /// script
# [tool.marimo.display]
# theme = "system"
# ///

import marimo

app = marimo.App(width="full", app_title="Jobs · sparkml_track")


@app.cell
def _():
    import marimo as mo

    from sparkml_track.dashboards import open_page

    page = open_page("jobs")
    page.head()
    return mo, page


@app.cell
def _(mo):
    refresh = mo.ui.refresh(options=["2s", "10s", "1m"], default_interval="10s", label="Looked at again every")
    refresh
    return (refresh,)


@app.cell
def _(page, refresh):
    from sparkml_track.dashboards.jobs.overview import job_list

    refresh
    page.shown(lambda: job_list(page))
    return


@app.cell
def _(mo, page):
    from sparkml_track.dashboards.jobs.choice import job_choice
    from sparkml_track.dashboards.jobs.matrix import COUNTS

    _jobs = job_choice(page)
    job = mo.ui.dropdown(_jobs.all, value=_jobs.first, label="Job")
    count = mo.ui.dropdown({str(each): each for each in COUNTS}, value=str(COUNTS[0]), label="Runs")
    mo.hstack([job, count], justify="start", wrap=True) if _jobs.all else None
    return count, job


@app.cell
def _(count, job, page, refresh):
    from sparkml_track.dashboards.jobs.choice import job_section

    refresh
    page.shown(lambda: job_section(page, job.value, count.value))
    return


@app.cell
def _(job, mo, page):
    from sparkml_track.dashboards.jobs.choice import run_choice

    _runs = run_choice(page, job.value)
    run = mo.ui.dropdown(_runs.all, value=_runs.first, label="Run")
    run if _runs.all else None
    return (run,)


@app.cell
def _(page, refresh, run):
    from sparkml_track.dashboards.jobs.choice import run_of

    refresh
    page.shown(lambda: run_of(page, run.value))
    return


@app.cell
def _(mo, page, run):
    from sparkml_track.dashboards.jobs.choice import task_choice

    _tasks = task_choice(page, run.value)
    task = mo.ui.dropdown(_tasks.all, value=_tasks.first, label="Task")
    task if _tasks.all else None
    return (task,)


@app.cell
def _(page, refresh, run, task):
    from sparkml_track.dashboards.jobs.choice import log_of

    refresh
    page.shown(lambda: log_of(page, run.value, task.value))
    return


@app.cell
def _(page, refresh):
    from sparkml_track.dashboards.jobs.rules import expectations_section

    refresh
    page.shown(lambda: expectations_section(page))
    return


if __name__ == "__main__":
    app.run()
