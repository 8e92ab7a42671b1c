"""From spools into tables: each record once, whenever a process is killed.

A commit brings the rows of some records and, in the same step, the number of the last one (a transaction of the Delta
log, by the spool's name). Whoever reads a spool begins after the number that the table has. Segments are deleted when
all tables have them, so what is read twice is written once.
"""

from __future__ import annotations

import json
import logging
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from sparkml_track.errors import DataError, SparkmlError
from sparkml_track.serving._spec import Recording
from sparkml_track.serving.inference.arrow import TABLES, Rows, payload_rows, prediction_rows, simple_kind
from sparkml_track.serving.inference.records import Record
from sparkml_track.serving.inference.segments import first_number, last_number, new_segment, records_of, segments_of
from sparkml_track.serving.inference.spool import HeldSpool, Spool, claim, claim_left
from sparkml_track.serving.models.routing import SHADOW
from sparkml_track.tables import Tables

__all__ = ["Recorder"]

_LOG = logging.getLogger(__name__)
#: Bytes of records that are made into one commit.
_AT_ONCE = 32 * 2**20
_LONGEST_WAIT = 60.0
#: After so many records the thread sleeps for so many seconds, so that requests do not wait for what it does.
_PIECE, _PAUSE = 20, 0.003
_PASSED = "passed.json"

_Numbered = list[tuple[int, Record]]
_Item = TypeVar("_Item")


class Recorder:
    """Records requests, and brings them into tables by a thread of its own.

    Args:
        recording: where to.
        tables: that take them; used by the flushing thread alone.

    Attributes:
        counts: rows written by table ("payload", "rows", "shadow"), and those refused by their types ("retyped").

    Raises:
        SetupError: the folder of records cannot be written.
    """

    def __init__(self, recording: Recording, tables: Tables) -> None:
        self.counts: Counter[str] = Counter()
        self._recording, self._tables = recording, tables
        self._held = claim(recording.folder)
        self.spool = Spool(self._held, recording.most_bytes)
        self._trouble = ""
        self._flushing = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="inference-tables", daemon=True)
        self._thread.start()

    @property
    def trouble(self) -> str:
        """Why the tables lag behind; empty if they do not."""
        return self._trouble

    def flush(self) -> bool:
        """Brings what is recorded into the tables, also what killed processes left; says whether all is there."""
        with self._flushing:
            done = self._attempt(self._flush_own)
            for held in claim_left(self._recording.folder):
                done = self._attempt(partial(self._flush_left, held)) and done
                held.release()
            return done

    def close(self) -> bool:
        """Records what waits, flushes once, and lets the spool go; what did not get into the tables stays on disk."""
        self._stop.set()
        self._thread.join()
        self.spool.close()
        try:
            return self.flush()
        finally:
            self.spool.release()

    def _run(self) -> None:
        wait = self._recording.every
        while not self._stop.wait(wait):
            wait = self._recording.every if self.flush() else min(2 * wait, max(_LONGEST_WAIT, self._recording.every))

    def _attempt(self, work: Callable[[], None]) -> bool:
        try:
            work()
        except Exception as error:  # noqa: BLE001 -- serving goes on, and what is recorded stays
            trouble = str(error) if isinstance(error, SparkmlError) else f"{type(error).__name__}: {error}"
            if trouble != self._trouble:
                _LOG.warning("records wait on disk, the inference tables do not take them: %s", trouble)
            self._trouble = trouble
            return False
        self._trouble = ""
        return True

    def _flush_own(self) -> None:
        for segments in _parts(self.spool.rotate()):
            self._commit(self._held, segments)
            self.spool.forget(segments)

    def _flush_left(self, held: HeldSpool) -> None:
        segments = segments_of(held.folder)
        for part in _parts(segments):
            self._commit(held, part)
        # The name of a segment says which numbers were given, so one stays.
        number = last_number(held.folder) + 1
        os.close(new_segment(held.folder, number))
        for path in segments:
            if first_number(path) == number:
                os.truncate(path, 0)  # it has half a line and nothing else
            else:
                path.unlink()

    def _commit(self, held: HeldSpool, segments: Sequence[Path]) -> None:
        records = [each for path in segments for each in self._giving_way(records_of(path))]
        if not records:
            return
        passed = _passed(held.folder)
        for kind in TABLES:
            name = f"{self._recording.tables}_{kind}"
            there = self._tables.exists(name)
            done = max((there and self._tables.done(name, held.application)) or 0, passed.get(kind, 0))
            new = [(number, record) for number, record in records if number > done]
            if new:
                self._write(kind, name, new, held, there=there)

    def _write(self, kind: str, name: str, new: _Numbered, held: HeldSpool, *, there: bool) -> None:
        rows = self._rows(kind, name, [record for _, record in new], there=there)
        self.counts["retyped"] += rows.refused
        if rows.table is None:
            return
        last = new[-1][0]
        try:
            self._tables.write(
                name,
                rows.table,
                mode="append",
                transaction=(held.application, last),
                evolve=True,
                description=f"{kind} of an endpoint",
            )
            self.counts[kind] += rows.table.num_rows
        except DataError as error:
            # It will be refused for ever: the rows are in the payload, and those after them are not held up.
            _LOG.warning("%s rows are not in %s, which refuses them: %s", rows.table.num_rows, name, error)
            self.counts["retyped"] += rows.table.num_rows
            _pass(held.folder, kind, last)

    def _rows(self, kind: str, name: str, records: Sequence[Record], *, there: bool) -> Rows:
        if kind == TABLES[0]:
            return payload_rows(records)
        columns = self._tables.describe(name).columns if there else {}
        kinds = {column: simple_kind(each) for column, each in columns.items()}
        shadow = kind == TABLES[2]
        own = [each for each in records if (each.role == SHADOW) == shadow]
        return prediction_rows(self._giving_way(own), kinds, shadow=shadow)

    def _giving_way(self, items: Iterable[_Item]) -> Iterator[_Item]:
        """The same items, with pauses while requests are answered."""
        for place, item in enumerate(items, 1):
            yield item
            if place % _PIECE == 0:
                self._stop.wait(_PAUSE)


def _parts(segments: Iterable[Path]) -> Iterator[list[Path]]:
    """Segments, oldest first, in parts that fit into memory."""
    part, size = list[Path](), 0
    for path in segments:
        bytes_ = path.stat().st_size
        if part and size + bytes_ > _AT_ONCE:
            yield part
            part, size = [], 0
        part.append(path)
        size += bytes_
    if part:
        yield part


def _passed(folder: Path) -> Mapping[str, int]:
    """The last numbers of a spool that tables refused for what they are."""
    try:
        found = json.loads((folder / _PASSED).read_text())
    except (OSError, ValueError):
        return {}
    return {str(kind): int(number) for kind, number in found.items()}


def _pass(folder: Path, kind: str, number: int) -> None:
    part = folder / f".{_PASSED}"
    part.write_text(json.dumps({**_passed(folder), kind: number}))
    part.replace(folder / _PASSED)
