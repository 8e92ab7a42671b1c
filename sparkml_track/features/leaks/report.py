"""What an audit of features is told and what it reports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

__all__ = ["AuditReport", "Cut", "Hint", "Known", "Leak"]


@dataclass(frozen=True, slots=True)
class Known:
    """When rows of a source table became known.

    Attributes:
        time: column with the moment; null means never.
        columns: those that became known only then, where others of the row were known all along (a flight's schedule);
            ``time`` is always one of them. Empty: nothing of a row was known before, not even that it is.
    """

    time: str
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Cut:
    """A moment after which all sources were changed.

    Attributes:
        time: the moment.
        rows: of the training set with a prediction time until then, which were compared.
        gone: those among them that were not in the second training set: their own rows became known only later.
    """

    time: datetime
    rows: int
    gone: int


@dataclass(frozen=True, slots=True)
class Leak:
    """A feature that changes with what became known after its prediction time.

    Attributes:
        feature: its column.
        rows: how many rows changed, over all cuts.
        cuts: at how many cuts.
        example: the keys of one of these rows and the feature before and after, for a person.
    """

    feature: str
    rows: int
    cuts: int
    example: str

    def __str__(self) -> str:
        return (
            f"{self.feature} changes with what became known after the prediction time: {self.rows:,} rows at "
            f"{self.cuts} cuts, for example {self.example}"
        )


@dataclass(frozen=True, slots=True)
class Hint:
    """A feature that alone says nearly everything of the label. It may be right to; look where it comes from.

    Attributes:
        feature: its column.
        score: from values that were not used to learn it.
        measure: "AUC" of two classes, the best of one against the others where there are more; "R2" of a number.
    """

    feature: str
    score: float
    measure: str

    def __str__(self) -> str:
        return (
            f"{self.feature} alone predicts the label with {self.measure} {self.score:.3f}: does it know the label? A "
            "hint, no proof"
        )


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What an audit found.

    Attributes:
        leaks: features that know the future.
        hints: features that may know the label.
        cuts: the moments that were tried.
        moved: source table to what was changed in it after a cut.
        timeless: source tables that were left as they are, because nobody said when their rows became known.
        features: that were looked at.
        limit: score from which on a feature is a hint.
    """

    leaks: tuple[Leak, ...]
    hints: tuple[Hint, ...]
    cuts: tuple[Cut, ...]
    moved: Mapping[str, str] = field(default_factory=dict)
    timeless: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    limit: float = 0.95

    @property
    def ok(self) -> bool:
        """Whether no feature knows the future; hints do not count."""
        return not self.leaks

    def __str__(self) -> str:
        times = ", ".join(f"{cut.time:%Y-%m-%d %H:%M} ({cut.rows:,} rows)" for cut in self.cuts)
        lines = [f"{len(self.features)} features, sources changed after {times}"]
        lines += [f"source {name}: {how}" for name, how in self.moved.items()]
        if self.timeless:
            lines.append(f"left as they are, taken as known for all time: {', '.join(self.timeless)}")
        lines += [f"leak: {leak}" for leak in self.leaks] or ["no feature changes with what became known later"]
        lines += [f"hint: {hint}" for hint in self.hints] or [f"no feature alone scores {self.limit} or more"]
        return "\n".join(lines)
