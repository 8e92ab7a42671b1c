"""A challenger in front of real requests: is it as good as the champion, once labels are there?

The difference of the mean losses is judged by a confidence sequence, not by an interval: it holds at every look at
once, so whoever looks each morning until it decides errs no more often than ``alpha``. It is the asymptotic one of
Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, Time-uniform central limit theory and asymptotic confidence sequences,
2021, tightest near the least number of rows. Where both versions scored the same rows, as a shadow does, the
differences of each row are judged, which needs far fewer of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sparkml_track.errors import DataError, SpecError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["LOSSES", "PROMOTE", "WAIT", "WITHDRAW", "Canary", "Judged", "Seen", "judge"]

PROMOTE, WITHDRAW, WAIT = "promote", "withdraw", "wait"
_CERTAIN = 1e-15  # a probability is no nearer to 0 and 1 than this, as scikit-learn's log_loss has it for doubles


def _log_loss(score: Floats, label: Floats) -> Floats:
    sure = np.clip(score, _CERTAIN, 1 - _CERTAIN)
    loss: Floats = -np.where(label > 0, np.log(sure), np.log1p(-sure))
    return loss


def _squared(score: Floats, label: Floats) -> Floats:
    return (score - label) ** 2


def _absolute(score: Floats, label: Floats) -> Floats:
    return np.abs(score - label)


#: The loss of each row by name; brier is the squared error of a probability.
LOSSES: Mapping[str, Callable[[Floats, Floats], Floats]] = {
    "log_loss": _log_loss,
    "brier": _squared,
    "squared_error": _squared,
    "absolute_error": _absolute,
}


@dataclass(frozen=True, slots=True)
class Canary:
    """When a challenger has shown enough.

    Attributes:
        loss: one of ``LOSSES``.
        tolerance: by how much the challenger may be worse, in units of the loss.
        min_rows: with a label, of each version, before anything is said.
        max_rows: with a label, of the challenger, after which the better mean decides.
        alpha: how often a challenger that is worse by the tolerance may be promoted, or one that is not be withdrawn.
    """

    loss: str = "log_loss"
    tolerance: float = 0.0
    min_rows: int = 200
    max_rows: int = 20_000
    alpha: float = 0.05

    def __post_init__(self) -> None:
        wrong = [] if self.loss in LOSSES else [f"loss is {self.loss!r}, allowed are {', '.join(LOSSES)}"]
        if not (math.isfinite(self.tolerance) and self.tolerance >= 0):
            wrong.append(f"tolerance is {self.tolerance}, it must be a number from 0")
        if not 2 <= self.min_rows <= self.max_rows:
            wrong.append(
                f"min_rows is {self.min_rows} and max_rows {self.max_rows}, allowed is 2 and up, in this order"
            )
        if not 0 < self.alpha < 1:
            wrong.append(f"alpha is {self.alpha}, it must be between 0 and 1")
        if wrong:
            raise SpecError(*wrong)


@dataclass(frozen=True, slots=True)
class Seen:
    """Rows of one version that have a label.

    Attributes:
        keys: text that names each row; the same row has the same key with the other version.
        scores: as served.
        labels: numbers; 0 and 1 for a probability.
    """

    keys: NDArray[np.object_]
    scores: Floats
    labels: Floats


@dataclass(frozen=True, slots=True)
class Judged:
    """What a look at a canary came to.

    Attributes:
        state: "promote", "withdraw" or "wait".
        reason: one sentence with the figures.
        champion: its mean loss; NaN without rows.
        challenger: its mean loss; NaN without rows.
        rows: of the challenger that were looked at.
        paired: whether both scored the same rows.
        low: the least difference, challenger less champion, that is not ruled out; NaN before there are enough rows.
        high: the greatest one.
    """

    state: str
    reason: str
    champion: float
    challenger: float
    rows: int
    paired: bool
    low: float = math.nan
    high: float = math.nan


def judge(spec: Canary, champion: Seen, challenger: Seen) -> Judged:
    """Looks at what both versions gave, as often as one likes.

    Args:
        spec: when it is enough.
        champion: its rows.
        challenger: its rows.

    Raises:
        DataError: scores or labels that are no finite numbers; with a log loss also scores that are no probabilities,
            and labels beside 0 and 1.
    """
    loss = LOSSES[spec.loss]
    _check(spec, champion)
    _check(spec, challenger)
    ours, theirs = loss(challenger.scores, challenger.labels), loss(champion.scores, champion.labels)
    _, mine, other = np.intersect1d(challenger.keys, champion.keys, return_indices=True)
    # Rows of a shadow are the champion's too; with split traffic hardly any row has both.
    paired = 2 * len(mine) > len(ours)
    if paired:
        ours, theirs = ours[mine], theirs[other]
    enough = min(len(ours), len(theirs))
    means = _mean(theirs), _mean(ours)
    if enough < spec.min_rows:
        have = f"{len(ours)} rows of the challenger and {len(theirs)} of the champion have a label"
        said = f"{have}, {spec.min_rows} are needed"
        return Judged(WAIT, said, *means, len(ours), paired)
    difference = float(means[1] - means[0])
    variance = float(
        np.var(ours - theirs) / enough if paired else np.var(ours) / len(ours) + np.var(theirs) / len(theirs)
    )
    width = math.sqrt(variance) * _factor(spec, enough)
    return _decided(spec, means, (difference - width, difference + width), len(ours), paired)


def _decided(spec: Canary, means: tuple[float, float], bounds: tuple[float, float], rows: int, paired: bool) -> Judged:
    low, high = bounds
    how = "on the same rows" if paired else "on rows of their own"
    figures = (
        f"{spec.loss} {means[1]:.5g} of the challenger against {means[0]:.5g} of the champion {how}, "
        f"{rows} of the challenger; the difference lies between {low:.3g} and {high:.3g}"
    )
    state = WAIT
    if high <= spec.tolerance:
        state = PROMOTE
    elif low > spec.tolerance:
        state = WITHDRAW
    elif rows >= spec.max_rows:
        state = PROMOTE if means[1] - means[0] <= spec.tolerance else WITHDRAW
        figures += f", and {spec.max_rows} rows were to decide"
    return Judged(state, figures, *means, rows, paired, low, high)


def _factor(spec: Canary, rows: int) -> float:
    """Standard errors on each side of the difference, at this and all other numbers of rows."""
    # The width is least near min_rows with this choice: section 2.5 of the paper.
    twice = -2 * math.log(spec.alpha)
    squared = (twice + math.log(twice + 1)) / spec.min_rows
    spent = rows * squared + 1
    return math.sqrt(2 * spent / (rows * squared) * math.log(math.sqrt(spent) / spec.alpha))


def _check(spec: Canary, seen: Seen) -> None:
    for name, values in (("scores", seen.scores), ("labels", seen.labels)):
        if not np.isfinite(values).all():
            raise DataError(f"{int((~np.isfinite(values)).sum())} {name} are not finite numbers; leave such rows out")
    if spec.loss != "log_loss":
        return
    for name, values, good, allowed in (
        ("score", seen.scores, (seen.scores >= 0) & (seen.scores <= 1), "probabilities"),
        ("label", seen.labels, np.isin(seen.labels, (0, 1)), "0 and 1"),
    ):
        if not good.all():
            raise DataError(
                f"a {name} is {values[~good][0]:g}, log_loss takes {allowed}; name another loss, or give such"
            )


def _mean(losses: Floats) -> float:
    return float(losses.mean()) if len(losses) else math.nan
