"""Repair of a sweep whose driver died: the store gets what the journal has, and the parent run its end."""

from __future__ import annotations

import logging
from collections.abc import Set as AbstractSet
from contextlib import closing
from pathlib import Path

from sparkml_track.engine.audit.expected import best_of, publishes, summary_of, wanted
from sparkml_track.engine.publishing.best_trials import without_files
from sparkml_track.engine.publishing.finish import Ending, close_parent, described, ended_record, parent_end
from sparkml_track.engine.records.entries import written
from sparkml_track.engine.records.types import Published
from sparkml_track.engine.results.history import History
from sparkml_track.engine.results.records import accepted
from sparkml_track.engine.results.summary import Result, Summary
from sparkml_track.engine.spec.spec import number_in
from sparkml_track.engine.storage.shared_folders import Roots
from sparkml_track.errors import LeaseHeld
from sparkml_track.journals import Journal, open_journal
from sparkml_track.trackers import Tracker
from sparkml_track.trial import RunLog, State

__all__ = ["Repair"]

_log = logging.getLogger(__name__)
_BATCH = 1000


class Repair:
    """Publishes what is missing and ends the parent run, under the lease.

    Args:
        home: the state folder.
        sweep: its id.
        tracker: of its runs.
        run_id: of its parent run, None if there is none.
        why: it did not finish, as its end is to say.

    Attributes:
        state: in which the sweep ended, once that is known.
    """

    def __init__(self, home: Path, sweep: str, tracker: Tracker, run_id: str | None, why: str = "") -> None:
        self._home, self._sweep, self._tracker, self._run_id = home, sweep, tracker, run_id
        self._why, self._done = why, list[str]()
        self.state = State.KILLED

    def run(self) -> list[str]:
        """Says what was done, one sentence each.

        Raises:
            LeaseHeld: a live driver has the sweep.
        """
        if self._run_id is None and not self._why:
            _log.warning("there is no parent run to repair; run the same command again, which makes one")
            return []
        try:
            with closing(open_journal(self._home, self._sweep)) as journal:
                self._repair(journal, self._run_id)
        except LeaseHeld as error:
            raise LeaseHeld(f"{error}. A sweep that runs is not repaired") from error
        return self._done

    def _repair(self, journal: Journal, run_id: str | None) -> None:
        past = History.of(journal.replay(), keep=True)
        self.state = past.ended.state if past.ended is not None else self._state(past)
        self._give_up(past, journal)
        if run_id is None:  # its driver died before there was a parent run
            self._note_end(journal, self._ending(past, ""), summary_of(past))
            return
        doubles = self._tracker.reconcile(run_id)
        if doubles:
            self._done.append(f"deleted {doubles} child runs that trials had twice")
        if publishes(past):
            self._publish(past, journal, run_id)
            self._restore(past, run_id)
        self._end(past, journal, run_id)

    def _state(self, past: History) -> State:
        # Without a number of trials nobody knows how many more there would have been.
        endless = "once" in past.begun.origin and past.begun.spec.max_trials is None
        return State.KILLED if endless or len(past.results) < past.planned else State.FINISHED

    def _give_up(self, past: History, journal: Journal) -> None:
        """Trials without an outcome end as killed; resuming executes them again."""
        for trial in past.unfinished:
            attempts = max(1, past.attempts.get(trial.number, 0))
            why = "its driver died, and the sweep was repaired"
            result = Result(
                trial.number, trial.params, State.KILLED, attempts=attempts, reason="cancelled", message=why
            )
            record = accepted(result, "")
            journal.append([written(record)])
            past.add(record)
            self._done.append(f"trial {trial.number}: counted as killed, as it had no outcome")
        journal.flush()

    def _publish(self, past: History, journal: Journal, run_id: str) -> None:
        stored = {child.number: child for child in self._tracker.children(run_id)}
        due = wanted(past, ended=True)
        # What was published and is gone, somebody deleted: that is reported, not undone.
        missing = [
            number
            for number in past.results
            if (number not in stored and number not in past.published and number in due)
            or (number in stored and not stored[number].state.terminal)
        ]
        files = self._files(past, due)
        late = sorted(n for n in (files.keys() & stored.keys()) - set(missing) if stored[n].artifacts != files[n])
        numbers = missing + late
        for start in range(0, len(numbers), _BATCH):
            batch = numbers[start : start + _BATCH]
            self._tracker.publish(run_id, [past.child(number) for number in batch])
            journal.append([written(Published(tuple(batch)))])
        journal.flush()
        if missing:
            self._done.append(f"published the child runs of {len(missing)} trials")
        if late:
            self._done.append(f"added the artifacts of {len(late)} trials to their child runs")

    def _restore(self, past: History, run_id: str) -> None:
        """Runs inside those of trials; their child runs say that they are whole, so nothing else makes them again."""
        stored = {child.number for child in self._tracker.children(run_id) if child.state.terminal}
        logged = (RunLog.joined(past.logged.get(number, ())) for number in past.results.keys() & stored)
        count = self._tracker.restore_nested(run_id, [one.id for log in logged for one in log.nested])
        if count:
            self._done.append(f"restored {count} runs inside those of trials, which somebody had deleted")

    def _files(self, past: History, due: AbstractSet[int]) -> dict[int, str]:
        """Where artifacts are that are here and kept, by trial; removes the others'."""
        most = number_in(past.tracking.keep)
        kept = due if most is None else due & best_of(past, most)
        children = [past.child(number) for number in past.artifacts.keys() & past.results.keys()]
        for child in children:
            if child.number not in kept:
                without_files(child)
        return {one.number: str(one.artifacts) for one in children if one.number in kept and one.artifacts is not None}

    def _end(self, past: History, journal: Journal, run_id: str) -> None:
        summary = summary_of(past)
        results = sorted(past.results.values(), key=lambda each: each.number)
        ending = self._ending(past, run_id)
        end, about = parent_end(ending, summary, results, past.curves), described(ending, summary, results)
        close_parent(self._tracker, ending, end, about)
        self._note_end(journal, ending, summary)
        Roots.of(self._sweep, past.begun.spec).close(results, self.state)
        self._done.append(f"ended the parent run as {self.state.value}")

    def _ending(self, past: History, run_id: str) -> Ending:
        return Ending(
            name=past.begun.name,
            home=self._home,
            sweep=self._sweep,
            run_id=run_id,
            experiment_id=past.parent.experiment_id if past.parent is not None else "",
            state=self.state,
            why="" if self.state is State.FINISHED else self._why,
            spec=past.begun.spec.described,
            stale=past.stale,
            idle=past.idle,
            price=past.tracking.slot_hour_price,
        )

    def _note_end(self, journal: Journal, ending: Ending, summary: Summary) -> None:
        journal.append([written(ended_record(ending, summary))])
        journal.flush()
