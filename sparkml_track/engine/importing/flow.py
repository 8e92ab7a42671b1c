"""A sweep of another home or store is taken over.

    the source's parent run, its journal -> refused, before anything is written, where they do not fit what is here
    parent run -> child runs, batch by batch, files first -> end of the parent run -> journal

Each step finds what an earlier import left: a child run that has ended in the store is complete, and records are added
behind those that are there. So an import that died is done again, and one that was done adds nothing.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from sparkml_track import schema
from sparkml_track.adapters.mlflow.uri import redacted
from sparkml_track.engine.importing.records import Here, Journalled
from sparkml_track.engine.importing.runs import child_of, end_of, parent_of, state_of
from sparkml_track.engine.importing.source import Source, source_of
from sparkml_track.errors import InvalidInput, TrackingError
from sparkml_track.home import Home
from sparkml_track.journals import Record
from sparkml_track.slot.host.lock import exclusive_lock
from sparkml_track.slot.host.trees import plain_files, remove_tree
from sparkml_track.trackers import ChildRun, Content, Tracker, WholeRun, open_tracker

__all__ = ["ImportedSweep", "import_sweep"]

_BATCH = 200


@dataclass(frozen=True, slots=True)
class ImportedSweep:
    """What an import did.

    Attributes:
        sweep: the sweep id, which is the same as before.
        run_id: of the parent run here.
        experiment_id: where it is.
        state: of the parent run: "finished", "failed", "killed", or "running" for a sweep that has not ended.
        source: the store that it came from, without secrets.
        source_run: the id of the parent run there.
        trials: how many child runs were added, or brought to their end.
        nested: how many runs inside those.
        already: how many child runs were here before.
        records: how many journal records were added; 0 where the source has no journal, or all were here.
    """

    sweep: str
    run_id: str
    experiment_id: str
    state: str
    source: str
    source_run: str
    trials: int
    nested: int
    already: int
    records: int


def import_sweep(
    sweep: str,
    source: str | os.PathLike[str],
    *,
    home: str | Path | None = None,
    tracking_uri: str | None = None,
) -> ImportedSweep:
    """Takes over a sweep from another home or another MLflow store: runs, files, models, and the journal if it has one.

    The sweep keeps its id and the name of its experiment. Runs get ids of the store that they go to; the tags
    ``sparkml.imported.run`` and ``sparkml.imported.from`` say what they were. Logged models keep their ids. To import
    again adds what is missing, and nothing if all is there.

    Args:
        sweep: its id, or the id of its parent run.
        source: the other home, whose journal and store are read; or the URI of a store, which has no journal.
        home: the state folder; as in ``sweep`` by default.
        tracking_uri: of the store that gets the runs; the home's own by default.

    Raises:
        InvalidInput: there is no such sweep, it is here already and was not imported from there, or went on in both.
        LeaseHeld: the sweep is running.
        JournalError: a journal cannot be read or written.
        TrackingError: a store cannot be read or written.
    """
    here = Home.find(home)
    where = source_of(sweep, source)
    with closing(open_tracker(where.uri, here.root if where.home is None else where.home.root)) as old:
        parent = _parent_in(old, where)
        name = _sweep_id(parent)
        records = where.records(name)
        ahead = Journalled(here.root, name).is_ahead(records) if records else False
        here.make()
        with _alone(here, name) as staging, closing(open_tracker(tracking_uri, here.root)) as new:
            there = new.find(name)
            _refuse_another(new, there, parent, name)
            if there is not None and ahead:
                return _done(new, there, parent, name)
            return _Import(here, old, new, parent, staging).run(records, tracking_uri)


def _parent_in(tracker: Tracker, source: Source) -> WholeRun:
    run_id = tracker.find(source.target) or source.target
    try:
        return tracker.whole_parent(run_id)
    except TrackingError as error:
        if type(error) is not TrackingError:
            raise
        raise InvalidInput(f"{source.target!r} is neither a sweep nor a parent run in {tracker.uri}: {error}") from None


def _sweep_id(parent: WholeRun) -> str:
    """As a tag says it, which anybody may write; folders are named by it."""
    sweep = parent.log.tags[schema.TAG_SWEEP]
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", sweep):
        raise InvalidInput(
            f"the run {parent.run_id} has the sweep id {sweep[:80]!r}; allowed are 1 to 64 letters, digits, '_' and '-'"
        )
    return sweep


def _refuse_another(tracker: Tracker, run_id: str | None, parent: WholeRun, sweep: str) -> None:
    if run_id is None:
        return
    was = tracker.parent(run_id).tags.get(schema.TAG_IMPORTED_RUN, "")
    if was != parent.run_id:
        how = f"imported from the run {was}" if was else "which was made there"
        raise InvalidInput(
            f"sweep {sweep} is in {tracker.uri} already: its parent run is {run_id}, {how}. Delete that one first "
            f"(sparkml-track delete {sweep}), or name another store with --tracking-uri"
        )


@contextmanager
def _alone(home: Home, sweep: str) -> Iterator[Path]:
    """One import of a sweep at a time; gives a folder for files on their way."""
    staging = home.staging(sweep)
    staging.parent.mkdir(parents=True, exist_ok=True)
    with exclusive_lock(staging.parent / f"{sweep}.lock"):
        remove_tree(str(staging))  # of an import that died
        staging.mkdir()
        try:
            yield staging
        finally:
            remove_tree(str(staging))


def _done(tracker: Tracker, run_id: str, parent: WholeRun, sweep: str) -> ImportedSweep:
    """The sweep went on here since it was imported."""
    stored = tracker.parent(run_id)
    already = sum(1 for _ in tracker.children(run_id))
    state = stored.tags.get(schema.TAG_STATE, "running")
    source = stored.tags[schema.TAG_IMPORTED_FROM]
    return ImportedSweep(sweep, run_id, stored.experiment_id, state, source, parent.run_id, 0, 0, already, 0)


class _Import:
    """One import, whose lock is held."""

    def __init__(self, home: Home, old: Tracker, new: Tracker, parent: WholeRun, staging: Path) -> None:
        self._home, self._old, self._new, self._parent, self._staging = home, old, new, parent, staging
        self._sweep = parent.log.tags[schema.TAG_SWEEP]
        self._from = old.uri
        self._ids: dict[str, str] = {}
        self._trials = self._nested = self._already = 0

    def run(self, records: Sequence[Record], tracking_uri: str | None) -> ImportedSweep:
        """Does what is left to do."""
        over, found = state_of(self._parent), self._found()
        run_id, experiment_id = found or self._start()
        self._ids[self._parent.run_id] = run_id
        self._ids[self._old.parent(self._parent.run_id).experiment_id] = experiment_id
        self._children(run_id)
        if over.terminal and (self._trials or not found):
            self._new.finish(run_id, end_of(self._parent, self._ids))
        self._keep_report()
        here = Here(run_id, experiment_id, redacted(tracking_uri) if tracking_uri else None)
        added = Journalled(self._home.root, self._sweep).add([here.record(record) for record in records])
        return ImportedSweep(
            sweep=self._sweep,
            run_id=run_id,
            experiment_id=experiment_id,
            state=over.value,
            source=self._from,
            source_run=self._parent.run_id,
            trials=self._trials,
            nested=self._nested,
            already=self._already,
            records=added,
        )

    def _found(self) -> tuple[str, str] | None:
        """The parent run that an earlier import left, if it says what the source's says now."""
        run_id = self._new.find(self._sweep)
        if run_id is None:
            return None
        stored, tags = self._new.parent(run_id), self._parent.log.tags
        same = all(stored.tags.get(name) == tags.get(name) for name in (schema.TAG_STATE, schema.TAG_DIGEST))
        return (run_id, stored.experiment_id) if same and stored.status == self._parent.status else None

    def _start(self) -> tuple[str, str]:
        folder = self._staging / "parent"
        self._old.fetch(self._parent, folder)
        files: Mapping[str, Content] = {name: (folder / name,) for name in plain_files(str(folder))[0]}
        return self._new.start(parent_of(self._parent, self._from, self._parent.experiment, files))

    def _children(self, run_id: str) -> None:
        there = {child.number for child in self._new.children(run_id) if child.state.terminal}
        children = self._old.whole_children(self._parent.run_id)
        while batch := list(islice(children, _BATCH)):
            numbers = {int(run.log.tags[schema.TAG_NUMBER]): run for run in batch}
            missing = [run for number, run in numbers.items() if number not in there]
            published = self._new.publish(run_id, [self._fetched(run) for run in missing])
            known = {**self._new.runs_of(run_id, numbers.keys() - published.keys()), **published}
            self._ids |= {numbers[number].run_id: new for number, new in known.items()}
            self._trials += len(missing)
            self._nested += sum(len(run.log.nested) for run in missing)
            self._already += len(batch) - len(missing)

    def _fetched(self, run: WholeRun) -> ChildRun:
        folder = self._staging / run.run_id
        self._old.fetch(run, folder)
        return child_of(run, self._from, folder)

    def _keep_report(self) -> None:
        report, kept = self._home.report(self._sweep), self._staging / "parent" / schema.ARTIFACT_REPORT
        if kept.is_file() and not report.exists():
            shutil.copyfile(kept, report)
