"""What monitoring finds: one value for each row of its tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sparkml_track.refs import TableRef

__all__ = ["DRIFT", "FEW", "OK", "Drift", "Monitored", "Profile", "Quality"]

#: Verdicts on one column in one window.
OK, DRIFT, FEW = "ok", "drift", "too few rows"


@dataclass(frozen=True, slots=True)
class Profile:
    """One column in one window, or in the baseline as a whole.

    Attributes:
        window: its label, ``baseline`` for the baseline.
        in_baseline: whether it is that.
        column: name.
        rows: how many.
        nulls: of them without a value, or nan.
        mean: nan for text, as all below.
        std: standard deviation of all rows (not of a sample).
        min: the least finite value.
        max: the most.
        p05: quantiles; between the least and the most of a bin as if values lay evenly there.
        p25: likewise.
        p50: likewise.
        p75: likewise.
        p95: likewise.
    """

    window: str
    in_baseline: bool
    column: str
    rows: int
    nulls: int
    mean: float
    std: float
    min: float
    max: float
    p05: float
    p25: float
    p50: float
    p75: float
    p95: float


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
        p_value: how often PSI is as large or larger if nothing changed.
        q_value: the same, adjusted for the number of columns judged in the window; nan where rows are too few.
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
    p_value: float
    q_value: float
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
        run_id: of the monitoring run in MLflow.
        id: of the job, in the column ``run_id`` of its tables and in the tag ``sparkml.monitoring`` of its run.
        drift: one for each column and window.
        quality: one for each window, those of the baseline too; empty without a label.
        seconds: the whole job.
    """

    tables: Mapping[str, TableRef]
    run_id: str
    id: str
    drift: Sequence[Drift]
    quality: Sequence[Quality]
    seconds: float

    @property
    def alarms(self) -> Sequence[Drift]:
        """The drifts that passed all guards, largest first."""
        return sorted((each for each in self.drift if each.verdict == DRIFT), key=lambda each: -each.psi)
