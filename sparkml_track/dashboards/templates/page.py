# /// script
# [tool.marimo.display]
# theme = "system"
# ///

import marimo

app = marimo.App(width="full", app_title="NAME · sparkml_track")


@app.cell
def _():
    import marimo as mo

    from sparkml_track.catalog import Catalog
    from sparkml_track.dashboards import open_page
    from sparkml_track.dashboards.blocks import empty, section, table
    from sparkml_track.dashboards.charts import chart

    page = open_page("NAME")
    page.head("NAME", "One sentence on what this page shows.")
    return Catalog, chart, empty, mo, page, section, table


@app.cell
def _(mo):
    # Cells that use it are run again as often as this says.
    refresh = mo.ui.refresh(options=["10s", "1m"], default_interval="1m", label="Looked at again every")
    refresh
    return (refresh,)


@app.cell
def _(Catalog, page, refresh):
    refresh
    # Any SELECT over the tables of the home, by DuckDB; see the guide `sql`.
    rows = (
        Catalog(page.home)
        .sql("SELECT table_schema, count(*) AS tables FROM information_schema.tables GROUP BY ALL ORDER BY ALL")
        .rows
    )
    return (rows,)


@app.cell
def _(chart, empty, page, rows, section, table):
    def tables():
        if not rows.num_rows:
            return section("Tables", empty("There is no table yet.", "sparkml-track run CONFIG"))
        columns = rows.to_pydict()
        drawn = chart(
            [{"type": "bar", "x": columns["table_schema"], "y": columns["tables"]}], yaxis={"title": "tables"}
        )
        return [section("Tables", table(list(columns), zip(*columns.values(), strict=True))), drawn]

    # What is shown in `page.shown` costs no other part of the page when it fails.
    page.shown(tables)
    return


if __name__ == "__main__":
    app.run()
