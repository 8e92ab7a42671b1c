"""What has drifted, since when, how much, and what to do about it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from sparkml_track.dashboards.asked import Rows, ask, there
from sparkml_track.dashboards.blocks import Markup, empty, note, section, table, tiles
from sparkml_track.dashboards.monitoring.chosen import LAST_RUN, Choice, monitors, runs
from sparkml_track.dashboards.page import Page
from sparkml_track.errors import SparkmlError
from sparkml_track.readable import number

__all__ = ["alarms", "alarms_section", "overview", "to_do", "verdicts"]

_SHOWN, _MONITORS = 4, 6  # on the home page: columns of each monitor, monitors
_SCORE = "score"
_COMMANDS = note(
    Markup(
        "To retrain: <code>sparkml-track retrain CONFIG</code>, which looks at the last verdict; with "
        "<code>--dry-run</code> it only says what it would do. To go back to the champion before: "
        "<code>sparkml-track models rollback MODEL</code>."
    )
)
_NULLS, _MATTERS, _NEARLY_NONE = 0.01, 0.1, 10.0


def verdicts(page: Page, choice: Choice) -> Rows:
    """Where each column stood in the last run: what has drifted first, then by PSI."""
    if not there(page, choice.table("verdict")):
        return []
    text = f"""SELECT * FROM verdict WHERE {LAST_RUN.format("verdict")}
        ORDER BY state <> 'drift', psi DESC, "column" """
    return ask(page, text, {"until": choice.params["until"]}, verdict=choice.table("verdict"))


def overview(page: Page, choice: Choice) -> Markup:
    """How many columns have drifted, and when that was last looked at."""
    found, ran = verdicts(page, choice), runs(page, choice.monitor)
    until = choice.until
    ran = [row for row in ran if until is None or row["moment"] <= until]
    drifted = [row for row in found if row["state"] == "drift"]
    score = next((row for row in found if row["column"] == _SCORE), None)
    since = f"since {score['since']}" if score and score["state"] == "drift" else "as in the baseline" if score else ""
    last = ran[0] if ran else None
    return tiles(
        (
            ("columns have drifted", f"{len(drifted)} of {len(found)}", "bad" if drifted else ""),
            ("the score", since or "not judged yet", "bad" if since.startswith("since") else ""),
            ("last window", last["window"] if last else "none"),
            ("runs", f"{len(ran)}"),
            ("last run, UTC", f"{last['moment']:%Y-%m-%d %H:%M}" if last else "none"),
        )
    )


def alarms(page: Page, choice: Choice) -> Markup:
    """What has drifted, with what to do."""
    found = verdicts(page, choice)
    if not found:
        why = "No column could be judged yet: each window has too few rows."
        return section("Alarms", empty(why, "sparkml-track monitor --config CONFIG"))
    drifted = [row for row in found if row["state"] == "drift"]
    if not drifted:
        windows = ", ".join(dict.fromkeys(row["window"] for row in found))
        return section("Alarms", note(f"Each of {len(found)} columns is as in the baseline (window {windows})."))
    head = ("column", "since", "windows", "PSI", "mean", "nulls", "of the score's change", "what to do")
    said = "In the last window that could be judged; since when without a break. Shares of several columns may overlap."
    lines = [_line(page, choice, row) for row in drifted]
    return section("Alarms", table(head, lines, texts=(7,)), _COMMANDS, about=said)


def to_do(row: Mapping[str, Any]) -> str:
    """What to do about a column that has drifted, in a few words."""
    if row["column"] == _SCORE:
        return "retrain, unless a column with a fault explains it"
    if abs(row["null_change"]) >= _NULLS:
        return f"{'more' if row['null_change'] > 0 else 'fewer'} nulls: look at what fills it"
    share = row["score_share"]
    if math.isnan(share) or abs(share) >= _NEARLY_NONE:
        return "watch: the score has hardly changed"
    return "moves the score: retrain if it is real" if share >= _MATTERS else "watch: moves the score little"


def alarms_section(page: Page) -> Markup:
    """A few lines for the home page: what drifted, by monitor."""
    try:
        names = monitors(page)
    except SparkmlError as error:
        return section("Monitoring", note(str(error), "bad"))
    if not names:
        return section("Monitoring", empty("Nothing is monitored yet.", "sparkml-track monitor --config CONFIG"))
    parts = [_in_short(page, name) for name in names[:_MONITORS]]
    more = [note(page.link(f"{len(names) - _MONITORS} more", "monitoring"))] if len(names) > _MONITORS else []
    return section("Monitoring", *parts, *more)


def _in_short(page: Page, monitor: str) -> Markup:
    """One monitor; what cannot be read costs its own line."""
    where = page.link(monitor, "monitoring", monitor=monitor)
    try:
        found = verdicts(page, Choice(monitor))
    except SparkmlError as error:
        return note(Markup("{}: {}").format(where, error), "bad")
    drifted = [row for row in found if row["state"] == "drift"]
    if not drifted:
        said = "could not be judged yet: too few rows" if not found else f"{len(found)} columns are as in the baseline"
        return note(Markup("{}: {}.").format(where, said))
    # The score first: it is what people act on.
    first = sorted(drifted, key=lambda row: row["column"] != _SCORE)[:_SHOWN]
    links = [page.link(row["column"], "monitoring", monitor=monitor, column=row["column"]) for row in first]
    lines = [Markup("{} {}").format(name, _since(row)) for name, row in zip(links, first, strict=True)]
    more = f", and {len(drifted) - len(first)} more" if len(drifted) > len(first) else ""
    said = Markup("{}: {} of {} columns have drifted: {}{}.")
    return note(said.format(where, len(drifted), len(found), Markup(", ").join(lines), more), "warn")


def _line(page: Page, choice: Choice, row: Mapping[str, Any]) -> Sequence[object]:
    name = page.link(row["column"], "monitoring", monitor=choice.monitor, column=row["column"])
    share = row["score_share"]
    told = f"{share:.0%}" if abs(share) < _NEARLY_NONE else ""
    mean = "" if math.isnan(row["mean_change"]) else f"{row['mean_change']:+.4g}"
    nulls = f"{row['null_change']:+.1%}" if row["null_change"] else ""
    return (name, row["since"], row["windows"], number(round(row["psi"], 3)), mean, nulls, told, to_do(row))


def _since(row: Mapping[str, Any]) -> str:
    return f"since {row['since']} (PSI {row['psi']:.2f})"
