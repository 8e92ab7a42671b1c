"""The audit: a training set is built again of what was known at a moment, and must be the same until then."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from pyspark.sql import functions as F

from sparkml_track.adapters.spark.errors import translated
from sparkml_track.errors import DataError
from sparkml_track.features.leaks.compared import Changes, changes
from sparkml_track.features.leaks.label import hints
from sparkml_track.features.leaks.report import AuditReport, Known, Leak
from sparkml_track.features.leaks.scratch import scratch
from sparkml_track.features.leaks.sources import CutTables, Sources, described
from sparkml_track.features.store import FeatureStore, TrainingSet
from sparkml_track.tables import TableExpectations, Tables

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

__all__ = ["audit"]

#: Rows on which features are tried against the label.
_SAMPLE = 50_000
_MADE = "audited_training_set"


def audit(  # noqa: PLR0913 - keywords, each with a default
    tables: Tables,
    builder: Callable[[FeatureStore], TrainingSet],
    *,
    time: str,
    known: Mapping[str, str | Known] | None = None,
    cuts: int | Sequence[datetime] = 3,
    limit: float = 0.95,
    folder: str | Path | None = None,
) -> AuditReport:
    """Look for features that know the future, and for those that may know the label.

    The training set is built as ever, then once for each cut: every source row that became known after the cut is taken
    out, or changed in the columns that became known then. A row whose prediction time is not after the cut must have
    the same features. The tables are only read; what the builder writes goes to a folder that is deleted afterwards.

    Args:
        tables: with a session; the sources are there, and are read at one version.
        builder: makes the training set, as for ``build``; a function of the store that calls ``create_training_set``
            will do. It must give the same each time.
        time: column of the training set with the prediction time.
        known: source table to the column that says when a row became known, or a ``Known``. Of tables with a timestamp
            it is that where they are not named; the others are taken as known for all time, and reported.
        cuts: how many, spread over the rows in the order of time; or the moments.
        limit: score from which on a feature is reported as one that may know the label: AUC of two or more classes, R2
            of a number. The scores are of at most 50,000 rows.
        folder: for what the builder writes, where the tables are in an object store; it must not be there.

    Returns:
        What was found; ``str()`` of it is for people.

    Raises:
        DataError: the builder failed or gave no rows, ``time`` is not a column of the training set, or a cut is before
            all rows.
        TableError: the builder reads tables in a way that cannot be cut.
    """
    sources = Sources(
        tables, {name: Known(one) if isinstance(one, str) else one for name, one in (known or {}).items()}
    )
    unknown = [name for name in sources.known if not tables.exists(name)]
    if unknown:
        raise DataError(
            f"known names {', '.join(unknown)}; there is no such table, there are {', '.join(tables.names())}"
        )
    with scratch(tables, folder) as place:
        run = _Run(sources, builder, place)
        made, before = run.built(None)
        _check(made, time)
        moments = [_zoned(cut) for cut in cuts] if not isinstance(cuts, int) else _moments(before, time, cuts)
        found = [run.compared(before, made, time, moment) for moment in moments]
        suspects = hints(_sample(before, made), made.label, limit)
    moved, timeless = described(sources)
    compared = tuple(one.cut for one in found)
    return AuditReport(_leaks(found), suspects, compared, moved, timeless, made.features, limit)


@dataclass(frozen=True)
class _Run:
    """Builds the training set again and again.

    Attributes:
        sources: what is there.
        builder: as given.
        place: makes empty tables.
    """

    sources: Sources
    builder: Callable[[FeatureStore], TrainingSet]
    place: Callable[[], Tables]

    def built(self, cut: datetime | None) -> tuple[TrainingSet, DataFrame]:
        """The training set of what was known at a moment, and its rows, computed."""
        own = self.place()
        # It has all that a store uses, and refuses the rest.
        cut_tables = cast("Tables", CutTables(self.sources, own, cut))
        with translated("building features for the audit", DataError):
            made = self.builder(FeatureStore(cut_tables))
            ref = own.write(_MADE, made.load_df(), expect=TableExpectations(keys=made.keys))
        return made, own.read(ref)

    def compared(self, before: DataFrame, made: TrainingSet, time: str, cut: datetime) -> Changes:
        """What changes when the sources are changed after a moment."""
        with translated("comparing training sets", DataError):
            found = changes(before, self.built(cut)[1], made.keys, made.features, time, cut)
        if not found.cut.rows:
            raise DataError(
                f"no row of the training set has its {time} at {cut:%Y-%m-%d %H:%M} or before: give later cuts"
            )
        return found


def _leaks(found: Sequence[Changes]) -> tuple[Leak, ...]:
    names = dict.fromkeys(name for one in found for name in one.rows)
    leaks = [
        Leak(
            name,
            sum(one.rows.get(name, 0) for one in found),
            sum(name in one.rows for one in found),
            next(one.examples[name] for one in found if name in one.rows),
        )
        for name in names
    ]
    return tuple(sorted(leaks, key=lambda leak: (-leak.rows, leak.feature)))


def _check(made: TrainingSet, time: str) -> None:
    columns = made.load_df().columns
    if time not in columns:
        raise DataError(
            f"the training set has no column {time!r} with the prediction time; it has {', '.join(columns)}"
        )
    if not made.features:
        raise DataError("the training set has no features, so there is nothing to audit")


def _zoned(cut: datetime) -> datetime:
    return cut if cut.tzinfo else cut.replace(tzinfo=UTC)


def _moments(rows: DataFrame, time: str, number: int) -> list[datetime]:
    """Moments that part the rows evenly."""
    if number < 1:
        raise DataError(f"{number} cuts say nothing: give 1 or more")
    shares = [(place + 1) / (number + 1) for place in range(number)]
    seconds = F.col(f"`{time}`").cast("timestamp").cast("long")
    row = rows.agg(F.percentile_approx(seconds, shares).alias("found")).first()
    if row is None or row["found"] is None:
        raise DataError(f"the training set has no rows with a {time}")
    return [datetime.fromtimestamp(found, UTC) for found in dict.fromkeys(row["found"])]


def _sample(rows: DataFrame, made: TrainingSet) -> Any:
    """Rows with label and features; which ones hangs on their keys alone."""
    parts = max(1, -(-rows.count() // _SAMPLE))
    chosen = F.pmod(F.xxhash64(*[F.col(f"`{key}`") for key in made.keys]), F.lit(parts)) == 0
    return rows.where(chosen).select(*[F.col(f"`{name}`") for name in (made.label, *made.features)]).toArrow()
