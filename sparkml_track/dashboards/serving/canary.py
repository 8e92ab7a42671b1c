"""How a challenger stands beside the champion once labels are there, and how it stood at each look before."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sparkml_track.dashboards.asked import check, once, remembered, there, written
from sparkml_track.dashboards.blocks import Markup, note, section, tiles
from sparkml_track.dashboards.charts import COLOURS, chart, label
from sparkml_track.dashboards.page import Page
from sparkml_track.dashboards.serving.rivals import Rivals

if TYPE_CHECKING:
    import pyarrow as pa

    from sparkml_track.promotion import Judged

__all__ = ["Look", "looks", "sequence", "stands"]

_LOOKS = 15
_ROWS = 20_000  # of the challenger: the first ones, after which the better mean decides anyway


@dataclass(frozen=True, slots=True)
class Look:
    """What a look would have said.

    Attributes:
        rows: of the challenger with a label by then.
        judged: the verdict.
    """

    rows: int
    judged: Judged


def stands(page: Page, rivals: Rivals) -> Markup:
    """The verdict on all rows that have a label by now."""
    found = looks(page, rivals)
    if not found:
        said = f"No row that version {rivals.challenger} served has a label in {rivals.labels} yet."
        return section("Canary", note(said))
    last = found[-1].judged
    kind = {"withdraw": "bad", "promote": ""}.get(last.state, "")
    numbers = tiles(
        (
            ("verdict", last.state, kind),
            (f"{rivals.loss} of version {rivals.champion}", _figure(last.champion)),
            (f"{rivals.loss} of version {rivals.challenger}", _figure(last.challenger)),
            ("rows with a label", f"{last.rows:,}"),
            (
                "difference",
                f"{_figure(last.low)} to {_figure(last.high)}" if math.isfinite(last.low) else "too few rows",
            ),
        )
    )
    way = Markup("{}. To decide: <code>{} --apply</code>").format(last.reason, rivals.command)
    about = f"Version {rivals.challenger} against version {rivals.champion}, in the time in which both were served."
    return section("Canary", numbers, note(way), about=about)


def sequence(page: Page, rivals: Rivals) -> Any:
    """The difference of the mean losses with its bounds, look by look: they hold at all looks together."""
    found = [each for each in looks(page, rivals) if math.isfinite(each.judged.low)]
    if not found:
        return Markup()
    x = [each.rows for each in found]
    edge: dict[str, object] = {"type": "scatter", "mode": "lines", "x": x, "line": {"width": 0}, "showlegend": False}
    fill = {"fill": "tonexty", "fillcolor": "rgba(86,180,233,0.25)", "name": "not ruled out", "showlegend": True}
    middle = [each.judged.challenger - each.judged.champion for each in found]
    line: dict[str, object] = {"type": "scatter", "x": x}
    lines = [
        edge | {"y": [each.judged.low for each in found], "name": "least"},
        edge | {"y": [each.judged.high for each in found]} | fill,
        line | {"mode": "lines+markers", "name": "difference", "y": middle, "line": {"color": COLOURS[0]}},
        line | {"mode": "lines", "name": "as good", "y": [0] * len(x), "line": {"dash": "dot", "color": COLOURS[6]}},
    ]
    yaxis = {"title": label(f"difference of {rivals.loss}")}
    return chart(lines, yaxis=yaxis, xaxis={"title": "rows of the challenger with a label"})


def looks(page: Page, rivals: Rivals) -> Sequence[Look]:
    """What each of some looks would have said, the last on all rows.

    Raises:
        DataError: scores that are no probabilities, and the like.
    """
    tables = _tables(page, rivals)
    check(page, *tables.values())  # what is kept was perhaps made for somebody else
    return remembered(
        page, ("looks", rivals), written(page, *tables.values()), lambda: _looks(_labelled(page, rivals), rivals)
    )


def _looks(rows: pa.Table, rivals: Rivals) -> Sequence[Look]:
    from sparkml_track.promotion import Canary, Seen, judge

    places, columns = zip(*(_of(rows, version) for version in (rivals.champion, rivals.challenger)), strict=True)
    count = len(places[1])
    if not count:
        return []
    steps = sorted({math.ceil(count * step / _LOOKS) for step in range(1, _LOOKS + 1)})
    # Up to and with the row of the challenger that is the last of a look; the last look has all rows.
    ends = [places[1][step - 1] + 1 for step in steps[:-1]] + [rows.num_rows]
    found = []
    for step, end in zip(steps, ends, strict=True):
        cuts = [own.searchsorted(end) for own in places]
        seen = [Seen(*(each[:cut] for each in own)) for own, cut in zip(columns, cuts, strict=True)]
        found.append(Look(step, judge(Canary(rivals.loss), *seen)))
    return found


def _of(rows: pa.Table, version: int) -> tuple[Any, Sequence[Any]]:
    """Where the rows of a version are, in their order, with their keys, scores and labels.

    A key is a number here: texts would be compared anew at each look.
    """
    import numpy as np

    places = np.flatnonzero(rows["version"].to_numpy() == version)
    keys = rows["key"].combine_chunks().dictionary_encode().indices.to_numpy()
    return places, [each[places] for each in (keys, rows["score"].to_numpy(), rows["label"].to_numpy())]


def _tables(page: Page, rivals: Rivals) -> dict[str, str]:
    parts = {part: f"{rivals.prefix}_{part}" for part in ("rows", "shadow") if there(page, f"{rivals.prefix}_{part}")}
    return {**parts, "labels": rivals.labels}


def _labelled(page: Page, rivals: Rivals) -> pa.Table:
    """Rows of both versions that have one label, the first of each version and key, by time.

    Of the challenger those that it had as a challenger or a shadow: as a champion it has no rival.
    """
    tables = _tables(page, rivals)
    on = [_quoted(name) for name in rivals.on]
    columns = ", ".join([*on, "model_version", "role", "score", "scored_at"])
    union = " UNION ALL ".join(f"SELECT {columns} FROM {part}" for part in tables if part != "labels")
    joined = " AND ".join(f"s.{name} = l.{name}" for name in on)
    keys = ", ".join(on)
    text = f"""WITH served AS (SELECT * FROM ({union}) WHERE model_version IN ($champion, $challenger)
                AND score IS NOT NULL AND isfinite(score) AND (model_version = $champion OR role <> 'served')),
            own AS (SELECT scored_at FROM served WHERE model_version = $challenger ORDER BY scored_at LIMIT {_ROWS}),
            ends AS (SELECT min(scored_at) AS a, max(scored_at) AS z FROM own),
            beside AS (SELECT served.* FROM served, ends WHERE scored_at BETWEEN a AND z),
            firsts AS (SELECT model_version, {keys}, arg_min(score, scored_at) AS score, min(scored_at) AS scored_at
                FROM beside GROUP BY model_version, {keys}),
            known AS (SELECT {keys}, CAST(any_value({_quoted(rivals.label)}) AS DOUBLE) AS label
                FROM labels SEMI JOIN firsts USING ({keys})
                WHERE {_quoted(rivals.label)} IS NOT NULL GROUP BY {keys} HAVING count(*) = 1)
        SELECT s.model_version AS version, concat_ws(chr(31), {", ".join(f"s.{name}" for name in on)}) AS key,
            CAST(s.score AS DOUBLE) AS score, l.label
        FROM firsts AS s JOIN known AS l ON {joined} ORDER BY s.scored_at, version, key"""
    given = {"champion": rivals.champion, "challenger": rivals.challenger}
    return once(page, text, given, **tables)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _figure(value: float) -> str:
    return f"{value:.4g}" if math.isfinite(value) else "unknown"
