# /// script
# [tool.marimo.display]
# theme = "system"
# ///

import marimo

app = marimo.App(width="full", app_title="Home · sparkml_track")


@app.cell
def _():
    import marimo as mo

    from sparkml_track.dashboards import open_page

    page = open_page("home")
    page.head()
    return mo, page


@app.cell
def _(mo):
    refresh = mo.ui.refresh(options=["2s", "10s", "1m"], default_interval="10s", label="Looked at again every")
    refresh
    return (refresh,)


@app.cell
def _(page, refresh):
    from sparkml_track.dashboards.runs.sweeps import latest_section

    refresh
    page.shown(lambda: latest_section(page))
    return


@app.cell
def _(page, refresh):
    from sparkml_track.dashboards.monitoring.alarms import alarms_section

    refresh
    page.shown(lambda: alarms_section(page))
    return


@app.cell
def _(page, refresh):
    from sparkml_track.dashboards.jobs.overview import jobs_section

    refresh
    page.shown(lambda: jobs_section(page))
    return


if __name__ == "__main__":
    app.run()
