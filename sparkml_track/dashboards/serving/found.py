"""Which inference tables there are, and which part of time is looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType

from sparkml_track.dashboards.asked import ask, lake, written
from sparkml_track.dashboards.page import Page
from sparkml_track.dashboards.stamps import Stamp
from sparkml_track.errors import SparkmlError

__all__ = ["SPANS", "Span", "changed", "endpoints", "moment", "span"]

_HOUR = 3_600_000
#: Milliseconds before the last request; None for all.
SPANS: Mapping[str, int | None] = MappingProxyType(
    {"1 day": 24 * _HOUR, "1 hour": _HOUR, "7 days": 168 * _HOUR, "30 days": 720 * _HOUR, "all": None}
)
#: Milliseconds that a point of a figure may stand for.
_WIDTHS = (1000, 5000, 15_000, 60_000, 300_000, 900_000, _HOUR, 6 * _HOUR, 24 * _HOUR, 168 * _HOUR)
_POINTS = 120


@dataclass(frozen=True, slots=True)
class Span:
    """A part of time.

    Attributes:
        first: of its requests, milliseconds since the epoch.
        last: likewise.
        requests: how many.
        width: milliseconds that a point of a figure stands for.
    """

    first: int
    last: int
    requests: int
    width: int

    @property
    def params(self) -> dict[str, object]:
        """For queries."""
        return {"first": self.first, "width": self.width}


def endpoints(page: Page) -> list[str]:
    """What the names of inference tables begin with, the last written first."""
    names = set(lake(page).names())
    found = [name.removesuffix("_payload") for name in names if name.endswith("_payload")]
    ours = sorted(name for name in found if _is_payload(page, f"{name}_payload"))
    return sorted(ours, key=lambda name: written(page, f"{name}_payload"), reverse=True)


def span(page: Page, prefix: str, milliseconds: int | None) -> Span | None:
    """The last part of time; None where nothing was requested."""
    table = {"payload": f"{prefix}_payload"}
    (ends,) = ask(page, "SELECT min(timestamp_ms) AS first, max(timestamp_ms) AS last FROM payload", **table)
    if ends["last"] is None:
        return None
    first = ends["first"] if milliseconds is None else max(ends["last"] - milliseconds, ends["first"])
    text = "SELECT count(*) AS requests FROM payload WHERE timestamp_ms >= $first"
    (counted,) = ask(page, text, {"first": first}, **table)
    wanted = (ends["last"] - first) / _POINTS
    width = next((each for each in _WIDTHS if each >= wanted), _WIDTHS[-1])
    return Span(first, ends["last"], counted["requests"], width)


def moment(milliseconds: float) -> datetime:
    """A time of a record, UTC."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def changed(page: Page, prefix: str | None, labels: str | None = None) -> Stamp:
    """When something was last served, or labels of it came."""
    return written(
        page, *(f"{prefix}_{what}" for what in ("payload", "rows", "shadow") if prefix), *filter(None, [labels])
    )


def _is_payload(page: Page, name: str) -> bool:
    """Whether it has what an endpoint records; one that cannot be read is shown, with the reason."""
    try:
        return {"timestamp_ms", "status_code", "execution_time_ms"} <= set(lake(page).describe(name).columns)
    except SparkmlError:
        return True
