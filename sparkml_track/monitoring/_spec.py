"""What is watched, and what counts as an alarm."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sparkml_track.errors import SpecError
from sparkml_track.refs import ModelRef, TableRef

__all__ = [
    "CLASSIFICATION",
    "EVERY",
    "PROBLEMS",
    "RANKING",
    "REGRESSION",
    "ByTime",
    "ByValue",
    "Guards",
    "Labels",
    "Monitoring",
]

#: How long windows of time may be, and the form of their labels.
EVERY = {"day": "yyyy-MM-dd", "week": "yyyy-MM-dd", "month": "yyyy-MM"}
#: What scores are: probabilities of a class, numbers, or an order inside groups.
PROBLEMS = (CLASSIFICATION, REGRESSION, RANKING) = ("classification", "regression", "ranking")


@dataclass(frozen=True, slots=True)
class Guards:
    """When a drift is worth an alarm.

    An alarm needs all three: enough rows, a shift that matters, and a shift that rows drawn from the baseline would
    seldom show, in any of the columns that are judged in the window (Benjamini and Hochberg, 1995).

    Attributes:
        min_rows: in the window and in the baseline.
        psi: the shift that matters; 0.1 is often called moderate, 0.25 large.
        alpha: the share of windows, at most, that may have a false alarm in any column if nothing changed; where
            something did, the share of alarms that may be false.
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
class Labels:
    """A table in which labels arrive after the scores; their column is ``Monitoring.label``.

    A row whose key it does not have, or has with null, has no label yet: it is counted in the coverage and nowhere
    else.

    Attributes:
        table: at a pinned version.
        keys: column of the scored rows to column of the labels, all of which must be equal; times may be among them.
        known_at: a column of the labels: when each became known. Of several labels of a key the last one counts.
        as_of: what became known after this moment does not count; None for all.
    """

    table: TableRef
    keys: Mapping[str, str]
    known_at: str | None = None
    as_of: datetime | None = None

    def __post_init__(self) -> None:
        wrong = [] if self.keys else ["keys is empty, it must name at least one column"]
        if self.as_of is not None and self.known_at is None:
            wrong.append(f"as_of is {self.as_of}, which needs known_at=, the column of when a label became known")
        if self.as_of is not None and self.as_of.tzinfo is None:
            wrong.append(f"as_of is {self.as_of}, it must have a time zone")
        if wrong:
            raise SpecError(*wrong)


@dataclass(frozen=True, slots=True)
class Monitoring:
    """One monitoring job.

    Attributes:
        sources: scored tables at pinned versions, with the same columns; together they hold baseline and windows.
        windows: which window a row belongs to, and which rows are the baseline.
        target: prefix of the tables that are written: ``_profile``, ``_drift``, ``_quality``.
        experiment: where the monitoring run goes.
        columns: numbers, booleans and text to watch; the score is watched anyway.
        lengths: columns of text of which the length is watched, as the column ``length(NAME)``.
        slices: columns; each of their values is a slice, judged by itself.
        conditions: in Spark's SQL, by name; the rows for which one is true are a slice.
        slice_values: of a column in ``slices``, the most frequent ones in the baseline; others are one slice more.
        score: the column of predictions.
        label: the column of what came true, null where not known yet; None for no quality table.
        labels: where the label is, if not in the sources.
        problem: "classification" (scores are probabilities of label 1), "regression" (scores are estimates of it) or
            "ranking" (scores order the rows of a group; a label above 0 is a hit).
        threshold: the score from which the class is 1.
        group: of "ranking", the column of what is ranked within.
        at: of "ranking", how many rows of a group are looked at.
        positive: the label that scores are the probability of; None where labels are 0 and 1.
        model: what made the scores, kept as a tag.
        guards: against false alarms.
        id: of this job, which its rows in the tables have; None for a new one. A job that is tried again under its id
            adds no rows a second time.
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
    id: str | None = None
    lengths: Sequence[str] = ()
    slices: Sequence[str] = ()
    conditions: Mapping[str, str] = field(default_factory=dict)
    slice_values: int = 10
    labels: Labels | None = None
    problem: str = CLASSIFICATION
    threshold: float = 0.5
    group: str | None = None
    at: int = 10

    def __post_init__(self) -> None:
        wrong = []
        if self.problem not in PROBLEMS:
            wrong.append(f"problem is {self.problem!r}, allowed are {', '.join(PROBLEMS)}")
        if self.problem == RANKING and (self.group is None or self.label is None):
            wrong.append("problem is 'ranking', which needs group= and label=, two columns")
        if self.problem != CLASSIFICATION and self.positive is not None:
            wrong.append(f"positive is {self.positive!r}, but labels of a {self.problem} are numbers; leave it out")
        if self.labels is not None and self.label is None:
            wrong.append("labels is given without label=, the column of the label in it")
        if twice := sorted(set(self.slices) & set(self.conditions)):
            wrong.append(f"{', '.join(twice)} is among slices and conditions; give the condition another name")
        if self.slice_values < 1 or self.at < 1:
            wrong.append(f"slice_values is {self.slice_values} and at is {self.at}, both at least 1")
        if wrong:
            raise SpecError(*wrong)
