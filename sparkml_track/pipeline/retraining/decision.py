"""Whether a verdict begins a sweep. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from sparkml_track.config.sections import RetrainSettings
from sparkml_track.pipeline.retraining.record import Record
from sparkml_track.pipeline.retraining.standing import Standing

__all__ = ["Decision", "decide"]

_LENGTHS = {"day": timedelta(days=1), "week": timedelta(weeks=1), "month": timedelta(days=30)}
_SHOWN = 3  # reasons


@dataclass(frozen=True)
class Decision:
    """What is to be done.

    Attributes:
        begin: whether a retraining begins, or one that was begun goes on.
        why: a sentence, in both cases.
        goes_on: the one that was begun and has not ended.
    """

    begin: bool
    why: str
    goes_on: Record | None = None


def decide(settings: RetrainSettings, standing: Standing, last: Record | None, now: datetime) -> Decision:
    """Whether a retraining begins.

    Args:
        settings: when one may.
        standing: the last verdict.
        last: the last retraining; one that has not ended goes on, whatever the verdict is by now.
        now: with a time zone.
    """
    if last is not None and not last.ended:
        return Decision(True, f"retraining {last.number} of {last.at:%Y-%m-%d %H:%M} has not ended: {last.why}", last)
    reasons = list(_reasons(settings, standing))
    if not reasons:
        return Decision(False, f"nothing of {', '.join(settings.when)} calls for it")
    more = f" and {len(reasons) - _SHOWN} more" if len(reasons) > _SHOWN else ""
    why = "; ".join(reasons[:_SHOWN]) + more
    if last is not None and last.run == standing.run:
        return Decision(False, f"retraining {last.number} was begun by this verdict already: {why}")
    if last is not None and now < last.at + _LENGTHS[settings.at_most]:
        return Decision(
            False,
            f"retraining {last.number} was begun at {last.at:%Y-%m-%d %H:%M}, less than a {settings.at_most} ago, and "
            f"monitor.retrain.at_most allows no more; there is a reason for one: {why}",
        )
    return Decision(True, why)


def _reasons(settings: RetrainSettings, standing: Standing) -> Iterator[str]:
    columns = set(settings.when) - {"any", "score", "quality"}
    columns |= {standing.score} if "score" in settings.when else set()
    for column, sentence in standing.drifted.items():
        if "any" in settings.when or column in columns:
            yield sentence
    if "quality" in settings.when:
        yield from standing.passed.values()
