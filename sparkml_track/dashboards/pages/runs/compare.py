# /// script
# [tool.marimo.display]
# theme = "system"
# ///

import marimo

app = marimo.App(width="full", app_title="Compare sweeps · sparkml_track")


@app.cell
def _():
    import marimo as mo

    from sparkml_track.dashboards import open_page

    page = open_page("compare")
    page.head()
    return mo, page


@app.cell
def _(mo, page):
    from sparkml_track.dashboards.runs.compare import asked_sweeps

    def _chooser():
        known, asked = asked_sweeps(page)
        return mo.ui.multiselect(options=known, value=asked, label="Sweeps", full_width=True)

    sweeps = page.shown(_chooser)
    trials = mo.ui.text(
        value=page.query.get("trials", ""),
        placeholder="SWEEP:7, SWEEP:9",
        label="Trials beside the best",
        full_width=True,
    )
    refresh = mo.ui.refresh(options=["2s", "10s", "1m"], default_interval="10s", label="Looked at again every")
    mo.vstack([sweeps, mo.hstack([trials, refresh], justify="start", wrap=True, gap=2)])
    return refresh, sweeps, trials


@app.cell
def _(mo):
    get_drawn, set_drawn = mo.state(None)
    return get_drawn, set_drawn


@app.cell
def _(get_drawn, page, refresh, set_drawn):
    from sparkml_track.dashboards.stamps import Kind

    # Nothing is drawn again before a sweep went on.
    refresh
    _now = page.stamp(Kind.SWEEPS)
    if _now != get_drawn():
        set_drawn(_now)
    return


@app.cell
def _(page, sweeps, trials):
    from sparkml_track.dashboards.runs.compare import compare, metrics_of

    def made():
        return compare(page, getattr(sweeps, "value", None) or [], trials.value)

    metrics = metrics_of(made().sweeps)
    return made, metrics


@app.cell
def _(metrics, mo, page):
    _asked = page.query.get("metric", "")
    _first = _asked if _asked in metrics else next(iter(metrics), None)
    metric = mo.ui.dropdown(options=metrics, value=_first, label="Objective")
    metric
    return (metric,)


@app.cell
def _(get_drawn, made, metric, page):
    from sparkml_track.dashboards.runs.compare import compare_figures

    get_drawn()
    page.shown(lambda: compare_figures(made(), metric.value))
    return


@app.cell
def _(get_drawn, made, metric, page):
    from sparkml_track.dashboards.runs.compare import compare_tables

    get_drawn()
    page.shown(lambda: compare_tables(page, made(), metric.value))
    return


if __name__ == "__main__":
    app.run()
