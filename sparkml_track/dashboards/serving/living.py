"""Endpoints that were put to work, and what they answer now."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from typing import TYPE_CHECKING
from urllib.error import HTTPError, URLError
from urllib.request import HTTPRedirectHandler, build_opener

from sparkml_track.dashboards.asked import remembered
from sparkml_track.dashboards.blocks import Markup, empty, section, state, table
from sparkml_track.dashboards.page import Page

if TYPE_CHECKING:
    from sparkml_track.pipeline.deployment.kept import Deployment

__all__ = ["known", "living", "parsed", "quantile"]

_SECONDS = 1.0  # for an answer; nobody waits longer for a page
_KEPT = 5  # seconds for which an answer holds
_MOST = 1_000_000  # bytes of an answer
_SHOWN = 10
_SERIES = re.compile(r"sparkml_serving_(\w+)(?:\{(.*)\})? (\S+)")
_BOUND = re.compile(r'(?:^|,)le="([^"]*)"')
_WRONG = (OSError, ValueError, HTTPException)  # what asking raises: whatever listens there may answer anything


class _Nowhere(HTTPRedirectHandler):
    """An endpoint sends nobody elsewhere."""

    def redirect_request(self, *_: object, **__: object) -> None:
        """Follows none."""


def known(page: Page) -> Sequence[Deployment]:
    """The endpoint that each project put to work last, of the first projects."""
    from sparkml_track.pipeline.deployment.kept import deployments

    asked = _projects(page)[:_SHOWN]
    made = ([each for each in deployments(page.home, project) if each.to == "endpoint"] for project in asked)
    return [last for found in made for last in found[-1:]]


def living(page: Page) -> Markup:
    """Each endpoint: whether it answers, and what it has counted since it began."""
    found = known(page)
    if not found:
        why = "No endpoint was put to work by `deploy`, so none can be asked how it is."
        return section("Endpoints", empty(why, "sparkml-track deploy CONFIG"))
    head = ("project", "address", "now", "requests", "sent away", "in hand", "median", "95 %", "not recorded", "since")
    with ThreadPoolExecutor(len(found)) as pool:  # one that is silent keeps none of the others waiting
        answers = list(pool.map(lambda one: _answer(page, str(one.where)), found))
    rows = [_line(one, *answer) for one, answer in zip(found, answers, strict=True)]
    more = len(_projects(page)) - _SHOWN
    said = f" {more} more projects are not asked." if more > 0 else ""
    return section("Endpoints", table(head, rows), about=f"What each says of itself.{said}")


def parsed(text: str) -> dict[tuple[str, str], float]:
    """Counts by name and labels, of the text that Prometheus reads; other lines are left out."""
    found: dict[tuple[str, str], float] = {}
    for match in filter(None, map(_SERIES.fullmatch, text.splitlines())):
        if (value := _number(match[3])) is not None and math.isfinite(value):
            found[match[1], match[2] or ""] = value
    return found


def quantile(counts: Mapping[tuple[str, str], float], share: float) -> float | None:
    """Seconds, between the bounds of a bucket as if times lay evenly there; None without requests."""
    buckets: dict[float, float] = {}
    for (name, labels), count in counts.items():
        bound = _bound(labels) if name == "request_seconds_bucket" else None
        if bound is not None:
            buckets[bound] = buckets.get(bound, 0.0) + count
    total = buckets[max(buckets)] if buckets else 0.0
    low, before = 0.0, 0.0
    for bound, count in sorted(buckets.items()):
        if total > 0 and count >= share * total:
            return low if bound == float("inf") else low + (bound - low) * (share * total - before) / (count - before)
        low, before = bound, count
    return None


def _projects(page: Page) -> list[str]:
    return sorted(path.name for path in page.home.deployments.glob("*") if path.is_dir())


def _answer(page: Page, where: str) -> tuple[str, dict[tuple[str, str], float]]:
    return remembered(page, ("endpoint", where), (int(time.time()) // _KEPT,), lambda: _asked(where))


def _line(one: Deployment, said: str, counts: Mapping[tuple[str, str], float]) -> Sequence[object]:
    middle, late = (quantile(counts, share) for share in (0.5, 0.95))
    figures = [
        _sum(counts, "requests_total"),
        _sum(counts, "rejected_total"),
        _sum(counts, "in_hand"),
        "" if middle is None else f"{middle * 1000:.3g} ms",
        "" if late is None else f"{late * 1000:.3g} ms",
        _sum(counts, "record_dropped_total"),
    ]
    shown = state(said) if said in ("alive", "failed") else said
    return (one.project, one.where, shown, *figures, f"{str(one.at)[:16]} by {one.by}, {one.model}/{one.version}")


def _sum(counts: Mapping[tuple[str, str], float], name: str) -> str:
    found = [count for (of, _), count in counts.items() if of == name]
    return f"{sum(found):,.0f}" if found else ""


def _bound(labels: str) -> float | None:
    """Up to which time a bucket counts; there may be other labels."""
    found = _BOUND.search(labels)
    value = _number(found[1]) if found else None
    return None if value is None or math.isnan(value) else value


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _asked(where: str) -> tuple[str, dict[tuple[str, str], float]]:
    """Whether it answers, in a word or a sentence, and its counts if it gives them to everybody."""
    try:
        _get(f"{where}/health")
    except _WRONG as error:
        return (f"does not answer: {getattr(error, 'reason', error)}", {})
    try:
        return "alive", parsed(_get(f"{where}/metrics"))
    except HTTPError as error:
        return f"alive; its counts need its token ({error.code})", {}
    except _WRONG:
        return "alive; it gives no counts", {}


def _get(url: str) -> str:
    if not url.startswith(("http://", "https://")):
        raise URLError("not an address of HTTP")
    with build_opener(_Nowhere).open(url, timeout=_SECONDS) as answer:
        text: bytes = answer.read(_MOST)
    return text.decode("utf-8", "replace")
