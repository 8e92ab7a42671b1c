"""The journal of a sweep as it is in the home that imports it: other ids of runs, another store."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

from sparkml_track.errors import InvalidInput
from sparkml_track.journals import Record, open_journal, read, sweeps

__all__ = ["Here", "Journalled"]


class Here:
    """What is other here.

    Args:
        run_id: of the parent run.
        experiment_id: where it is.
        uri: of the store without secrets, None for the home's own.
    """

    def __init__(self, run_id: str, experiment_id: str, uri: str | None) -> None:
        self._run = {"run": run_id}
        self._parent = {"run": run_id, "experiment": experiment_id}
        self._uri = uri

    def record(self, record: Record) -> Record:
        """A record as it is here; kinds that are not known stay as they are."""
        kind, body = record.kind, record.body
        if kind == "plan":
            return Record(kind, {**body, "spec": self._spec(body["spec"])})
        if kind == "parent":
            return Record(kind, {**body, **self._parent})
        if kind == "ended":
            return Record(kind, {**body, **self._run})
        if kind in {"accepted", "unit"} and not body.get("in_place"):
            # A folder of the other driver, whose files the child run has.
            return Record(kind, {**body, "artifacts": ""})
        return record

    def _spec(self, spec: object) -> object:
        if not isinstance(spec, Mapping) or not isinstance(spec.get("tracking"), Mapping):
            return spec
        return {**spec, "tracking": {**spec["tracking"], "uri": self._uri}}


class Journalled:
    """The journal of a sweep in a home, beside the one that is imported.

    Args:
        home: that imports.
        sweep: its id.
    """

    def __init__(self, home: Path, sweep: str) -> None:
        self._home, self._sweep = home, sweep
        self._have = list(read(home, sweep)) if any(entry.sweep == sweep for entry in sweeps(home)) else []

    def is_ahead(self, records: Sequence[Record]) -> bool:
        """Whether the sweep went on here; then nothing is left to import.

        Args:
            records: as they were elsewhere.

        Raises:
            InvalidInput: it is another sweep, or went on in both places.
        """
        pairs = zip(self._have, records, strict=False)
        if any(_bare(have) != _bare(record) for have, record in pairs):
            raise InvalidInput(
                f"sweep {self._sweep} is in {self._home} already with another journal: both went on since it was "
                "imported, or it was never imported from there. Import it into another home (SPARKML_HOME)"
            )
        return len(self._have) > len(records)

    def add(self, records: Sequence[Record]) -> int:
        """Adds what is missing at the end, under the lease; how many records.

        Raises:
            LeaseHeld: a driver has the sweep.
            JournalError: the journal cannot be written.
        """
        if len(records) <= len(self._have):
            return 0
        with closing(open_journal(self._home, self._sweep)) as journal:
            missing = list(records[sum(1 for _ in journal.replay()) :])
            journal.append(missing)
            journal.flush()
        return len(missing)


def _bare(record: Record) -> str:
    """What is the same in all homes."""
    return json.dumps([record.kind, Here("", "", None).record(record).body], sort_keys=True)
