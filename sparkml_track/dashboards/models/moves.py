"""Who was champion when, by whom, and how good each version was beside its rivals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sparkml_track.dashboards.blocks import Markup, empty, section, table
from sparkml_track.dashboards.charts import COLOURS, chart, label
from sparkml_track.dashboards.models.known import history
from sparkml_track.dashboards.models.versions import deciding, gate, when
from sparkml_track.dashboards.page import Page
from sparkml_track.schema import TAG_REPLACES, TAG_VERDICT, TAG_VERDICT_WHY

if TYPE_CHECKING:
    from sparkml_track.registries import VersionFacts

__all__ = ["Move", "figures", "moved", "moves"]

_SHOWN = 50


@dataclass(frozen=True, slots=True)
class Move:
    """Something was decided about a version.

    Attributes:
        at: seconds since the epoch.
        version: its number.
        what: "by the gate", or what a person or a canary did.
        by: who.
        why: in words.
        replaced: the champion before, where the version became champion.
    """

    at: float
    version: int
    what: str
    by: str
    why: str
    replaced: str = ""


def moves(page: Page, name: str) -> Markup:
    """What was decided, the last first."""
    found = moved(history(page, name).versions)
    if not found:
        return section("Decisions", empty("Nothing was decided yet.", f"sparkml-track models promote {name}/VERSION"))
    head = ("when, UTC", "version", "what", "in place of", "by", "why")
    lines = [(when(each.at), each.version, each.what, each.replaced, each.by, each.why) for each in found[:_SHOWN]]
    said = "Of the gate, of canaries and of people. A gate moves the champion when it registers."
    said += f" The last {_SHOWN} of {len(found)}." if len(found) > _SHOWN else ""
    return section("Decisions", table(head, lines, texts=(5,)), about=said)


def moved(found: Sequence[VersionFacts]) -> list[Move]:
    """What was decided about versions, the last first."""
    return sorted((each for facts in found for each in _of(facts)), key=lambda each: -each.at)


def figures(page: Page, name: str) -> Any:
    """The figures of the gate by version: the version's own, the champion's then, and the baselines'."""
    found = history(page, name).versions[::-1]
    metric = deciding(found[::-1])
    names = {
        key for each in found for key in each.metrics if key.startswith("baseline.") and key.endswith(f".{metric}")
    }
    lines = [_figures(found, f"test.{metric}", "the version", COLOURS[0], "solid")]
    lines.append(_figures(found, f"champion.{metric}", "the champion then", COLOURS[1], "dash"))
    for key in sorted(names)[:4]:
        title = "baseline " + key.removeprefix("baseline.").removesuffix(f".{metric}").replace("%2E", ".")
        lines.append(_figures(found, key, title, COLOURS[6], "dot"))
    if not metric:
        return section("", empty("Nothing was measured on rows of a gate.", "sparkml-track register --config CONFIG"))
    axis = {"title": "version", "type": "category"}
    return chart(
        [line for line in lines if any(v is not None for v in line["y"])], xaxis=axis, yaxis={"title": label(metric)}
    )


def _figures(found: Sequence[VersionFacts], key: str, title: str, colour: str, dash: str) -> dict[str, Any]:
    points = {"x": [str(each.ref.version) for each in found], "y": [each.metrics.get(key) for each in found]}
    look = {"line": {"color": colour, "dash": dash}, "mode": "lines+markers"}
    return {"type": "scatter", "name": label(title)} | points | look


def _of(facts: VersionFacts) -> Iterator[Move]:
    from sparkml_track.promotion import decisions

    made = decisions(facts.tags)
    version, replaced = facts.ref.version, facts.tags.get(TAG_REPLACES)
    why = facts.tags.get(TAG_VERDICT_WHY, "")
    promoting = [each for each in made if each.what in _PROMOTING]
    for each in made:
        before = (replaced or "nobody") if each in promoting[-1:] and replaced is not None else ""
        yield Move(each.at, version, each.what, each.by, each.why, before)
    if facts.tags.get(TAG_VERDICT) and not promoting:
        passed = gate(facts).startswith("passed")
        became = facts.tags[TAG_VERDICT] == "champion" and replaced is not None
        what = "passed the gate" if passed else "did not pass the gate"
        yield Move(facts.created, version, what, "the gate", why, (replaced or "nobody") if became else "")


#: Decisions by which a version became champion.
_PROMOTING = ("approved", "promoted", "promoted by canary")
