"""One pass over what an endpoint recorded: counts that are small enough to put together in many ways.

Times are counted in buckets that are 3 % wide, so quantiles are right to 2 %. A pass over ten million requests then
gives some ten thousand counts, of which all figures of the page are made.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sparkml_track.dashboards.asked import Rows, arrow, lake, there
from sparkml_track.dashboards.page import Page
from sparkml_track.dashboards.serving.found import Span, moment

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["SHARES", "grouped", "has_scores", "quantiles", "requests", "rows"]

#: The quantiles that are shown.
SHARES = (0.5, 0.95, 0.99)
_STEPS = 32  # buckets for each factor e


def requests(page: Page, prefix: str, span: Span) -> pa.Table:
    """Counts ``n`` by ``moment``, ``version``, ``alias``, ``status`` and ``bucket`` of the time that it took."""
    text = f"""SELECT timestamp_ms // $width * $width AS moment, model_version AS version, alias,
            status_code AS status, CAST(ln(greatest(execution_time_ms, 0.001)) * {_STEPS} AS INTEGER) AS bucket,
            count(*) AS n, min(timestamp_ms) AS first, max(timestamp_ms) AS last, any_value(model_name) AS model,
            any_value(role) AS role, min(sampling_fraction) AS kept
        FROM payload WHERE timestamp_ms >= $first GROUP BY 1, 2, 3, 4, 5"""
    return arrow(page, text, span.params, payload=f"{prefix}_payload")


def rows(page: Page, prefix: str, span: Span) -> pa.Table | None:
    """Rows ``n``, ``problems``, and the sum of ``scores`` of ``scored`` rows by ``moment``, ``version`` and ``alias``.

    None where there are no rows.
    """
    if not there(page, f"{prefix}_rows"):
        return None
    known = "isfinite(score)" if has_scores(page, prefix) else "false"
    score = "score" if has_scores(page, prefix) else "0.0"
    text = f"""SELECT CAST(floor(epoch_ms(scored_at) / $width) * $width AS BIGINT) AS moment,
            model_version AS version, alias, count(*) AS n, count(problem) AS problems,
            coalesce(sum({score}) FILTER (WHERE {known}), 0) AS scores, count(*) FILTER (WHERE {known}) AS scored
        FROM served WHERE scored_at >= $since GROUP BY 1, 2, 3"""
    given = {"width": span.width, "since": moment(span.first)}
    return arrow(page, text, given, served=f"{prefix}_rows")


def has_scores(page: Page, prefix: str) -> bool:
    """Whether scores are numbers, which have a mean."""
    name = f"{prefix}_rows"
    return there(page, name) and lake(page).describe(name).columns.get("score") == "double"


def grouped(counted: pa.Table, by: Sequence[str], sums: Sequence[str], **ends: str) -> Rows:
    """Counts put together, in the order of ``by``.

    Args:
        counted: from ``requests`` or ``rows``.
        by: columns.
        sums: columns that are added up.
        ends: column to "min" or "max".
    """
    asked = [*((name, "sum") for name in sums), *ends.items()]
    found = counted.group_by(list(by)).aggregate(asked)
    names = [f"{name}_{how}" for name, how in asked]
    made = found.select([*by, *names]).rename_columns([*by, *(name for name, _ in asked)])
    result: Rows = made.sort_by([(name, "ascending") for name in by]).to_pylist() if by else made.to_pylist()
    return result


def quantiles(buckets: Iterable[Mapping[str, Any]], shares: Sequence[float] = SHARES) -> list[float | None]:
    """Milliseconds, of counts ``n`` by ``bucket``."""
    found = sorted((row["bucket"], row["n"]) for row in buckets if row["bucket"] is not None)
    total, seen = sum(count for _, count in found), 0
    made: list[float | None] = [None] * len(shares)
    for bucket, count in found:
        seen += count
        for place, share in enumerate(shares):
            if made[place] is None and seen >= share * total:
                made[place] = math.exp(bucket / _STEPS)
    return made
