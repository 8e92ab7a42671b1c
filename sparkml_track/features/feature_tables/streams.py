"""Streams into feature tables: each batch is committed once, whatever is killed.

Spark repeats a batch, under the same number and with the same rows, if it died before it noted the batch as done. The
number is committed with the rows, so a batch that is in the table already is passed over. Numbers belong to a
checkpoint: its folder names the table and has an id, under which the batches are counted.
"""

from __future__ import annotations

import json
import math
import os
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparkml_track.adapters.spark.errors import translated
from sparkml_track.errors import DataError, NotBuilt, TableError
from sparkml_track.refs import TableRef
from sparkml_track.tables import Tables, TransactionId

if TYPE_CHECKING:
    from pyspark.sql import DataFrame
    from pyspark.sql.streaming.query import StreamingQuery

__all__ = ["TableStream", "check_plain", "check_streamed", "write_stream"]

#: In the checkpoint's folder; Spark's own names have no dot.
_MARK = "feature_table.json"
_TRIGGERS = ("availableNow", "once", "processingTime")


@dataclass
class TableStream:
    """A stream that writes a feature table.

    Threads: one at a time. Ownership: whoever started it stops it; it ends with the Spark session, too.

    Attributes:
        name: of the table.
        query: Spark's own handle.
    """

    name: str
    query: StreamingQuery
    _tables: Tables
    _raised: list[BaseException]
    _ended: Callable[[TableRef], object]

    @property
    def active(self) -> bool:
        """Whether it still goes on."""
        return bool(self.query.isActive)

    def wait(self, timeout: float | None = None) -> TableRef | None:
        """Wait until the stream ends: with "availableNow", once all that was there is written.

        Args:
            timeout: whole seconds; None for as long as it takes.

        Returns:
            The latest version of the table; None if the stream still goes on after ``timeout``.

        Raises:
            DataError: a batch does not fit the table, or Spark failed. What was committed before stays.
            TableError: a batch could not be written.
        """
        try:
            with translated(f"the stream into {self.name}", DataError):
                ended = self.query.awaitTermination(None if timeout is None else max(1, math.ceil(timeout)))
        except DataError:
            if self._raised:
                raise self._raised[0] from None
            raise
        if timeout is not None and not ended:
            return None
        latest = self._tables.latest(self.name)
        self._ended(latest)
        return latest

    def stop(self) -> None:
        """Stop it; a batch at work is written by the next stream with this checkpoint."""
        self.query.stop()


def write_stream(
    rows: DataFrame,
    name: str,
    commit: Callable[[DataFrame, TransactionId], TableRef],
    tables: Tables,
    options: tuple[str | Path | None, Mapping[str, Any] | None, Callable[[TableRef], object]],
) -> TableStream:
    """Begin a stream into a table.

    Args:
        rows: a streaming DataFrame.
        name: of the table.
        commit: writes one batch with its transaction.
        tables: that hold it.
        options: the checkpoint's folder, the trigger, and what is called with the last version.

    Raises:
        DataError: no checkpoint, one of another table, or a trigger that is not one.
        NotBuilt: a checkpoint that is not on a local or mounted path.
    """
    checkpoint, trigger, ended = options
    wanted = _trigger(trigger)
    folder = _folder(name, checkpoint)
    application = _application(name, folder, tables)
    raised: list[BaseException] = []

    def batch(frame: Any, number: int) -> None:
        if number <= (-1 if (done := tables.done(name, application)) is None else done):
            return
        try:
            commit(frame, (application, number))
        except BaseException as error:
            # Spark would make text of it.
            raised.append(error)
            raise

    writer = rows.writeStream.foreachBatch(batch).option("checkpointLocation", f"file:{folder}")
    with translated(f"beginning the stream into {name}", DataError):
        query = writer.trigger(**wanted).start()
    return TableStream(name, query, tables, raised, ended)


def check_plain(name: str, checkpoint: object, trigger: object) -> None:
    """Refuse what is for streams alone.

    Raises:
        DataError: it was given with rows that are no stream.
    """
    if checkpoint is not None or trigger is not None:
        raise DataError(
            f"the rows for {name} are no stream: leave out checkpoint_location and trigger, or read them by readStream"
        )


def check_streamed(name: str, mode: str) -> None:
    """Refuse a mode that a stream cannot have.

    Raises:
        DataError: each batch would take the place of all rows before.
    """
    if mode == "overwrite":
        raise DataError(
            f'the rows for {name} are a stream, whose batches would overwrite each other: give mode="merge" or "append"'
        )


def _trigger(given: Mapping[str, Any] | None) -> dict[str, Any]:
    wanted = dict(given) if given is not None else {"availableNow": True}
    if len(wanted) != 1 or next(iter(wanted)) not in _TRIGGERS:
        raise DataError(
            f"trigger={given!r} is not one: give {{'availableNow': True}} for what is there now, which is the default, "
            "or {'processingTime': '5 minutes'} to go on"
        )
    return wanted


def _folder(name: str, given: str | Path | None) -> Path:
    if given is None:
        raise DataError(
            f"the rows for {name} are a stream: give checkpoint_location=, a folder that remembers what was read"
        )
    text = str(given).removeprefix("file:")
    if "://" in text:
        raise NotBuilt(f"a checkpoint at {given} is not supported; give a local or mounted path")
    return Path(text).absolute()


def _application(name: str, folder: Path, tables: Tables) -> str:
    """Under which the batches of this checkpoint are counted.

    Raises:
        DataError: the folder is the checkpoint of something else, or the table has lost what it remembers.
    """
    mark = folder / _MARK
    begun = any((folder / "commits").glob("[0-9]*"))
    if not mark.exists():
        if begun or (folder / "offsets").is_dir():
            raise DataError(f"{folder} is the checkpoint of another stream; give one of its own to {name}")
        folder.mkdir(parents=True, exist_ok=True)
        _put(mark, json.dumps({"table": name, "id": uuid.uuid4().hex}))
    try:
        found = json.loads(mark.read_text())
        table, number = str(found["table"]), str(found["id"])
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{mark} cannot be read: {error}; give another checkpoint_location") from error
    if table != name:
        raise DataError(f"{folder} is the checkpoint of a stream into {table}; give one of its own to {name}")
    application = f"sparkml_track/features/{number}"
    if begun and tables.done(name, application) is None:
        raise TableError(
            f"{folder} says that batches were written, and table {name} has none of them: it was made anew. Give "
            "another checkpoint_location, and the stream is read from its beginning"
        )
    return application


def _put(file: Path, text: str) -> None:
    """A file that is there whole or not at all."""
    temporary = file.with_name(f".{file.name}.{uuid.uuid4().hex}")
    with temporary.open("w") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    temporary.replace(file)
