# /// script
# [tool.marimo.display]
# theme = "system"
# ///

import marimo

app = marimo.App(width="full", app_title="Lineage · sparkml_track")


@app.cell
def _():
    import marimo as mo

    from sparkml_track.dashboards import open_page

    page = open_page("lineage")
    page.head()
    return mo, page


@app.cell
def _(mo, page):
    from sparkml_track.dashboards.lineage.choice import choices, preset

    names, here = choices(page), preset(page)
    thing = mo.ui.dropdown(names, value=here.thing, label="Of", searchable=True, allow_select_none=True)
    direction = mo.ui.dropdown(list(here.directions), value=here.direction, label="Shown")
    depth = mo.ui.dropdown([str(steps) for steps in here.depths], value=str(here.depth), label="Steps")
    mo.hstack([thing, direction, depth], justify="start", wrap=True)
    return depth, direction, thing


@app.cell
def _(mo, page, thing):
    from sparkml_track.dashboards.lineage.choice import versions_of

    known = versions_of(page, thing.value)
    version = mo.ui.dropdown(known.names, value=known.chosen, label="Version")
    version if known.names else None
    return (version,)


@app.cell
def _(depth, direction, page, thing, version):
    from sparkml_track.dashboards.lineage.choice import lineage_section

    page.shown(lambda: lineage_section(page, thing.value, version.value, direction.value, int(depth.value)))
    return


if __name__ == "__main__":
    app.run()
