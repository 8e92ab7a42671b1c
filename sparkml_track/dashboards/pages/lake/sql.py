# /// script
# [tool.marimo.display]
# theme = "system"
# ///

import marimo

app = marimo.App(width="full", app_title="SQL · sparkml_track")


@app.cell
def _():
    import marimo as mo

    from sparkml_track.dashboards import open_page

    page = open_page("sql")
    page.head()
    return mo, page


@app.cell
def _(mo, page):
    from sparkml_track.dashboards.queries.asker import LIMITS, TIMEOUTS, Asker
    from sparkml_track.dashboards.queries.opened import opened

    asker, begun = Asker(page), opened(page)
    # How often a query began or ended: what shows answers hangs on it.
    turn, set_turn = mo.state(0)
    editor = mo.ui.code_editor(begun.text, language="sql", min_height=160, debounce=True, label="One SELECT")
    limit = mo.ui.dropdown({f"{each:,} rows": each for each in LIMITS}, value=f"{LIMITS[0]:,} rows", label="At most")
    timeout = mo.ui.dropdown({f"{each} s": each for each in TIMEOUTS}, value=f"{TIMEOUTS[0]} s", label="within")
    run = mo.ui.run_button(label="Run", kind="success")
    stop = mo.ui.run_button(label="Stop", kind="danger")
    return asker, begun, editor, limit, run, set_turn, stop, timeout, turn


@app.cell
def _(begun, editor, mo):
    from sparkml_track.dashboards.queries.opened import fields

    values = mo.ui.dictionary(
        {
            name: mo.ui.text(begun.values.get(name, default), label=f"${name} {kind}".strip())
            for name, (kind, default) in fields(editor.value).items()
        }
    )
    return (values,)


@app.cell
def _(begun, editor, limit, mo, page, run, stop, timeout, values):
    from sparkml_track.dashboards.blocks import note
    from sparkml_track.dashboards.queries.tables import tables_section

    _side = page.shown(lambda: tables_section(page))
    _asked = mo.hstack([run, stop, limit, timeout], justify="start", align="end", wrap=True)
    _given = mo.hstack(list(values.values()), justify="start", wrap=True) if values.value else mo.Html("")
    _problem = page.shown(lambda: note(begun.problem, "warn")) if begun.problem else mo.Html("")
    mo.Html(
        '<div style="display:flex;flex-wrap:wrap;gap:24px"><div style="flex:3 1 520px;min-width:min(100%,300px)">'
        f"{_problem}{editor}<div style='height:10px'></div>{_given}{_asked}</div>"
        f'<div style="flex:1 1 260px;min-width:0">{_side}</div></div>'
    )
    return


@app.cell
def _(asker, editor, limit, run, set_turn, timeout, values):
    from sparkml_track.dashboards.queries.asker import Asked

    if run.value:
        asker.begin(Asked(editor.value, dict(values.value), limit.value, timeout.value))
        set_turn(lambda before: before + 1)
    return


@app.cell
def _(asker, stop):
    if stop.value:
        asker.stop()
    return


@app.cell
def _(asker, mo, turn):
    turn()
    watch = mo.ui.refresh(options=["1s"], default_interval="1s") if asker.running else mo.ui.text("", disabled=True)
    watch if asker.running else None
    return (watch,)


@app.cell
def _(asker, page, set_turn, watch):
    from sparkml_track.dashboards.queries.answer import waiting

    watch.value
    if not asker.wait(0.3) or asker.number == asker.shown:
        _what = page.shown(lambda: waiting(asker))
    else:
        _what = None
        asker.shown = asker.number
        set_turn(lambda before: before + 1)
    _what
    return


@app.cell
def _(asker, mo, page, turn):
    from sparkml_track.dashboards.queries.answer import as_csv, cells, named, said

    turn()
    last = None if asker.running else asker.last
    rows = named(last.result.rows) if last and last.result else None
    _parts = [] if asker.running else [page.shown(lambda: said(page, last))]
    if rows is not None and rows.num_columns:
        _parts.append(mo.ui.table(cells(rows), page_size=20, selection=None, show_download=False))
        _parts.append(mo.download(lambda: as_csv(rows), "answer.csv", "text/csv", label="Download as CSV"))
    mo.vstack(_parts)
    return (rows,)


@app.cell
def _(mo, rows):
    from sparkml_track.dashboards.queries.drawn import KINDS, first_choice, numbers_of

    first = first_choice(rows) if rows is not None else None
    if first:
        kind = mo.ui.dropdown({"no chart": "", **{each: each for each in KINDS}}, value=first.kind, label="Drawn as")
        x = mo.ui.dropdown(rows.column_names, value=first.x, label="x")
        y = mo.ui.dropdown(numbers_of(rows), value=first.y, label="y")
        colour = mo.ui.dropdown(["", *rows.column_names], value="", label="colour")
    else:
        kind = x = y = colour = None
    mo.hstack([kind, x, y, colour], justify="start", wrap=True) if first else None
    return colour, kind, x, y


@app.cell
def _(colour, kind, page, rows, x, y):
    from sparkml_track.dashboards.queries.drawn import Choice, picture

    page.shown(lambda: picture(rows, Choice(kind.value, x.value, y.value, colour.value or ""))) if kind else None
    return


@app.cell
def _(page):
    from sparkml_track.dashboards.queries.tables import versions_section

    page.shown(lambda: versions_section(page))
    return


@app.cell
def _(page):
    from sparkml_track.dashboards.queries.saved import saved_section

    page.shown(lambda: saved_section(page))
    return


@app.cell
def _(page, turn):
    from sparkml_track.dashboards.queries.past import past_section

    turn()
    page.shown(lambda: past_section(page))
    return


if __name__ == "__main__":
    app.run()
