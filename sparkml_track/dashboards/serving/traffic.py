"""Requests, latency and errors over time, and by version."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sparkml_track.dashboards.asked import Rows, ask, lake, there
from sparkml_track.dashboards.blocks import Markup, empty, note, section, table, tiles
from sparkml_track.dashboards.charts import BAD, chart, label
from sparkml_track.dashboards.page import Page
from sparkml_track.dashboards.serving.found import Span

__all__ = ["by_version", "errors", "latency", "nothing", "overview", "requests", "scores"]

_AT = "timestamp_ms // $width * $width AS moment"
_OF = "FROM payload WHERE timestamp_ms >= $first"
_WHO = "coalesce('version ' || model_version || ' (' || coalesce(alias, 'by number') || ')', 'no version')"
_HEAD = (
    *("model", "version", "alias", "role", "requests", "errors", "rows", "no score", "mean score", "median", "95 %"),
    *("first, UTC", "last, UTC"),
)
_SHOWN = 12  # versions and statuses that are told apart


def nothing() -> Markup:
    """What stands where nothing was ever served."""
    return section("Requests", empty("No endpoint has recorded a request yet.", "sparkml-track serve MODEL"))


def overview(page: Page, prefix: str, span: Span) -> Markup:
    """How many requests, how quick, how many errors."""
    text = f"""SELECT count(*) FILTER (WHERE status_code >= 500) AS failed,
        count(*) FILTER (WHERE status_code BETWEEN 400 AND 499) AS refused,
        quantile_cont(execution_time_ms, [0.5, 0.95, 0.99]) AS quantiles,
        min(sampling_fraction) AS kept {_OF}"""
    (found,) = ask(page, text, {"first": span.first}, payload=f"{prefix}_payload")
    p50, p95, p99 = found["quantiles"] or (0.0, 0.0, 0.0)
    waiting = sum(_size(path) for path in _spooled(page.home.inference(prefix)))
    head = tiles(
        (
            ("requests", f"{span.requests:,}"),
            ("median", f"{p50:.3g} ms"),
            ("95 %", f"{p95:.3g} ms"),
            ("99 %", f"{p99:.3g} ms"),
            ("refused, 4xx", f"{found['refused']:,}", "bad" if found["refused"] else ""),
            ("failed, 5xx", f"{found['failed']:,}", "bad" if found["failed"] else ""),
            ("last request, UTC", f"{_time(span.last):%Y-%m-%d %H:%M:%S}"),
        )
    )
    said = []
    if found["kept"] is not None and found["kept"] < 1:
        said.append(
            note(f"Only a share of requests was kept, at times {found['kept']:.1%}: counts are of what was kept.")
        )
    if waiting:
        said.append(note(f"Records of {waiting:,} bytes are on disk and not in the tables yet."))
    return Markup().join([head, *said])


def requests(page: Page, prefix: str, span: Span) -> Any:
    """Requests over time, by version."""
    text = f"SELECT {_AT}, {_WHO} AS who, count(*) AS n {_OF} GROUP BY ALL ORDER BY moment"
    found = ask(page, text, span.params, payload=f"{prefix}_payload")
    lines = [_bars(name, own, "n") for name, own in _parted(found, "who")]
    return chart(lines, yaxis={"title": f"requests in {_width(span)}"}, barmode="stack", bargap=0.05)


def latency(page: Page, prefix: str, span: Span) -> Any:
    """Quantiles of the time until the answer was made."""
    text = f"""SELECT {_AT}, quantile_cont(execution_time_ms, [0.5, 0.95, 0.99]) AS quantiles
        {_OF} GROUP BY moment ORDER BY moment"""
    found = ask(page, text, span.params, payload=f"{prefix}_payload")
    x = [_time(row["moment"]) for row in found]
    lines = [
        {"type": "scatter", "mode": "lines+markers", "name": name, "x": x, "y": [r["quantiles"][at] for r in found]}
        for at, name in enumerate(("median", "95 %", "99 %"))
    ]
    return chart(lines, yaxis={"title": "ms to the answer", "rangemode": "tozero"})


def errors(page: Page, prefix: str, span: Span) -> Any:
    """Answers that were no predictions, by status; a sentence where there are none."""
    text = f"""SELECT {_AT}, CAST(status_code AS VARCHAR) AS status, count(*) AS n {_OF} AND status_code >= 400
        GROUP BY ALL ORDER BY moment"""
    found = ask(page, text, span.params, payload=f"{prefix}_payload")
    if not found:
        return section("", note(f"Each of {span.requests:,} requests was answered with a prediction."))
    lines = [_bars(name, own, "n") for name, own in _parted(found, "status")]
    lines[0] |= {"marker": {"color": BAD}}
    return chart(lines, yaxis={"title": f"errors in {_width(span)}"}, barmode="stack", bargap=0.05)


def by_version(page: Page, prefix: str, span: Span) -> Markup:
    """Each version and alias: its requests, rows, problems and times."""
    text = f"""SELECT model_name, model_version, alias, role, count(*) AS n,
        count(*) FILTER (WHERE status_code >= 400) AS bad, quantile_cont(execution_time_ms, [0.5, 0.95]) AS quantiles,
        min(timestamp_ms) AS first, max(timestamp_ms) AS last {_OF} GROUP BY ALL ORDER BY last DESC LIMIT 50"""
    found = ask(page, text, {"first": span.first}, payload=f"{prefix}_payload")
    rows = {(row["model_version"], row["alias"], row["role"]): row for row in _rows(page, prefix, span)}
    lines = [_line(page, row, rows.get((row["model_version"], row["alias"], row["role"]))) for row in found]
    return section("By version", table(_HEAD, lines), about="Shadows answer nobody: their rows are not here.")


def scores(page: Page, prefix: str, span: Span) -> Any:
    """The mean score over time, by version; nothing where scores are no numbers."""
    if not _has_scores(page, prefix):
        return Markup()
    text = f"""SELECT CAST(floor(epoch_ms(scored_at) / $width) * $width AS BIGINT) AS moment, {_WHO} AS who,
            avg(score) FILTER (WHERE isfinite(score)) AS score
        FROM served WHERE scored_at >= $since GROUP BY ALL ORDER BY moment"""
    given = {"width": span.width, "since": _time(span.first)}
    found = [row for row in ask(page, text, given, served=f"{prefix}_rows") if row["score"] is not None]
    lines = [
        _bars(name, own, "score") | {"type": "scatter", "mode": "lines+markers"} for name, own in _parted(found, "who")
    ]
    return chart(lines, yaxis={"title": "mean score"})


def _rows(page: Page, prefix: str, span: Span) -> Rows:
    if not there(page, f"{prefix}_rows"):
        return []
    score = "avg(score) FILTER (WHERE isfinite(score))" if _has_scores(page, prefix) else "NULL"
    text = f"""SELECT model_version, alias, role, count(*) AS n, count(problem) AS problems, {score} AS score
        FROM served WHERE scored_at >= $since GROUP BY ALL"""
    return ask(page, text, {"since": _time(span.first)}, served=f"{prefix}_rows")


def _has_scores(page: Page, prefix: str) -> bool:
    name = f"{prefix}_rows"
    return there(page, name) and lake(page).describe(name).columns.get("score") == "double"


def _line(page: Page, row: dict[str, Any], own: dict[str, Any] | None) -> Sequence[object]:
    name, version = row["model_name"], row["model_version"]
    model = page.link(version, "models", model=name, version=version) if version is not None else ""
    score = f"{own['score']:.4g}" if own and own["score"] is not None else ""
    counted = (f"{own['n']:,}", f"{own['problems']:,}") if own else ("", "")
    times = (f"{value:.3g} ms" for value in row["quantiles"])
    ends = (f"{_time(row[end]):%Y-%m-%d %H:%M:%S}" for end in ("first", "last"))
    return (name, model, row["alias"], row["role"], f"{row['n']:,}", f"{row['bad']:,}", *counted, score, *times, *ends)


def _parted(rows: Rows, by: str) -> Iterable[tuple[str, Rows]]:
    names = list(dict.fromkeys(row[by] for row in rows))[-_SHOWN:]
    return ((name, [row for row in rows if row[by] == name]) for name in names)


def _bars(name: str, rows: Rows, of: str) -> dict[str, object]:
    points: dict[str, object] = {"x": [_time(row["moment"]) for row in rows], "y": [row[of] for row in rows]}
    return {"type": "bar", "name": label(name)} | points


def _time(milliseconds: float) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _width(span: Span) -> str:
    seconds = span.width // 1000
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds % size == 0:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def _spooled(folder: Path) -> Iterable[Path]:
    return folder.glob("*/*.log") if folder.is_dir() else ()


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # brought into the tables meanwhile
        return 0
