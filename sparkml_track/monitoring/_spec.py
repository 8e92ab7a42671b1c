"""What is watched, what counts as alarm, and what came of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sparkml_track.errors import SpecError
from sparkml_track.refs import ModelRef, TableRef

__all__ = ["DRIFT", "EVERY", "FEW", "OK", "ByTime", "ByValue", "Drift", "Guards", "Monitored", "Monitoring", "Quality"]

#: How long windows of time may be, and the form of their labels.
EVERY = {"day": "yyyy-MM-dd", "week": "yyyy-MM-dd", "month": "yyyy-MM"}
#: Verdicts on one column in one window.
OK, DRIFT, FEW = "ok", "drift", "too few rows"


@dataclass(frozen=True, slots=True)
class Guards:
    """When a drift is worth an alarm.

    An alarm needs all three: enough rows, a shift that matters, and a shift that rows drawn from the baseline would
    seldom show.

    Attributes:
        min_rows: in the window and in the baseline.
        psi: the shift that matters; 0.1 is often called moderate, 0.25 large.
        alpha: how often, at most, rows of the baseline's own distribution may exceed the limit.
        bins: of the baseline, by equal counts, for PSI, JS and TV.
    """

    min_rows: int = 500
    psi: float = 0.2
    alpha: float = 0.001
    bins: int = 10

    def __post_init__(self) -> None:
        wrong = []
        if self.min_rows < 1:
            wrong.append(f"min_rows is {self.min_rows}, at least 1")
        if not (math.isfinite(self.psi) and self.psi >= 0):
            wrong.append(f"psi is {self.psi}, a number from 0")
        if not 0 < self.alpha < 1:
            wrong.append(f"alpha is {self.alpha}, between 0 and 1")
        if not 2 <= self.bins <= 100:
            wrong.append(f"bins is {self.bins}, from 2 to 100")
        if wrong:
            raise SpecError(*wrong)


@dataclass(frozen=True, slots=True)
class ByTime:
    """Windows are days, weeks or months; the baseline is a stretch of time.

    Labels are ``2013-11`` for a month, ``2013-11-04`` for a day and for the Monday of a week, in the session's time
    zone. A window that the baseline cuts is two: the part inside and the part outside.

    Attributes:
        column: a timestamp.
        every: "day", "week" or "month".
        start: the first moment of the baseline.
        end: the first moment after it. Both with a time zone.
    """

    column: str
    every: str
    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        wrong = [] if self.every in EVERY else [f"every is {self.every!r}, allowed are {', '.join(EVERY)}"]
        moments = {"start": self.start, "end": self.end}
        wrong += [f"{name} is {at}, it must have a time zone" for name, at in moments.items() if at.tzinfo is None]
        if not wrong and self.start >= self.end:
            wrong.append(f"the baseline ends at {self.end}, it must be after its start at {self.start}")
        if wrong:
            raise SpecError(*wrong)

    def __str__(self) -> str:
        return f"{self.column} by {self.every}, baseline {self.start:%Y-%m-%d} to {self.end:%Y-%m-%d}"


@dataclass(frozen=True, slots=True)
class ByValue:
    """Each value of a column is a window (a batch, a region); some of them make up the baseline.

    Attributes:
        column: of any type that has a text form.
        baseline: its values, in the column's own type; None for rows without one.
    """

    column: str
    baseline: Sequence[object]

    def __str__(self) -> str:
        return f"{self.column} by value, baseline {', '.join(map(str, self.baseline)) or 'none'}"


@dataclass(frozen=True, slots=True)
class Monitoring:
    """One monitoring job.

    Attributes:
        sources: scored tables at pinned versions, with the same columns; together they hold baseline and windows.
        windows: which window a row belongs to, and which rows are the baseline.
        target: prefix of the tables that are written: ``_profile``, ``_drift``, ``_quality``.
        experiment: where the monitoring run goes.
        columns: numbers, booleans and text to watch; the score is watched anyway.
        score: the column of predictions.
        label: the column of what came true, null where not known yet; None for no quality table.
        positive: the label that scores are the probability of; None where labels are 0 and 1.
        model: what made the scores, kept as a tag.
        guards: against false alarms.
    """

    sources: Sequence[TableRef]
    windows: ByTime | ByValue
    target: str
    experiment: str
    columns: Sequence[str]
    score: str = "score"
    label: str | None = None
    positive: object = None
    model: ModelRef | None = None
    guards: Guards = field(default_factory=Guards)


@dataclass(frozen=True, slots=True)
class Drift:
    """One column in one window against the baseline.

    Attributes:
        column: name.
        window: its label.
        rows: in the window.
        baseline_rows: in the baseline.
        psi: population stability index, nats.
        psi_null: what PSI is on average if nothing changed.
        psi_limit: what PSI exceeds with probability ``alpha`` if nothing changed.
        ks: largest distance of the two distribution functions, at the edges of about 100 bins; nan for text.
        js: Jensen-Shannon distance, 0 to 1.
        tv: total variation distance, 0 to 1.
        verdict: ``OK``, ``DRIFT`` or ``FEW``.
    """

    column: str
    window: str
    rows: int
    baseline_rows: int
    psi: float
    psi_null: float
    psi_limit: float
    ks: float
    js: float
    tv: float
    verdict: str


@dataclass(frozen=True, slots=True)
class Quality:
    """How good the scores of one window were.

    Attributes:
        window: its label.
        in_baseline: the model may have seen these rows: its figures flatter.
        rows: with score and label.
        base_rate: share of the positive label.
        mean_score: average probability.
        calibration: ``mean_score`` less ``base_rate``.
        log_loss: nats.
        brier: mean squared error.
        auc: area under the ROC curve, from 1,000 bins; nan if one class is missing.
    """

    window: str
    in_baseline: bool
    rows: int
    base_rate: float
    mean_score: float
    calibration: float
    log_loss: float
    brier: float
    auc: float


@dataclass(frozen=True, slots=True)
class Monitored:
    """What a monitoring job found.

    Attributes:
        tables: "profile", "drift" and, with a label, "quality" to the versions written.
        run_id: of the monitoring run.
        drift: one for each column and window.
        quality: one for each window, those of the baseline too; empty without a label.
        seconds: the whole job.
    """

    tables: Mapping[str, TableRef]
    run_id: str
    drift: Sequence[Drift]
    quality: Sequence[Quality]
    seconds: float

    @property
    def alarms(self) -> Sequence[Drift]:
        """The drifts that passed all guards, largest first."""
        return sorted((each for each in self.drift if each.verdict == DRIFT), key=lambda each: -each.psi)
