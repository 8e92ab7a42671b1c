# /// script
# [tool.marimo.display]
# theme = "system"
# ///

import marimo

app = marimo.App(width="full", app_title="Features · sparkml_track")


@app.cell
def _():
    import marimo as mo

    from sparkml_track.dashboards import open_page
    from sparkml_track.dashboards.asked import or_else
    from sparkml_track.dashboards.features import known, listed

    page = open_page("features")
    page.head()
    return known, listed, mo, or_else, page


@app.cell
def _(known, mo, page):
    # The sections below are drawn again only after a table was written.
    get_written, set_written = mo.state(known.changed(page))
    return get_written, set_written


@app.cell
def _(get_written, known, page, refresh, set_written):
    refresh
    if known.changed(page) != get_written():
        set_written(known.changed(page))
    return


@app.cell
def _(get_written, listed, page):
    get_written()
    page.shown(lambda: [listed.all_features(page), listed.online(page)])
    return


@app.cell
def _(known, mo, or_else, page):
    # In one cell with what is chosen: a cell that takes the refresh would make the choice anew at each look.
    refresh = mo.ui.refresh(options=["10s", "1m", "10m"], default_interval="10s", label="Looked at again every")
    names = or_else(lambda: known.feature_names(page), [])
    table = mo.ui.dropdown(names, page.choice("table", names), label="Table", searchable=len(names) > 10)
    mo.hstack([*([table] if names else []), refresh], justify="start", wrap=True, gap=2)
    return refresh, table


@app.cell
def _(get_written, listed, mo, page, table):
    get_written()
    mo.stop(not table.value)
    mo.vstack(
        [
            page.shown(lambda: listed.one(page, table.value)),
            page.beside(lambda: listed.columns(page, table.value), lambda: listed.by_time(page, table.value)),
        ]
    )
    return


if __name__ == "__main__":
    app.run()
