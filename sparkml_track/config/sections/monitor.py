"""The section of monitoring."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from sparkml_track.catalog.alerts.condition import parse_condition
from sparkml_track.config.messages import one_of
from sparkml_track.config.sections.fields import Identifier, Moment, Positive, Section, Split, Text
from sparkml_track.config.sections.notify import NotifySettings
from sparkml_track.errors import InvalidInput

__all__ = ["FIGURES", "LabelSettings", "MonitorSettings", "RetrainSettings"]

#: Of the quality, what a limit may name.
FIGURES = (
    "accuracy",
    "auc",
    "base_rate",
    "bias",
    "brier",
    "calibration",
    "coverage",
    "ece",
    "f1",
    "log_loss",
    "mae",
    "mean_score",
    "precision",
    "r2",
    "recall",
    "rmse",
    "selection_rate",
)

_Step = Literal["prepare", "features", "sweep", "register", "deploy", "score"]


def _limit(text: str) -> str:
    try:
        found = parse_condition(text)
    except InvalidInput:
        found = None
    if found is None or isinstance(found.value, str):
        raise ValueError("a figure of the quality, a sign and a number, like auc < 0.7")
    one_of(found.column, FIGURES)
    return text


class LabelSettings(Section):
    """A table in which labels arrive after the scores.

    Attributes:
        table: its name; the latest version is read.
        keys: column of the scored rows to column of the labels.
        known_at: the column of when a label became known.
        as_of: what became known later does not count.
    """

    table: Text
    keys: Annotated[dict[str, str], Field(min_length=1)]
    known_at: Text | None = None
    as_of: Moment | None = None


class RetrainSettings(Section):
    """When the last verdict begins a sweep.

    Attributes:
        when: "any" column has drifted, "score" has, a column by its name has, or a limit of the "quality" is passed.
        at_most: once in this time.
        steps: that are run, in order.
        max_trials: of the sweep; None for those of the section ``sweep``.
        warm_start: whether the sampler begins with what the last sweep found.
    """

    when: Annotated[tuple[Text, ...], Field(min_length=1)] = ("score", "quality")
    at_most: Literal["day", "week", "month"] = "month"
    steps: Annotated[tuple[_Step, ...], Field(min_length=1)] = ("sweep", "register")
    max_trials: Positive | None = None
    warm_start: bool = True


class MonitorSettings(Section):
    """Drift and quality, period by period, against the training rows.

    Attributes:
        period: how long a window is.
        baseline: the rows that others are compared with.
        min_rows: windows with fewer are not judged.
        psi: the population stability index from which a feature counts as drifted.
        alpha: the share of windows that may have a false alarm in any column.
        positive: the label that scores are the probability of; None where labels are 0 and 1.
        problem: what scores are.
        threshold: the score from which the class is 1.
        table: the prefix of the tables.
        lengths: columns of text whose length is watched.
        slices: columns; each of their values is judged by itself.
        conditions: in Spark's SQL, by name; the rows for which one is true are judged by themselves.
        labels: where the label is, if not in the training set.
        limits: of the quality, each of which is an alarm where it is true of the last window with labels.
        notify: who is notified when a column or a limit has another state than before.
        retrain: when a sweep is begun; None for never.
    """

    period: Literal["day", "week", "month"] = "month"
    baseline: Split = "train"
    min_rows: Positive = 500
    psi: Annotated[float, Field(gt=0)] = 0.2
    alpha: Annotated[float, Field(gt=0, lt=1)] = 0.001
    positive: bool | int | float | str | None = None
    problem: Literal["classification", "regression"] = "classification"
    threshold: float = 0.5
    table: Identifier = "monitor"
    lengths: tuple[Text, ...] = ()
    slices: tuple[Text, ...] = ()
    conditions: dict[str, str] = Field(default_factory=dict)
    labels: LabelSettings | None = None
    limits: tuple[Annotated[str, AfterValidator(_limit)], ...] = ()
    notify: NotifySettings = NotifySettings()
    retrain: RetrainSettings | None = None
