"""Figures to an alias and a reason, and the names that figures have on the run."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from sparkml_track.errors import ObjectiveError
from sparkml_track.promotion._spec import Measured, Promotion
from sparkml_track.registries import ALIAS_CHALLENGER, ALIAS_CHAMPION

__all__ = ["decide", "figures", "outlasts"]


def decide(spec: Promotion, candidate: Measured, opponents: Sequence[Measured]) -> tuple[str, str]:
    """The alias, and the sentence that says why.

    A figure that is not finite never wins and never blocks: a candidate with one is challenger, and an opponent with
    one does not count.
    """
    own = value(spec, candidate)
    figure = f"test {spec.metric} {own:.6g}"
    if not math.isfinite(own):
        return ALIAS_CHALLENGER, f"{figure} is not a finite number"
    others = {f"{each.name} ({value(spec, each):.6g})": value(spec, each) for each in opponents}
    lost = [name for name, other in others.items() if not spec.beats(own, other)]
    if lost:
        return ALIAS_CHALLENGER, f"{figure} does not beat {', '.join(lost)}"
    won = [name for name, other in others.items() if math.isfinite(other)]
    void = [name for name, other in others.items() if not math.isfinite(other)]
    parts = [f"beats {', '.join(won)}"] if won else []
    parts += [f"{', '.join(void)} did not count"] if void else []
    return ALIAS_CHAMPION, f"{figure} {'; '.join(parts)}"


def outlasts(spec: Promotion, one: Measured, other: Measured) -> bool:
    """Whether the first of two that both came through the gate stays; without a winner it is the earlier version."""
    assert one.ref is not None
    assert other.ref is not None
    a, b = value(spec, one), value(spec, other)
    if spec.beats(a, b):
        return True
    return not spec.beats(b, a) and one.ref.version < other.ref.version


def value(spec: Promotion, measured: Measured) -> float:
    """The figure that decides."""
    if spec.metric not in measured.metrics:
        raise ObjectiveError(
            f"evaluate gave {', '.join(measured.metrics) or 'nothing'} and not {spec.metric!r}, which decides; "
            "return it, or name another metric"
        )
    return measured.metrics[spec.metric]


def figures(candidate: Measured, baselines: Sequence[Measured], champion: Measured | None) -> Mapping[str, float]:
    """All figures under names that are each other's whatever a baseline is called."""
    parts = [("test", candidate), *((f"baseline.{_one_word(each.name)}", each) for each in baselines)]
    parts += [("champion", champion)] if champion else []
    return {f"{part}.{name}": figure for part, each in parts for name, figure in each.metrics.items()}


def _one_word(name: str) -> str:
    # A dot would let the baseline "a" with the metric "b.c" meet the baseline "a.b" with the metric "c".
    return name.replace("%", "%25").replace(".", "%2E")
