"""Which monitor, slice, measure and column there are to look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import MappingProxyType

from sparkml_track.dashboards.asked import Rows, ask, lake, written
from sparkml_track.dashboards.page import Page
from sparkml_track.dashboards.stamps import Stamp
from sparkml_track.errors import InvalidInput
from sparkml_track.readable import clock_time

__all__ = [
    "IN_ORDER",
    "LAST_RUN",
    "MEASURES",
    "OF_SLICE",
    "Choice",
    "changed",
    "columns",
    "measures",
    "moments",
    "monitors",
    "runs",
    "slices",
]

#: Of drift: a measure's column to its name for people. The last two may be below zero.
MEASURES: Mapping[str, str] = MappingProxyType(
    {
        "psi": "PSI",
        "js": "Jensen-Shannon distance",
        "ks": "Kolmogorov-Smirnov distance",
        "tv": "total variation",
        "l_infinity": "largest change of a bin",
        "null_change": "change of the share of nulls",
        "score_change": "change of the score that it explains",
    }
)
#: Conditions that go with ``Choice.params``.
OF_SLICE = "slice_key IS NOT DISTINCT FROM $key AND slice_value IS NOT DISTINCT FROM $value AND monitored_at <= $until"
#: Windows in their order: numbers by value, then text.
IN_ORDER = 'try_cast("window" AS DOUBLE) NULLS LAST, "window"'
#: The rows of the last run.
LAST_RUN = "monitored_at = (SELECT max(monitored_at) FROM {0} WHERE monitored_at <= $until)"
_EVER = datetime(9999, 1, 1, tzinfo=UTC)
#: Each may be there before the next is written.
_DRAWN = ("drift", "profile", "verdict", "quality", "calibration", "fairness")
_ALL, _NOW = "all rows", "the last run"


@dataclass(frozen=True, slots=True)
class Choice:
    """What somebody looks at.

    Attributes:
        monitor: what the names of its tables begin with.
        slice: column and value of the rows; None and None for all.
        measure: one of ``MEASURES``.
        column: one of those that are watched.
        until: as of this moment: later runs are left out.
    """

    monitor: str
    slice: tuple[str | None, str | None] = (None, None)
    measure: str = "psi"
    column: str = ""
    until: datetime | None = None

    def __post_init__(self) -> None:
        if self.measure not in MEASURES:
            raise InvalidInput(f"the measure is {self.measure!r}, allowed are {', '.join(MEASURES)}")

    def of(self, column: str) -> Choice:
        """The same of another column."""
        return replace(self, column=column)

    def table(self, what: str) -> str:
        """The name of one of its tables."""
        return f"{self.monitor}_{what}"

    @property
    def params(self) -> dict[str, object]:
        """For ``OF_SLICE``."""
        return {"key": self.slice[0], "value": self.slice[1], "until": self.until or _EVER}


def monitors(page: Page) -> list[str]:
    """What the names of tables of monitoring begin with, the last written first."""
    names = set(lake(page).names())
    found = [name.removesuffix("_drift") for name in names if name.endswith("_drift")]
    ours = sorted(name for name in found if f"{name}_profile" in names)
    return sorted(ours, key=lambda name: written(page, f"{name}_drift"), reverse=True)


def slices(page: Page, monitor: str) -> dict[str, tuple[str | None, str | None]]:
    """The slices that the last run judged, by their names for people; all rows first."""
    text = f"""SELECT DISTINCT slice_key, slice_value FROM drift
        WHERE slice_key IS NOT NULL AND {LAST_RUN.format("drift")} ORDER BY ALL"""
    found = ask(page, text, {"until": _EVER}, drift=f"{monitor}_drift")
    named = {f"{row['slice_key']} = {row['slice_value']}": (row["slice_key"], row["slice_value"]) for row in found}
    return {_ALL: (None, None), **named}


def measures() -> dict[str, str]:
    """The measures of drift: names for people to columns."""
    return {name: column for column, name in MEASURES.items()}


def columns(page: Page, monitor: str) -> list[str]:
    """What was watched in the last run, what moved most first."""
    text = f"""SELECT "column", max(psi) FILTER (WHERE NOT isnan(psi)) AS most FROM drift
        WHERE against = 'baseline' AND slice_key IS NULL AND {LAST_RUN.format("drift")}
        GROUP BY "column" ORDER BY most DESC NULLS LAST, "column" """
    return [row["column"] for row in ask(page, text, {"until": _EVER}, drift=f"{monitor}_drift")]


def runs(page: Page, monitor: str, most: int = 100) -> Rows:
    """The last runs, each with its ``moment``, ``columns``, ``alarms`` and its last ``window``; the newest first."""
    text = f"""SELECT run_id, monitored_at AS moment, count(DISTINCT "column") AS columns,
            count(*) FILTER (WHERE verdict = 'drift') AS alarms,
            last("window" ORDER BY {IN_ORDER.replace("NULLS LAST", "NULLS FIRST")}) AS "window"
        FROM drift WHERE against = 'baseline' AND slice_key IS NULL
        GROUP BY run_id, monitored_at ORDER BY moment DESC LIMIT {most:d}"""
    return ask(page, text, drift=f"{monitor}_drift")


def moments(page: Page, monitor: str) -> dict[str, datetime | None]:
    """What the page may be shown as of: now, or after one of the last runs."""
    return {_NOW: None, **{clock_time(row["moment"].timestamp()): row["moment"] for row in runs(page, monitor)}}


def changed(page: Page, monitor: str | None) -> Stamp:
    """When a monitor last ran."""
    return written(page, *(f"{monitor}_{what}" for what in _DRAWN if monitor))
