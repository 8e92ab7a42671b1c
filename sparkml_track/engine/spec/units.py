"""How many units a trial has, and what becomes of those that fail."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from operator import index
from string import Formatter

from sparkml_track.engine.spec.kinds import is_whole

__all__ = ["ONE", "Units", "described_units", "planned_units", "units_of"]


@dataclass(frozen=True, slots=True)
class Units:
    """What the trials of a sweep are made of.

    A trial has the mean of each metric over its units, and the values of each unit beside it.

    Attributes:
        count: units of a trial, such as folds; ``trial.unit`` counts them from 0.
        instead: the value of each metric of a unit that failed; None if a failed unit fails its trial, whose other
            units are ended then. A trial fails in any case if no unit finished.
        prefix: of the names of one unit's metrics.
        gang: slots that each unit takes, a process in each.
    """

    count: int = 1
    instead: float | None = None
    prefix: str = "fold_{index}_"
    gang: int = 1

    @property
    def several(self) -> bool:
        """Whether trials and units differ."""
        return self.count > 1

    def name(self, index: int) -> str:
        """What the names of a unit's metrics begin with."""
        return self.prefix.format(index=index)


ONE = Units()


def units_of(value: object, gang: object = 1) -> tuple[Units, list[str]]:
    """Units from arguments: how many, or ``Units``, and the slots of each; and what is wrong with them."""
    units = value if isinstance(value, Units) else Units(count=value)  # type: ignore[arg-type]
    if not is_whole(units.count, 1):
        return ONE, [f"units is {value!r}; allowed is a whole number of at least 1, or Units(count, ...)"]
    instead: object = units.instead
    if instead is not None and (isinstance(instead, bool) or not isinstance(instead, int | float)):
        return ONE, [f"units.instead is {instead!r}; allowed is a number (nan is one), or None"]
    fields = [name for _, name, _, _ in Formatter().parse(units.prefix) if name is not None]
    if fields != ["index"]:
        return ONE, [f"units.prefix is {units.prefix!r}; allowed is text with {{index}} once: 'fold_{{index}}_'"]
    if not is_whole(gang, 1):
        return ONE, [f"gang is {gang!r}; allowed is a whole number of at least 1"]
    return Units(int(units.count), None if instead is None else float(instead), units.prefix, index(gang)), []  # type: ignore[arg-type]


def described_units(units: Units) -> dict[str, object]:
    """As JSON, which has no nan."""
    instead = units.instead
    shown = str(instead) if instead is not None and not math.isfinite(instead) else instead
    described: dict[str, object] = {"count": units.count, "instead": shown, "prefix": units.prefix}
    return described | {"gang": units.gang} if units.gang > 1 else described


def planned_units(described: object) -> Units:
    """The inverse; one unit where a plan says nothing of units."""
    if not isinstance(described, Mapping):
        return ONE
    instead, gang = described["instead"], int(described.get("gang", 1))
    instead = None if instead is None else float(instead)
    return Units(int(described["count"]), instead, str(described["prefix"]), gang)
