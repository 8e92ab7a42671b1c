# /// script
# [tool.marimo.display]
# theme = "system"
# ///

import marimo

app = marimo.App(width="full", app_title="NAME · sparkml_track")


@app.cell
def _():
    import marimo as mo

    from sparkml_track.dashboards import open_page
    from sparkml_track.dashboards.asked import arrow
    from sparkml_track.dashboards.blocks import empty, section, table
    from sparkml_track.dashboards.charts import chart

    page = open_page("NAME")
    page.head("NAME", "One sentence on what this page shows.")
    return arrow, chart, empty, mo, page, section, table


@app.cell
def _(mo):
    # Cells that use it are run again as often as this says.
    refresh = mo.ui.refresh(options=["10s", "1m"], default_interval="1m", label="Looked at again every")
    refresh
    return (refresh,)


@app.cell
def _(arrow, page, refresh):
    refresh
    # Any SELECT by DuckDB, over tables of the home that are named so: `arrow(page, "SELECT * FROM t", t="flights")`.
    rows = arrow(page, "SELECT kind, count(*) AS things FROM (VALUES ('a'), ('b'), ('b')) AS t(kind) GROUP BY ALL")
    return (rows,)


@app.cell
def _(chart, empty, page, rows, section, table):
    def things():
        if not rows.num_rows:
            return section("Things", empty("There is nothing yet.", "sparkml-track run CONFIG"))
        columns = rows.to_pydict()
        drawn = chart([{"type": "bar", "x": columns["kind"], "y": columns["things"]}], yaxis={"title": "things"})
        return [section("Things", table(list(columns), zip(*columns.values(), strict=True))), drawn]

    # What is shown in `page.shown` costs no other part of the page when it fails.
    page.shown(things)
    return


if __name__ == "__main__":
    app.run()
