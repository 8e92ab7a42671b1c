"""How good the scores were, or are thought to be before labels come."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from sparkml_track.dashboards.asked import Rows, ask, there
from sparkml_track.dashboards.blocks import Markup, empty, section, table
from sparkml_track.dashboards.charts import COLOURS, chart, label
from sparkml_track.dashboards.monitoring.chosen import IN_ORDER, OF_SLICE, Choice
from sparkml_track.dashboards.page import Page
from sparkml_track.readable import told_apart

__all__ = ["MEASURES", "fairness", "figures", "measured", "quality"]

#: A measure's column to its name for people, in the order in which they are offered.
MEASURES: Mapping[str, str] = MappingProxyType(
    {
        "log_loss": "log loss",
        "auc": "AUC",
        "brier": "Brier score",
        "calibration": "mean score less base rate",
        "ece": "calibration error",
        "accuracy": "accuracy",
        "precision": "precision",
        "recall": "recall",
        "f1": "F1",
        "base_rate": "base rate",
        "mean_score": "mean score",
        "rmse": "RMSE",
        "mae": "MAE",
        "r2": "R2",
        "bias": "bias",
        "ndcg_at": "NDCG",
        "precision_at": "precision of the first",
        "recall_at": "recall of the first",
        "coverage": "share with a label",
    }
)
_WINDOWS = 60
_LOOKS = (
    ("in the baseline", COLOURS[6], "dot", "square"),
    ("measured", COLOURS[0], "solid", "circle"),
    ("estimated", COLOURS[1], "dash", "diamond-open"),
)


def figures(page: Page, choice: Choice) -> dict[str, str]:
    """The measures that there are, as names for people to columns."""
    rows = _rows(page, choice)
    return {name: column for column, name in MEASURES.items() if any(_known(row[column]) for row in rows)}


def quality(page: Page, choice: Choice, measure: str) -> Any:
    """One measure by window: measured, estimated, and in the baseline."""
    rows = _rows(page, choice)
    if measure not in MEASURES or not rows:
        why = "No label is known yet, or none was given: quality needs `label:` in the config."
        return section("Quality", empty(why, "sparkml-track monitor --config CONFIG"))
    windows = list(dict.fromkeys(row["window"] for row in rows))
    names = dict(zip(windows, told_apart(map(label, windows)), strict=True))
    lines = []
    for name, colour, dash, symbol in _LOOKS:
        own = {names[row["window"]]: row[measure] for row in rows if _how(row) == name and _known(row[measure])}
        look = {"line": {"color": colour, "dash": dash}, "marker": {"symbol": symbol, "size": 9}}
        points = {"name": name, "x": list(own), "y": list(own.values())}
        lines += [{"type": "scatter", "mode": "lines+markers"} | points | look] if own else []
    axes = {"type": "category", "categoryorder": "array", "categoryarray": list(names.values())}
    return chart(lines, yaxis={"title": MEASURES[measure]}, xaxis=axes)


def measured(page: Page, choice: Choice) -> Markup:
    """The main measures as a table."""
    rows = _rows(page, choice)
    if not rows:
        return Markup()
    names = [name for name in figures(page, choice).values() if name != "coverage"][:8]
    lines = [
        (row["window"], _how(row), f"{row['rows']:,}", _share(row["coverage"]), *(_number(row[name]) for name in names))
        for row in rows
    ]
    said = "An estimate is made from scores alone: where labels change while scores do not, it does not see that."
    head = ("window", "how", "rows", "with a label", *(MEASURES[name] for name in names))
    return section("", table(head, lines), about=said)


def fairness(page: Page, choice: Choice) -> Markup:
    """How far the slices of a column are apart; nothing where there are none."""
    if not there(page, choice.table("fairness")):
        return Markup()
    last = ", ".join(
        f"arg_max({name}, monitored_at) AS {name}"
        for name in ("slices", "demographic_parity", "least_selected", "equal_opportunity", "least_found")
    )
    text = f"""SELECT "window", in_baseline, slice_key, {last} FROM fairness WHERE monitored_at <= $until
        GROUP BY "window", in_baseline, slice_key ORDER BY slice_key, {IN_ORDER}"""
    rows = ask(page, text, {"until": choice.params["until"]}, fairness=choice.table("fairness"))
    head = ("by", "window", "slices", "selected: range", "lowest", "found: range", "lowest")
    lines = [_fair(row) for row in rows[-_WINDOWS:]]
    said = "The highest share less the lowest: of rows that get class 1, and of rows of label 1 that get it."
    return section("Fairness", table(head, lines), about=said) if lines else Markup()


def _fair(row: Mapping[str, Any]) -> Sequence[object]:
    window = f"{row['window']} (baseline)" if row["in_baseline"] else row["window"]
    parity, found = _number(row["demographic_parity"]), _number(row["equal_opportunity"])
    return (row["slice_key"], window, row["slices"], parity, row["least_selected"], found, row["least_found"])


def _rows(page: Page, choice: Choice) -> Rows:
    """The last word on each window, measured and estimated."""
    if not there(page, choice.table("quality")):
        return []
    text = f"""SELECT * FROM quality WHERE {OF_SLICE}
        QUALIFY row_number() OVER (PARTITION BY "window", in_baseline, how ORDER BY monitored_at DESC) = 1
        ORDER BY {IN_ORDER}, how"""
    found = ask(page, text, choice.params, quality=choice.table("quality"))
    return [row for row in found if not _outdated(row, found)][-_WINDOWS:]


def _outdated(row: Mapping[str, Any], rows: Rows) -> bool:
    """An estimate of an earlier run, where a later one measured the window."""
    if row["how"] != "estimated":
        return False
    later = (each for each in rows if each["window"] == row["window"] and each["how"] == "measured")
    return any(not each["in_baseline"] and each["monitored_at"] > row["monitored_at"] for each in later)


def _how(row: Mapping[str, Any]) -> str:
    return "in the baseline" if row["in_baseline"] else str(row["how"])


def _known(value: object) -> bool:
    return isinstance(value, float) and math.isfinite(value)


def _number(value: float | None) -> str:
    return f"{value:.4g}" if value is not None and math.isfinite(value) else ""


def _share(value: float | None) -> str:
    return f"{value:.0%}" if value is not None and math.isfinite(value) else ""
