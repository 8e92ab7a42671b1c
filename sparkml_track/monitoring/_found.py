"""What monitoring finds: one value for each row of its tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sparkml_track.cards import card, lineage_command, table
from sparkml_track.readable import duration
from sparkml_track.refs import TableRef

__all__ = [
    "BASELINE",
    "CONSECUTIVE",
    "DRIFT",
    "ESTIMATED",
    "FEW",
    "MEASURED",
    "OK",
    "CalibrationBin",
    "Drift",
    "Fairness",
    "Monitored",
    "Profile",
    "Quality",
    "Verdict",
]

#: Verdicts on one column in one window.
OK, DRIFT, FEW = "ok", "drift", "too few rows"
#: What a window is compared with; the first is also the name under which the baseline as a whole is profiled.
BASELINE, CONSECUTIVE = "baseline", "consecutive"
#: How quality is known: from labels, or from calibrated scores alone.
MEASURED, ESTIMATED = "measured", "estimated"
_NAN = float("nan")


@dataclass(frozen=True, slots=True)
class Profile:
    """One column in one window, or in the baseline as a whole.

    Attributes:
        window: its label, ``baseline`` for the baseline.
        in_baseline: whether it is that.
        slice_key: what the rows were sliced by; None for all rows.
        slice_value: which slice.
        column: name.
        rows: how many.
        nulls: of them without a value, or nan.
        distinct: different values; exact where each has a bin of its own, else from 256 registers of HyperLogLog with a
            standard error of 6.5 %.
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
    slice_key: str | None
    slice_value: str | None
    column: str
    rows: int
    nulls: int
    distinct: int
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
    """One column in one window against the baseline, or against the window before.

    Every measure is nan where a side has no rows; those of order and distance are nan for text.

    Attributes:
        column: name.
        window: its label.
        against: ``BASELINE`` or ``CONSECUTIVE``.
        before: the label of what it is compared with.
        slice_key: what the rows were sliced by; None for all rows.
        slice_value: which slice.
        rows: in the window.
        baseline_rows: in what it is compared with.
        psi: population stability index, nats.
        psi_null: what PSI is on average if nothing changed.
        psi_limit: what PSI exceeds with probability ``alpha`` if nothing changed.
        p_value: how often PSI is as large or larger if nothing changed.
        q_value: the same, adjusted for the number of columns judged in the window; nan where rows are too few.
        ks: largest distance of the two distribution functions, at the edges of about 100 bins.
        ks_p_value: how often it is as large or larger if nothing changed.
        wasserstein: area between the two distribution functions, in the column's unit; rows of a bin lie at their mean.
        js: Jensen-Shannon distance, 0 to 1.
        tv: total variation distance, 0 to 1.
        l_infinity: the largest difference of the shares of one bin, 0 to 1.
        chi_squared: Pearson's statistic.
        chi_squared_p_value: how often it is as large or larger if nothing changed.
        null_change: share of rows without a value, less that of the baseline.
        distinct_change: different values, less those of the baseline.
        mean_change: the mean, less that of the baseline.
        score_change: the change of the mean score that the column's changed mix explains: the sum over its bins of the
            change of the bin's share times the baseline's mean score in the bin. nan for slices.
        score_share: the same as a share of the whole change of the mean score.
        verdict: ``OK``, ``DRIFT`` or ``FEW``.
    """

    column: str
    window: str
    against: str
    before: str
    slice_key: str | None
    slice_value: str | None
    rows: int
    baseline_rows: int
    psi: float
    psi_null: float
    psi_limit: float
    p_value: float
    q_value: float
    ks: float
    ks_p_value: float
    wasserstein: float
    js: float
    tv: float
    l_infinity: float
    chi_squared: float
    chi_squared_p_value: float
    null_change: float
    distinct_change: int
    mean_change: float
    score_change: float
    score_share: float
    verdict: str


@dataclass(frozen=True, slots=True)
class Quality:
    """How good the scores of one window were, or are thought to be. What the problem does not have is nan.

    Attributes:
        window: its label.
        in_baseline: the model may have seen these rows: its figures flatter.
        rows: with score and label; of an estimate those with a score.
        slice_key: what the rows were sliced by; None for all rows.
        slice_value: which slice.
        how: ``MEASURED``, or ``ESTIMATED`` before labels came.
        scored: rows with a score.
        coverage: share of them whose label is known.
        base_rate: share of the positive label.
        mean_score: average score.
        calibration: ``mean_score`` less ``base_rate``.
        log_loss: nats.
        brier: mean squared error of probabilities.
        auc: area under the ROC curve, from 1,000 bins; nan if one class is missing.
        accuracy: share of rows whose class is right.
        precision: share of label 1 among the rows of class 1.
        recall: share of class 1 among the rows of label 1.
        f1: harmonic mean of both.
        selection_rate: share of class 1 among all rows with a score.
        ece: expected calibration error, in ten bins of equal width.
        mae: mean absolute error.
        rmse: root of the mean squared error.
        r2: share of the labels' variance that is explained.
        bias: mean of score less label.
        groups: that were ranked and have a hit.
        precision_at: mean share of hits among the first rows of a group.
        recall_at: mean share of its hits that are among them.
        ndcg_at: mean normalised discounted cumulative gain.
    """

    window: str
    in_baseline: bool
    rows: int
    slice_key: str | None = None
    slice_value: str | None = None
    how: str = MEASURED
    scored: int = 0
    coverage: float = _NAN
    base_rate: float = _NAN
    mean_score: float = _NAN
    calibration: float = _NAN
    log_loss: float = _NAN
    brier: float = _NAN
    auc: float = _NAN
    accuracy: float = _NAN
    precision: float = _NAN
    recall: float = _NAN
    f1: float = _NAN
    selection_rate: float = _NAN
    ece: float = _NAN
    mae: float = _NAN
    rmse: float = _NAN
    r2: float = _NAN
    bias: float = _NAN
    groups: int = 0
    precision_at: float = _NAN
    recall_at: float = _NAN
    ndcg_at: float = _NAN


@dataclass(frozen=True, slots=True)
class CalibrationBin:
    """Scores of one tenth of 0 to 1, and what came true.

    Attributes:
        window: its label.
        in_baseline: as in ``Quality``.
        low: where the bin begins; it ends a tenth later.
        rows: with a label.
        mean_score: of them.
        positive: the share of label 1.
    """

    window: str
    in_baseline: bool
    low: float
    rows: int
    mean_score: float
    positive: float


@dataclass(frozen=True, slots=True)
class Fairness:
    """The slices of one key, compared with each other.

    Attributes:
        window: its label.
        in_baseline: as in ``Quality``.
        slice_key: what the rows are sliced by.
        slices: how many have enough rows.
        demographic_parity: the highest share of class 1 among slices, less the lowest.
        least_selected: the slice with the lowest.
        equal_opportunity: the highest share of class 1 among rows of label 1, less the lowest.
        least_found: the slice with the lowest; None where labels are missing.
    """

    window: str
    in_baseline: bool
    slice_key: str
    slices: int
    demographic_parity: float
    least_selected: str | None
    equal_opportunity: float
    least_found: str | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """Where one column stands in the last window that could be judged.

    Attributes:
        column: name.
        window: the last one with enough rows.
        state: ``OK`` or ``DRIFT``.
        since: the first window of the alarms in a row that reach up to this one, of earlier runs too; None without
            an alarm.
        windows: how many there are in that row.
        psi: as in ``Drift``, like those that follow.
        mean_change: of the window.
        null_change: likewise.
        score_change: likewise.
        score_share: likewise.
    """

    column: str
    window: str
    state: str
    since: str | None
    windows: int
    psi: float
    mean_change: float
    null_change: float
    score_change: float
    score_share: float

    def __str__(self) -> str:
        if self.state != DRIFT:
            return f"{self.column} is as in the baseline in {self.window} (PSI {self.psi:.2f})"
        several = f", {self.windows} windows in a row" if self.windows > 1 else ""
        moved = f", mean {self.mean_change:+.4g}" if self.mean_change == self.mean_change else ""
        moved += f", nulls {self.null_change:+.1%}" if abs(self.null_change) >= _SHOWN else ""
        share = f"; explains {self.score_share:.0%} of the score's change" if abs(self.score_share) < _TOLD else ""
        return f"{self.column} has drifted since {self.since}{several} (PSI {self.psi:.2f}{moved}{share})"


_SHOWN = 0.001  # a change of the share of nulls
_FIRST = 10  # columns that a notebook shows
_TOLD = 10.0  # shares beyond are of a change that is near none


@dataclass(frozen=True, slots=True)
class Monitored:
    """What a monitoring job found.

    Attributes:
        tables: "profile", "drift", "verdict" and, with a label, "quality" and others to the versions written.
        run_id: of the monitoring run in MLflow.
        id: of the job, in the column ``run_id`` of its tables and in the tag ``sparkml.monitoring`` of its run.
        drift: one for each column and window, against the baseline; all rows first, then slices.
        quality: one for each window with labels, those of the baseline too; then slices.
        seconds: the whole job.
        consecutive: windows against the one before; empty unless windows are of time.
        estimates: of the quality where not all labels are known.
        fairness: one for each window and key of slices.
        verdicts: one for each column.
    """

    tables: Mapping[str, TableRef]
    run_id: str
    id: str
    drift: Sequence[Drift]
    quality: Sequence[Quality]
    seconds: float
    consecutive: Sequence[Drift] = ()
    estimates: Sequence[Quality] = ()
    fairness: Sequence[Fairness] = ()
    verdicts: Sequence[Verdict] = ()

    @property
    def alarms(self) -> Sequence[Drift]:
        """The drifts that passed all guards, largest first."""
        return sorted((each for each in self.drift if each.verdict == DRIFT), key=lambda each: -each.psi)

    def _repr_html_(self) -> str:
        """For notebooks: how many columns drifted, and how each stands; those with alarms first."""
        ranked = sorted(self.verdicts, key=lambda each: (each.state != DRIFT, -each.psi))
        rows = [(each.column, each.state, each.window, each.psi, str(each)) for each in ranked[:_FIRST]]
        facts = {
            "alarms": len(self.alarms),
            "columns": len(self.verdicts),
            "tables": ", ".join(map(str, self.tables.values())),
            "took": duration(self.seconds),
            "run": self.run_id,
        }
        drift = self.tables.get("drift")
        command = lineage_command(drift.name, drift.version) if drift else ""
        return card("Monitoring", facts, table(("column", "state", "window", "PSI", "in words"), rows), command)
