# /// script
# [tool.marimo.display]
# theme = "system"
# ///

import marimo

app = marimo.App(width="full", app_title="Monitoring · sparkml_track")


@app.cell
def _():
    import marimo as mo

    from sparkml_track.dashboards import open_page
    from sparkml_track.dashboards.asked import or_else
    from sparkml_track.dashboards.blocks import section
    from sparkml_track.dashboards.monitoring import alarms, chosen, columns, drifted, quality, scores

    page = open_page("monitoring")
    page.head()
    return alarms, chosen, columns, drifted, mo, or_else, page, quality, scores, section


@app.cell
def _(alarms, chosen, mo, or_else, page):
    # In one cell with what is chosen: a cell that takes the refresh would make the choice anew at each look.
    refresh = mo.ui.refresh(options=["10s", "1m", "10m"], default_interval="10s", label="Looked at again every")
    names = or_else(lambda: chosen.monitors(page), [])
    monitor = mo.ui.dropdown(names, page.choice("monitor", names), label="Monitor")
    mo.hstack([monitor, refresh], justify="start", wrap=True, gap=2) if names else page.shown(
        lambda: alarms.alarms_section(page)
    )
    return monitor, refresh


@app.cell
def _(chosen, mo, monitor, page):
    # The sections below are drawn again only after the tables were written.
    get_written, set_written = mo.state(chosen.changed(page, monitor.value))
    return get_written, set_written


@app.cell
def _(chosen, get_written, monitor, page, refresh, set_written):
    refresh
    if chosen.changed(page, monitor.value) != get_written():
        set_written(chosen.changed(page, monitor.value))
    return


@app.cell
def _(chosen, mo, monitor, or_else, page):
    mo.stop(not monitor.value)
    slices = or_else(lambda: chosen.slices(page, monitor.value), {"all rows": (None, None)})
    moments = or_else(lambda: chosen.moments(page, monitor.value), {"the last run": None})
    rows = mo.ui.dropdown(slices, page.choice("slice", slices), label="Rows")
    measure = mo.ui.dropdown(chosen.measures(), page.choice("measure", chosen.measures()), label="Measure")
    until = mo.ui.dropdown(moments, page.choice("until", moments), label="As of")
    mo.hstack([rows, measure, until], justify="start", wrap=True, gap=2)
    return measure, rows, until


@app.cell
def _(chosen, measure, monitor, rows, until):
    choice = chosen.Choice(monitor.value, rows.value or (None, None), measure.value or "psi", until=until.value)
    return (choice,)


@app.cell
def _(alarms, choice, get_written, page):
    get_written()
    page.shown(lambda: [alarms.overview(page, choice), alarms.alarms(page, choice)])
    return


@app.cell
def _(choice, drifted, get_written, page):
    get_written()
    page.shown(lambda: drifted.heat(page, choice))
    return


@app.cell
def _(chosen, mo, monitor, or_else, page, section):
    mo.stop(not monitor.value)
    watched = or_else(lambda: chosen.columns(page, monitor.value), [])
    column = mo.ui.dropdown(watched, page.choice("column", watched), label="Column", searchable=True)
    page.shown(lambda: [section("One column", about="Its drift by window and by run, and what it was like."), column])
    return (column,)


@app.cell
def _(choice, column, columns, drifted, get_written, mo, page):
    get_written()
    mo.stop(not column.value)
    one = choice.of(column.value)
    mo.vstack(
        [
            page.beside(lambda: drifted.by_window(page, one), lambda: drifted.by_run(page, one)),
            page.beside(lambda: columns.spread(page, one), lambda: columns.profile(page, one)),
        ]
    )
    return


@app.cell
def _(choice, mo, or_else, page, quality):
    figures = or_else(lambda: quality.figures(page, choice), {})
    figure = mo.ui.dropdown(figures, page.choice("quality", figures), label="Quality by")
    figure if figures else None
    return (figure,)


@app.cell
def _(choice, figure, get_written, page, quality, scores):
    get_written()
    page.shown(
        lambda: [
            page.beside(
                lambda: quality.quality(page, choice, figure.value or ""), lambda: quality.measured(page, choice)
            ),
            page.beside(lambda: scores.spread(page, choice), lambda: scores.calibrated(page, choice)),
            quality.fairness(page, choice),
        ]
    )
    return


if __name__ == "__main__":
    app.run()
