"""Where a sweep that is imported comes from."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sparkml_track.adapters.mlflow.uri import whole_uri
from sparkml_track.address import is_address
from sparkml_track.engine.records.entries import plan_of
from sparkml_track.errors import InvalidInput, LeaseHeld
from sparkml_track.home import Home
from sparkml_track.journals import Record, SweepEntry, read, sweeps

__all__ = ["Source", "source_of"]

_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:/|databricks")


@dataclass(frozen=True, slots=True)
class Source:
    """A sweep and where it is.

    Attributes:
        target: its id, or the id of its parent run.
        uri: of its tracking store, with secrets.
        home: the home that has it; None where a store alone is given.
    """

    target: str
    uri: str
    home: Home | None = None

    def records(self, sweep: str) -> Sequence[Record]:
        """Its journal, from beginning to end; empty where it has none.

        Raises:
            LeaseHeld: it is running.
            JournalError: it cannot be read.
        """
        entry = self._entry(sweep)
        if self.home is None or entry is None:
            return ()
        if entry.holder is not None:
            raise LeaseHeld(
                f"sweep {sweep} is running: pid {entry.holder.pid} on host {entry.holder.host}. Import it when it has "
                "ended"
            )
        return tuple(read(self.home.root, sweep))

    def _entry(self, sweep: str) -> SweepEntry | None:
        entries = sweeps(self.home.root) if self.home is not None else ()
        return next((entry for entry in entries if entry.sweep == sweep), None)


def source_of(target: str, given: str | os.PathLike[str]) -> Source:
    """Finds the store of a sweep. Nothing is made.

    Args:
        target: a sweep id, or the id of a parent run.
        given: a home folder, or the URI of an MLflow store.

    Raises:
        InvalidInput: it is neither, or the home does not have the sweep.
        SpecError: the sweep's store has a secret in its URI, which journals do not keep.
        JournalError: the journal cannot be read.
    """
    text = os.fspath(given)
    if _URI.match(text) and not is_address(text):
        return Source(target, _existing(text))
    home = Home.find(text)
    if not (home.store or home.journal.is_dir() or home.database.is_file()):
        raise InvalidInput(
            f"{text!r} is neither the home of sweeps (it has no folder 'journal' and no 'mlflow.db') nor the URI of an "
            "MLflow store, such as sqlite:////folder/mlflow.db, postgresql://host/database or http://host:5000"
        )
    entries = {entry.sweep: entry for entry in sweeps(home.root)}
    plan = plan_of(read(home.root, target)) if target in entries else None
    uri = whole_uri(target, plan.spec.tracking.uri) if plan is not None else None
    if uri is None and not home.database.is_file():
        some = ", ".join(list(entries)[:5]) or "none"
        raise InvalidInput(f"{target!r} is not a sweep in {home.root}, which has {some}, and nothing is tracked there")
    return Source(target, uri or home.tracking_uri, home)


def _existing(uri: str) -> str:
    """The URI; to open a file that is not there would make it."""
    path = uri.partition("sqlite:///")[2].partition("?")[0]
    if path and not Path(path).is_file():
        raise InvalidInput(f"there is no database file {path!r}, so no sweep can be imported from it")
    return uri
