# /// script
# [tool.marimo.display]
# theme = "system"
# ///

import marimo

app = marimo.App(width="full", app_title="Sweeps · sparkml_track")


@app.cell
def _():
    import marimo as mo

    from sparkml_track.dashboards import open_page

    page = open_page("sweeps")
    page.head()
    return mo, page


@app.cell
def _(mo, page):
    from sparkml_track.dashboards.runs.sweeps import ALL_STATES

    refresh = mo.ui.refresh(options=["2s", "10s", "1m"], default_interval="2s", label="Looked at again every")
    name = mo.ui.text(value=page.query.get("name", ""), placeholder="part of a name", label="Name")
    asked = [each for each in page.query.get("state", "").split(",") if each in ALL_STATES]
    states = mo.ui.multiselect(options=list(ALL_STATES), value=asked, label="State")
    mo.hstack([name, states, refresh], justify="start", wrap=True, gap=2)
    return name, refresh, states


@app.cell
def _(name, page, refresh, states):
    from sparkml_track.dashboards.runs.sweeps import sweeps_section

    refresh
    page.shown(lambda: sweeps_section(page, name.value, states.value))
    return


if __name__ == "__main__":
    app.run()
