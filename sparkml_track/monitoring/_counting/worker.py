"""The one pass over the rows: counts by window, slice, column and bin. Runs in Spark Python workers, sent by value.

Needs numpy and pyarrow there. Nothing here may refer to another module of the package than ``places``, ``slots`` and
``sums``, which are sent as well.

Every number is a sum, a least or a most, so partitions are put together by Spark in any order. One row out is (window,
slicing, value, column, slot, total, low, high, sum, scored, score). All rows of a window are the slicing ``ALL`` with
the value 0; a row is in at most one value of each other slicing. A column is a number: its place in ``Pass.columns``,
or ``QUALITY``. Slots from 0 are bins, after which a column has ``REGISTERS`` more; those below 0 are named in
``slots``. ``scored`` and ``score`` are how many rows of a slot have a score, and their sum.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sparkml_track.monitoring._counting.places import Cuts, numbers_of, place_numbers, place_texts, values_in
from sparkml_track.monitoring._counting.slots import (
    ABSOLUTE,
    ALL,
    BRIER,
    CLASSES,
    ERRORS,
    HEAD,
    LABEL_SQUARES,
    LABELS,
    LOG_LOSS,
    OUT,
    QUALITY,
    REGISTERS,
    SCORE_BINS,
    SCORES,
    SELECTED,
    SQUARED,
    TRUE_NEGATIVES,
    TRUE_POSITIVES,
    WITH_LABEL,
    WITH_SCORE,
    WRONG,
)
from sparkml_track.monitoring._counting.sums import ColumnSums

__all__ = ["Cuts", "Pass", "count_batches"]


@dataclass(frozen=True)
class Pass:
    """What is counted. Batches have the window, the slicings, the columns, the score and, with labels, the label.

    Attributes:
        columns: bins of each column, in order.
        slicings: of each the values that are told apart; all others are one more, and those without a value one more
            yet. None where a row is in the slice or not: true, or anything else.
        labels: what they are; empty without labels.
        threshold: of the score, from which the class is 1.
        shift: a number near the labels, so that squares lose no digits.
    """

    columns: Sequence[Cuts]
    slicings: Sequence[tuple[str, ...] | None] = ()
    labels: str = ""
    threshold: float = 0.5
    shift: float = 0.0


def count_batches(work: Pass, batches: Iterator[Any]) -> Iterator[Any]:
    """Arrow batches in; for each partition one batch out."""
    import pyarrow as pa

    found = _Found(work)
    for batch in batches:
        if batch.num_rows:
            found.add(batch)
    names = [column.split()[0] for column in OUT.split(", ")]
    types = [pa.string(), *[pa.int32()] * 4, *[pa.float64()] * 6]
    yield pa.RecordBatch.from_arrays([pa.array(c, t) for c, t in zip(found.columns(), types, strict=True)], names)


class _Found:
    """What one partition has counted."""

    def __init__(self, work: Pass) -> None:
        self.work = work
        self.groups: dict[tuple[str, int, int], int] = {}
        self.sums = {place: ColumnSums(HEAD + cuts.bins + REGISTERS) for place, cuts in enumerate(work.columns)}
        if work.labels:
            self.sums[QUALITY] = ColumnSums(HEAD + (3 * SCORE_BINS if work.labels == CLASSES else 0))

    def add(self, batch: Any) -> None:
        import numpy as np

        work, first = self.work, 1 + len(self.work.slicings)
        members = self._members(batch)
        score = numbers_of(batch.column(first + len(work.columns)))
        for sums in self.sums.values():
            sums.grow(len(self.groups))
        for place, cuts in enumerate(work.columns):
            array = batch.column(first + place)
            column = place_texts(array, cuts) if cuts.text else place_numbers(numbers_of(array), cuts)
            for rows, group in members:
                self.sums[place].add_column(column, rows, group)
            all_rows, group = members[0]
            scored = ~np.isnan(score)
            slots = column.slots[all_rows][scored]
            self.sums[place].add_scores(group[scored], slots, score[scored])
        if work.labels:
            label = numbers_of(batch.column(first + len(work.columns) + 1))
            for rows, group in members:
                self._add_quality(score[rows], label[rows], group)

    def _members(self, batch: Any) -> list[tuple[Any, Any]]:
        """For each slicing the rows that are in it, and the group of each of them; first that of all rows."""
        import numpy as np

        windows = batch.column(0).dictionary_encode()
        tags, window = windows.dictionary.to_pylist(), np.asarray(windows.indices)
        found: list[tuple[Any, Any]] = [(slice(None), self._groups(tags, window, ALL, np.zeros(len(window), np.int64)))]
        for place, known in enumerate(self.work.slicings):
            value = values_in(batch.column(1 + place), known)
            rows = np.flatnonzero(value >= 0)
            found.append((rows, self._groups(tags, window[rows], place, value[rows])))
        return found

    def _groups(self, tags: list[str], window: Any, slicing: int, value: Any) -> Any:
        import numpy as np

        size = int(value.max(initial=0)) + 1
        pairs, inverse = np.unique(window.astype(np.int64) * size + value, return_inverse=True)
        keys = [(tags[pair // size], slicing, int(pair % size)) for pair in pairs.tolist()]
        return np.array([self.groups.setdefault(key, len(self.groups)) for key in keys], np.int64)[inverse.ravel()]

    def _add_quality(self, score: Any, label: Any, group: Any) -> None:
        import numpy as np

        sums = self.sums[QUALITY]
        scored = ~np.isnan(score)
        score, label, group = score[scored], label[scored], group[scored]
        there = ~np.isnan(label)
        sums.add_total(WITH_SCORE, group)
        sums.add_range(SCORES, group, score)
        if self.work.labels == CLASSES:
            sums.add_total(SELECTED, group[score >= self.work.threshold])
            sums.add_score_bins(2, group, score)
            self._add_classes(score[there], label[there], group[there])
        else:
            self._add_errors(score[there], label[there], group[there])

    def _add_classes(self, score: Any, label: Any, group: Any) -> None:
        """Scores that are not probabilities are refused by whoever reads the least and the most."""
        import numpy as np

        sums, wrong = self.sums[QUALITY], (label != 0) & (label != 1)
        sums.add_range(WRONG, group[wrong], label[wrong])
        sums.add_total(WRONG, group[wrong])
        sums.add_total(WITH_LABEL, group)
        positive, selected = label > 0, score >= self.work.threshold
        sums.add_total(SCORES, group, score)
        sums.add_total(TRUE_POSITIVES, group[positive & selected])
        sums.add_total(TRUE_NEGATIVES, group[~positive & ~selected])
        clipped = np.clip(score, 0, 1)
        right = np.clip(np.where(positive, clipped, 1 - clipped), np.finfo(float).eps, 1)
        sums.add_total(LOG_LOSS, group, -np.log(right))
        sums.add_total(BRIER, group, np.square(clipped - positive))
        for block, rows in enumerate((positive, ~positive)):
            sums.add_score_bins(block, group[rows], score[rows])

    def _add_errors(self, score: Any, label: Any, group: Any) -> None:
        import numpy as np

        error, label = score - label, label - self.work.shift
        there = np.isfinite(error)
        group, error, label = group[there], error[there], label[there]
        sums = self.sums[QUALITY]
        sums.add_total(WITH_LABEL, group)
        for slot, values in (
            (SCORES, score[there]),
            (ERRORS, error),
            (ABSOLUTE, np.abs(error)),
            (SQUARED, np.square(error)),
            (LABELS, label),
            (LABEL_SQUARES, np.square(label)),
        ):
            sums.add_total(slot, group, values)

    def columns(self) -> Any:
        """The rows that come out, by column."""
        import numpy as np

        parts = [part for place, sums in self.sums.items() for part in sums.rows(self.groups, place)]
        if not parts:
            return [[]] * 11
        return [np.concatenate(column) for column in zip(*parts, strict=True)]
