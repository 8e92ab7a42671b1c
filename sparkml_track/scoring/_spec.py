"""What is scored, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sparkml_track.cards import card, lineage_command
from sparkml_track.errors import SpecError
from sparkml_track.readable import duration
from sparkml_track.refs import ModelRef, TableRef
from sparkml_track.registries import ALIAS_CHAMPION

__all__ = ["Follow", "Followed", "Period", "Scored", "Scoring"]


@dataclass(frozen=True, slots=True)
class Period:
    """Rows of a stretch of time.

    Attributes:
        column: a timestamp.
        start: the first moment that belongs to it.
        end: the first moment after it. Both with a time zone.
    """

    column: str
    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        moments = {"start": self.start, "end": self.end}
        wrong = [f"{name} is {at}, it must have a time zone" for name, at in moments.items() if at.tzinfo is None]
        if not wrong and self.start >= self.end:
            wrong.append(f"the period ends at {self.end}, it must be after its start at {self.start}")
        if wrong:
            raise SpecError(*wrong)


@dataclass(frozen=True, slots=True)
class Scoring:
    """One scoring job.

    Attributes:
        model: registered name.
        source: table and version to score.
        target: name of the table with the scores.
        experiment: where the scoring run goes.
        alias: looked up once, at the start; not used if ``version`` is given.
        version: of the model.
        where: column to allowed values, None for rows without one; empty allows all.
        period: only rows of this time; None takes all.
        keep: columns of the source to carry over; empty carries all.
    """

    model: str
    source: TableRef
    target: str
    experiment: str
    alias: str = ALIAS_CHAMPION
    version: int | None = None
    where: Mapping[str, Sequence[object]] = field(default_factory=dict)
    period: Period | None = None
    keep: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Scored:
    """What a scoring job wrote.

    Attributes:
        table: the version it made.
        model: the version that scored all rows.
        run_id: of the scoring run.
        rows: written.
        bad: rows without a score, by problem.
        seconds: the whole job.
        columns: the names of what was added, by those in ``ADDED``.
    """

    table: TableRef
    model: ModelRef
    run_id: str
    rows: int
    bad: Mapping[str, int]
    seconds: float
    columns: Mapping[str, str]

    def _repr_html_(self) -> str:
        """For notebooks."""
        facts = {
            "model": self.model,
            "rows": f"{self.rows:,}",
            "without a score": ", ".join(f"{count:,} {problem}" for problem, count in self.bad.items()),
            "took": duration(self.seconds),
            "run": self.run_id,
        }
        return card(f"Scores {self.table}", facts, command=lineage_command(self.table.name, self.table.version))


@dataclass(frozen=True, slots=True)
class Follow:
    """Scoring of rows as they come.

    Attributes:
        model: registered name.
        target: name of the table that scores are appended to.
        experiment: where the scoring run goes.
        alias: looked up for each batch; not used if ``version`` is given.
        version: of the model.
        where: column to allowed values, None for rows without one; empty allows all.
        keep: columns of the source to carry over; empty carries all.
    """

    model: str
    target: str
    experiment: str
    alias: str = ALIAS_CHAMPION
    version: int | None = None
    where: Mapping[str, Sequence[object]] = field(default_factory=dict)
    keep: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Followed:
    """What was scored of rows that came.

    Attributes:
        table: the version of now; None where nothing has ever come.
        models: the versions that scored, in the order of their batches.
        run_id: of the scoring run; empty where nothing came.
        batches: that were committed by this call.
        rows: appended by them.
        bad: rows without a score among them.
        seconds: the whole call.
    """

    table: TableRef | None
    models: tuple[ModelRef, ...]
    run_id: str
    batches: int
    rows: int
    bad: int
    seconds: float
