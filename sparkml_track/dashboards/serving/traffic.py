"""Requests, latency and errors over time, and by version."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparkml_track.dashboards.asked import Rows
from sparkml_track.dashboards.blocks import Markup, empty, more, note, section, table, tiles
from sparkml_track.dashboards.charts import BAD, chart, label
from sparkml_track.dashboards.page import Page
from sparkml_track.dashboards.serving import counted
from sparkml_track.dashboards.serving.found import Span, moment
from sparkml_track.dashboards.serving.found import span as span_of

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["by_version", "errors", "latency", "nothing", "overview", "requests", "scores"]

_HEAD = (
    *("model", "version", "alias", "role", "requests", "errors", "rows", "no score", "mean score", "median", "95 %"),
    *("first, UTC", "last, UTC"),
)
_SHOWN = 12  # versions and statuses that are told apart
_VERSIONS = 50  # in the table
_WRONG, _BROKEN = 400, 500


def nothing(page: Page, prefix: str | None) -> Markup:
    """What stands where nothing was ever served.

    Raises:
        TableError: something was, and cannot be read.
    """
    if prefix is not None:
        span_of(page, prefix, None)
    return section("Requests", empty("No endpoint has recorded a request yet.", "sparkml-track serve MODEL"))


def overview(page: Page, prefix: str, span: Span) -> Markup:
    """How many requests, how quick, how many errors."""
    found = counted.requests(page, prefix, span)
    by_status = {row["status"]: row["n"] for row in counted.grouped(found, ["status"], ["n"])}
    refused = sum(n for status, n in by_status.items() if _WRONG <= status < _BROKEN)
    failed = sum(n for status, n in by_status.items() if status >= _BROKEN)
    times = counted.quantiles(counted.grouped(found, ["bucket"], ["n"]))
    numbers = tiles(
        (
            ("requests", f"{span.requests:,}"),
            *((name, _ms(value)) for name, value in zip(("median", "95 %", "99 %"), times, strict=True)),
            ("refused, 4xx", f"{refused:,}", "bad" if refused else ""),
            ("failed, 5xx", f"{failed:,}", "bad" if failed else ""),
            ("last request, UTC", f"{moment(span.last):%Y-%m-%d %H:%M:%S}"),
        )
    )
    return Markup().join([numbers, *_notes(page, prefix, found)])


def requests(page: Page, prefix: str, span: Span) -> Any:
    """Requests over time, by version."""
    found = counted.grouped(counted.requests(page, prefix, span), ["moment", "version", "alias"], ["n"])
    lines = [_bars(name, own, "n") for name, own in _parted(_by_version(found), ["n"])]
    return chart(lines, yaxis={"title": f"requests in {_width(span)}"}, barmode="stack", bargap=0.05)


def latency(page: Page, prefix: str, span: Span) -> Any:
    """Quantiles of the time until the answer was made."""
    found = counted.grouped(counted.requests(page, prefix, span), ["moment", "bucket"], ["n"])
    by_moment: dict[int, Rows] = {}
    for row in found:
        by_moment.setdefault(row["moment"], []).append(row)
    x, times = list(map(moment, by_moment)), [counted.quantiles(own) for own in by_moment.values()]
    lines = [
        {"type": "scatter", "mode": "lines+markers", "name": name, "x": x, "y": [each[at] for each in times]}
        for at, name in enumerate(("median", "95 %", "99 %"))
    ]
    return chart(lines, yaxis={"title": "ms to the answer", "rangemode": "tozero"})


def errors(page: Page, prefix: str, span: Span) -> Any:
    """Answers that were no predictions, by status; a sentence where there are none."""
    found = counted.grouped(counted.requests(page, prefix, span), ["moment", "status"], ["n"])
    wrong = [row for row in found if row["status"] >= _WRONG]
    if not wrong:
        return section("", note(f"Each of {span.requests:,} requests was answered with a prediction."))
    names = sorted({row["status"] for row in wrong}, reverse=True)  # the lowest are told apart
    parts = {str(name): [row for row in wrong if row["status"] == name] for name in names}
    lines = [_bars(name, own, "n") for name, own in _parted(parts, ["n"])][::-1]
    lines[0] |= {"marker": {"color": BAD}}
    return chart(lines, yaxis={"title": f"errors in {_width(span)}"}, barmode="stack", bargap=0.05)


def by_version(page: Page, prefix: str, span: Span) -> Markup:
    """Each version and alias: its requests, rows, problems and times."""
    found, by = counted.requests(page, prefix, span), ["version", "alias"]
    ends = {"first": "min", "last": "max", "model": "max", "role": "max"}
    times, bad = (
        _by(counted.grouped(found, [*by, "bucket"], ["n"])),
        _by(counted.grouped(found, [*by, "status"], ["n"])),
    )
    served = counted.rows(page, prefix, span)
    rows = _by(counted.grouped(served, by, ["n", "problems", "scores", "scored"])) if served is not None else {}
    lines, there = [], sorted(counted.grouped(found, by, ["n"], **ends), key=lambda row: -row["last"])
    for row in there[:_VERSIONS]:
        key = row["version"], row["alias"]
        wrong = sum(each["n"] for each in bad[key] if each["status"] >= _WRONG)
        lines.append(_line(page, row, wrong, rows.get(key, [None])[0], counted.quantiles(times[key])))
    said = "Shadows answer nobody: their rows are not here." + more(len(there), len(lines), "versions")
    return section("By version", table(_HEAD, lines), about=said)


def scores(page: Page, prefix: str, span: Span) -> Any:
    """The mean score over time, by version; nothing where scores are no numbers."""
    served = counted.rows(page, prefix, span) if counted.has_scores(page, prefix) else None
    if served is None:
        return Markup()
    found = counted.grouped(served, ["moment", "version", "alias"], ["scores", "scored"])
    parts = _parted(_by_version([row for row in found if row["scored"]]), ["scores", "scored"])
    means = [(name, [row | {"score": row["scores"] / row["scored"]} for row in own]) for name, own in parts]
    look = {"type": "scatter", "mode": "lines+markers"}
    return chart([_bars(name, own, "score") | look for name, own in means], yaxis={"title": "mean score"})


def _notes(page: Page, prefix: str, found: pa.Table) -> Iterable[Markup]:
    (ends,) = counted.grouped(found, [], [], kept="min")
    if ends["kept"] is not None and ends["kept"] < 1:
        share = f"at times {ends['kept']:.1%}"
        yield note(f"Only a share of requests was kept, {share}: counts are of what was kept.")
    if waiting := sum(map(_size, _spooled(page.home.inference(prefix)))):
        yield note(f"Records of {waiting:,} bytes are on disk and not in the tables yet.")


def _line(
    page: Page, row: Mapping[str, Any], wrong: int, own: Mapping[str, Any] | None, times: Sequence[float | None]
) -> Sequence[object]:
    name, version = row["model"], row["version"]
    model = page.link(version, "models", model=name, version=version) if version is not None else ""
    score = f"{own['scores'] / own['scored']:.4g}" if own and own["scored"] else ""
    served = (f"{own['n']:,}", f"{own['problems']:,}") if own else ("", "")
    ends = (f"{moment(row[end]):%Y-%m-%d %H:%M:%S}" for end in ("first", "last"))
    head = (name, model, row["alias"], row["role"], f"{row['n']:,}", f"{wrong:,}")
    return (*head, *served, score, *map(_ms, times[:2]), *ends)


def _by(rows: Rows) -> dict[tuple[object, object], Rows]:
    found: dict[tuple[object, object], Rows] = {}
    for row in rows:
        found.setdefault((row["version"], row["alias"]), []).append(row)
    return found


def _by_version(rows: Rows) -> dict[str, Rows]:
    """By version and alias, those that came first first."""
    return {_who(*key): own for key, own in _by(rows).items()}


def _parted(parts: Mapping[str, Rows], sums: Sequence[str]) -> Iterable[tuple[str, Rows]]:
    """The last parts, and before them what all others have together at each moment: nothing is left out."""
    names = list(parts)
    others = names[:-_SHOWN]
    if others:
        by_moment: dict[int, dict[str, Any]] = {}
        for row in (row for name in others for row in parts[name]):
            one = by_moment.setdefault(row["moment"], {"moment": row["moment"], **dict.fromkeys(sums, 0)})
            one |= {name: one[name] + row[name] for name in sums}
        yield f"{len(others)} other{'s' if len(others) > 1 else ''}", [by_moment[at] for at in sorted(by_moment)]
    yield from ((name, parts[name]) for name in names[-_SHOWN:])


def _who(version: object, alias: object) -> str:
    return "no version" if version is None else f"version {version} ({alias or 'by number'})"


def _bars(name: str, rows: Rows, of: str) -> dict[str, object]:
    points: dict[str, object] = {"x": [moment(row["moment"]) for row in rows], "y": [row[of] for row in rows]}
    return {"type": "bar", "name": label(name)} | points


def _ms(value: float | None) -> str:
    return "" if value is None else f"{value:.3g} ms"


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
