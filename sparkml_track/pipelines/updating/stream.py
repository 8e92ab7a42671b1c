"""Streams from outside, by Structured Streaming: what is there now, in batches that are committed exactly once.

Spark repeats a batch, under the same number and with the same rows, if it died before it noted the batch as done. The
number is committed with the rows, so a batch that is in the table already is passed over. The checkpoint belongs to a
generation of the table: a full refresh begins a new one.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparkml_track.errors import TableError
from sparkml_track.pipelines.planning.decisions import Decision
from sparkml_track.pipelines.planning.marks import Place

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

__all__ = ["run_stream"]


def run_stream(rows: DataFrame, decision: Decision, folder: Path, commit: Callable[[DataFrame, Place], None]) -> None:
    """Runs a stream until all that is there now is committed.

    Args:
        rows: a streaming DataFrame.
        decision: how far it is.
        folder: with the checkpoints of this flow.
        commit: writes one batch.

    Raises:
        TableError: the checkpoint is gone, so nobody knows what was read.
        Exception: what ``commit`` or the stream raised.
    """
    raised: list[BaseException] = []

    def batch(frame: Any, number: int) -> None:
        place = Place(decision.generation, number)
        if decision.place is not None and place <= decision.place:
            return
        try:
            commit(frame, place)
        except BaseException as error:
            # Spark would make text of it.
            raised.append(error)
            raise

    checkpoint = _checkpoint(folder, decision)
    writer = rows.writeStream.foreachBatch(batch).option("checkpointLocation", f"file:{checkpoint}")
    query = writer.trigger(availableNow=True).start()
    try:
        query.awaitTermination()
    except Exception:
        if raised:
            raise raised[0] from None
        raise
    finally:
        query.stop()
    for other in folder.iterdir():
        if other != checkpoint:
            shutil.rmtree(other, ignore_errors=True)


def _checkpoint(folder: Path, decision: Decision) -> Path:
    checkpoint = folder / f"generation-{decision.generation}"
    if decision.place is None:
        if _noted(checkpoint):
            # The table has nothing of it: it was dropped, or a full refresh was killed.
            shutil.rmtree(checkpoint)
    elif not checkpoint.is_dir():
        raise TableError(
            f"the checkpoint {checkpoint} is gone, and with it what this flow has read until batch "
            f"{decision.place.count}; refresh the table in full, or bring the folder back"
        )
    checkpoint.mkdir(parents=True, exist_ok=True)
    return checkpoint


def _noted(checkpoint: Path) -> bool:
    """Whether Spark planned or ended a batch in it."""
    return any((checkpoint / name).is_dir() for name in ("offsets", "commits"))
