# /// script
# [tool.marimo.display]
# theme = "system"
# ///

import marimo

app = marimo.App(width="full", app_title="Models · sparkml_track")


@app.cell
def _():
    import marimo as mo

    from sparkml_track.dashboards import open_page
    from sparkml_track.dashboards.asked import or_else
    from sparkml_track.dashboards.blocks import section
    from sparkml_track.dashboards.models import card, compared, known, moves, versions

    page = open_page("models")
    page.head()
    return card, compared, known, mo, moves, or_else, page, section, versions


@app.cell
def _(known, mo, page):
    # The sections below are drawn again only after the registry was written.
    get_written, set_written = mo.state(known.changed(page))
    return get_written, set_written


@app.cell
def _(get_written, known, page, refresh, set_written):
    refresh
    if known.changed(page) != get_written():
        set_written(known.changed(page))
    return


@app.cell
def _(get_written, page, versions):
    get_written()
    page.shown(lambda: versions.all_models(page))
    return


@app.cell
def _(known, mo, or_else, page):
    # In one cell with what is chosen: a cell that takes the refresh would make the choice anew at each look.
    refresh = mo.ui.refresh(options=["10s", "1m", "10m"], default_interval="10s", label="Looked at again every")
    names = or_else(lambda: list(known.names(page)), [])
    model = mo.ui.dropdown(names, page.choice("model", names), label="Model", searchable=len(names) > 10)
    mo.hstack([*([model] if names else []), refresh], justify="start", wrap=True, gap=2)
    return model, refresh


@app.cell
def _(get_written, mo, model, moves, page, versions):
    get_written()
    mo.stop(not model.value)
    page.shown(
        lambda: [
            versions.overview(page, model.value),
            versions.versions(page, model.value),
            moves.moves(page, model.value),
            moves.figures(page, model.value),
        ]
    )
    return


@app.cell
def _(known, mo, model, or_else, page, section):
    mo.stop(not model.value)
    there = or_else(lambda: [str(each.ref.version) for each in known.history(page, model.value).versions], [])
    version = mo.ui.dropdown(there, page.choice("version", there), label="Version")
    other = mo.ui.dropdown(there, page.choice("with", [*there[1:], *there[:1]]), label="beside version")
    page.shown(lambda: [section("One version"), mo.hstack([version, other], justify="start", wrap=True, gap=2)])
    return other, version


@app.cell
def _(card, compared, get_written, mo, model, other, page, version):
    get_written()
    mo.stop(not version.value)
    pair = [int(other.value or version.value), int(version.value)]
    page.shown(
        lambda: page.beside(
            lambda: card.card(page, model.value, int(version.value)),
            lambda: compared.compared(page, model.value, pair),
        )
    )
    return


if __name__ == "__main__":
    app.run()
