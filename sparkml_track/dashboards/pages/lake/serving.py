# /// script
# [tool.marimo.display]
# theme = "system"
# ///

import marimo

app = marimo.App(width="full", app_title="Serving · sparkml_track")


@app.cell
def _():
    import marimo as mo

    from sparkml_track.dashboards import open_page
    from sparkml_track.dashboards.asked import or_else
    from sparkml_track.dashboards.blocks import section
    from sparkml_track.dashboards.serving import canary, found, living, rivals, traffic

    page = open_page("serving")
    page.head()
    return canary, found, living, mo, or_else, page, rivals, section, traffic


@app.cell
def _(found, mo, or_else, page):
    refresh = mo.ui.refresh(options=["2s", "10s", "1m"], default_interval="10s", label="Looked at again every")
    names = or_else(lambda: found.endpoints(page), [])
    prefix = mo.ui.dropdown(names, page.choice("served", names), label="Inference tables")
    period = mo.ui.dropdown(list(found.SPANS), page.choice("span", found.SPANS), label="Of the last")
    mo.hstack([*([prefix, period] if names else []), refresh], justify="start", wrap=True, gap=2)
    return period, prefix, refresh


@app.cell
def _(living, page, refresh):
    refresh
    page.shown(lambda: living.living(page))
    return


@app.cell
def _(found, mo, page, prefix):
    # The sections below are drawn again only after the tables were written.
    get_written, set_written = mo.state(found.changed(page, prefix.value))
    return get_written, set_written


@app.cell
def _(found, get_written, page, prefix, refresh, set_written):
    refresh
    if found.changed(page, prefix.value) != get_written():
        set_written(found.changed(page, prefix.value))
    return


@app.cell
def _(found, get_written, mo, or_else, page, period, prefix, traffic):
    get_written()
    span = or_else(lambda: found.span(page, prefix.value, found.SPANS[period.value]), None) if prefix.value else None
    mo.stop(span is None, page.shown(lambda: traffic.nothing(page, prefix.value)))
    mo.vstack(
        [
            page.shown(lambda: traffic.overview(page, prefix.value, span)),
            page.beside(
                lambda: traffic.requests(page, prefix.value, span),
                lambda: traffic.latency(page, prefix.value, span),
                lambda: traffic.errors(page, prefix.value, span),
                lambda: traffic.scores(page, prefix.value, span),
            ),
            page.shown(lambda: traffic.by_version(page, prefix.value, span)),
        ]
    )
    return


@app.cell
def _(mo, or_else, page, prefix, rivals, section):
    mo.stop(not prefix.value)
    both = or_else(lambda: rivals.pairs(page, prefix.value), {})
    tables = or_else(lambda: rivals.labels(page, prefix.value), [])
    pair = mo.ui.dropdown(both, page.choice("pair", both), label="Version")
    labels = mo.ui.dropdown(tables, page.choice("labels", tables), label="Labels of", searchable=len(tables) > 10)
    mo.stop(not both or not tables, page.shown(lambda: rivals.nothing(both, tables)))
    page.shown(
        lambda: [
            section("A challenger beside the champion"),
            mo.hstack([pair, labels], justify="start", wrap=True, gap=2),
        ]
    )
    return labels, pair


@app.cell
def _(labels, mo, page, prefix, rivals):
    mo.stop(not labels.value)
    offered = rivals.keys(page, prefix.value, labels.value)
    figures = rivals.labels_of(page, prefix.value, labels.value)
    on = mo.ui.multiselect(offered, [name for name in [page.choice("on", offered)] if name], label="found by")
    label = mo.ui.dropdown(figures, page.choice("label", figures), label="Label")
    loss = mo.ui.dropdown(rivals.LOSSES, page.choice("loss", rivals.LOSSES), label="Loss")
    mo.hstack([on, label, loss], justify="start", wrap=True, gap=2)
    return label, loss, on


@app.cell
def _(found, labels, mo, page, prefix):
    # A canary waits for labels, which come after what was served.
    mo.stop(not labels.value)
    get_judged, set_judged = mo.state(found.changed(page, prefix.value, labels.value))
    return get_judged, set_judged


@app.cell
def _(found, get_judged, labels, page, prefix, refresh, set_judged):
    refresh
    if found.changed(page, prefix.value, labels.value) != get_judged():
        set_judged(found.changed(page, prefix.value, labels.value))
    return


@app.cell
def _(canary, get_judged, label, labels, loss, mo, on, page, pair, prefix, rivals):
    get_judged()
    mo.stop(not (pair.value and on.value and label.value))
    who = rivals.Rivals(prefix.value, *pair.value, labels.value, tuple(on.value), label.value, loss.value)
    page.shown(lambda: [canary.stands(page, who), canary.sequence(page, who)])
    return


if __name__ == "__main__":
    app.run()
