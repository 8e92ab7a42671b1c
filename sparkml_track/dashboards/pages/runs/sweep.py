# /// script
# [tool.marimo.display]
# theme = "system"
# ///

import marimo

app = marimo.App(width="full", app_title="Sweep · sparkml_track")


@app.cell
def _():
    import marimo as mo

    from sparkml_track.dashboards import open_page

    page = open_page("sweep")
    page.head(page.query.get("sweep", ""))
    return mo, page


@app.cell
def _(mo, page):
    from sparkml_track.dashboards.runs.sweep.page import choices

    offered = choices(page)
    refresh = mo.ui.refresh(options=["2s", "10s", "1m"], default_interval="2s", label="Looked at again every")
    sweep = mo.ui.dropdown(options=offered.sweeps, value=offered.sweep, label="Sweep", searchable=True)
    get_drawn, set_drawn = mo.state(None)
    # No state of marimo: to pick a trial must not make the table again.
    picked = {}
    mo.hstack([sweep, refresh], justify="start", wrap=True, gap=2)
    return get_drawn, picked, refresh, set_drawn, sweep


@app.cell
def _(page, refresh, sweep):
    from sparkml_track.dashboards.runs.sweep.head import head_section

    refresh
    page.shown(lambda: head_section(page, sweep.value or ""))
    return


@app.cell
def _(get_drawn, page, refresh, set_drawn, sweep):
    from sparkml_track.dashboards.runs.sweep.page import drawn_anew

    # Figures are drawn again only after the sweep went on, and not at each look.
    refresh
    _later = drawn_anew(page, sweep.value, get_drawn())
    if _later != get_drawn():
        set_drawn(_later)
    return


@app.cell
def _(mo, page, sweep):
    from sparkml_track.dashboards.runs.sweep.page import options

    offers = options(page, sweep.value)
    goal = mo.ui.dropdown(options=offers.goals, value=offers.goal, label="Objective")
    states = mo.ui.multiselect(options=offers.states, label="State")
    ranges = mo.ui.dictionary(
        {name: mo.ui.range_slider(start=0, stop=100, value=[0, 100], label=name) for name in offers.sliders}
    )
    view = mo.ui.tabs(dict.fromkeys(offers.views, ""), value=offers.view) if offers.views else None
    return goal, offers, ranges, states, view


@app.cell
def _(goal, mo, offers, page, ranges, states):
    from sparkml_track.dashboards.runs.sweep.page import said_ranges

    _said = page.shown(lambda: said_ranges(offers, ranges.value))
    _sliders = mo.hstack(list(ranges.elements.values()), wrap=True, justify="start", gap=1.5)
    _more = mo.accordion({"Only trials in these ranges": mo.vstack([_sliders, _said])}) if offers.sliders else ""
    mo.vstack([mo.hstack([goal, states], justify="start", wrap=True, gap=2), _more]) if offers.views else None
    return


@app.cell
def _(view):
    view
    return


@app.cell
def _(goal, offers, ranges, sweep, view):
    from sparkml_track.dashboards.runs.sweep.page import Choice, ranges_of

    _shown = "" if view is None else view.value
    choice = Choice(sweep.value, goal.value, _shown, ranges_of(offers, ranges.value))
    return (choice,)


@app.cell
def _(choice, get_drawn, page):
    from sparkml_track.dashboards.runs.sweep.page import drawn_view

    get_drawn()
    figure = page.shown(lambda: drawn_view(page, choice)[0])
    figure
    return (figure,)


@app.cell
def _(choice, get_drawn, page):
    from sparkml_track.dashboards.runs.sweep.page import drawn_view as _drawn_view

    get_drawn()
    page.shown(lambda: _drawn_view(page, choice)[1:])
    return


@app.cell
def _(choice, figure, get_drawn, mo, page, picked, states):
    from sparkml_track.dashboards.runs.sweep.page import chosen_frame, picked_again

    get_drawn()

    def _table():
        found = chosen_frame(page, choice, states.value, getattr(figure, "value", None) or ())
        if found is None:
            return None
        looks = {"show_column_summaries": False, "show_data_types": False, "max_columns": 60}
        looks["format_mapping"] = dict.fromkeys(found.select_dtypes("float").columns, "{:.6g}")
        looks["initial_selection"] = picked_again(picked, choice.sweep, found)
        return mo.ui.table(found, selection="single", page_size=10, freeze_columns_left=["trial"], **looks)

    trials = page.shown(_table)
    None if trials is None else mo.vstack([mo.md("### Trials"), trials])
    return (trials,)


@app.cell
def _(choice, get_drawn, page, picked, trials):
    from sparkml_track.dashboards.runs.sweep.page import keep_picked, one_trial

    get_drawn()
    keep_picked(picked, choice.sweep, getattr(trials, "value", None))
    page.shown(lambda: one_trial(page, choice.sweep, getattr(trials, "value", None)))
    return


@app.cell
def _(choice, get_drawn, page):
    from sparkml_track.dashboards.runs.sweep.page import more_sections

    get_drawn()
    page.shown(lambda: more_sections(page, choice))
    return


if __name__ == "__main__":
    app.run()
