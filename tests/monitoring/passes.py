"""The pass over the rows without Spark: what its workers do, put together as Spark does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from sparkml_track.monitoring._counting import worker
from sparkml_track.monitoring._counting.counts import Counted, counted
from sparkml_track.monitoring._counting.places import Cuts

ADDED = dict.fromkeys(("total", "sum", "scored", "score"), "sum") | {"low": "min", "high": "max"}
KEYS = ["window", "slicing", "value", "column", "slot"]


def passed(
    windows: Sequence[str],
    columns: Mapping[str, tuple[Any, Cuts]],
    score: Any = None,
    label: Any = None,
    slicings: Mapping[str, tuple[Any, tuple[str, ...] | None]] | None = None,
    **work: Any,
) -> Counted:
    """Counts rows in two partitions, the first of which has two batches.

    Args:
        windows: the tag of each row.
        columns: values and bins by name.
        score: of each row; 0.5 if not given.
        label: of each row.
        slicings: values and those that are told apart, by name.
        work: more of the pass.
    """
    slicings = slicings or {}
    arrays = [windows, *(values for values, _ in slicings.values()), *(values for values, _ in columns.values())]
    arrays += [[0.5] * len(windows) if score is None else score, *([] if label is None else [label])]
    batch = pa.RecordBatch.from_arrays(
        [pa.array(each, from_pandas=True) for each in arrays], list(map(str, range(len(arrays))))
    )
    job = worker.Pass([cuts for _, cuts in columns.values()], [known for _, known in slicings.values()], **work)
    half = len(windows) // 2
    parts = [[batch.slice(0, 7), batch.slice(7, half)], [batch.slice(7 + half)]]
    found = pa.Table.from_batches([out for part in parts for out in worker.count_batches(job, iter(part))])
    by_slot = found.to_pandas().groupby(KEYS, as_index=False).agg(ADDED)
    known = {name: values for name, (_, values) in slicings.items()}
    return counted({name: cuts for name, (_, cuts) in columns.items()}, known, by_slot)
