"""Verification: does the tracking store say what the journal says, and do both add up?

The invariants are those of the design: one active child run for each started trial; a terminal child run equals one
accepted record; planned is the sum of all states; a parent is FINISHED only if these hold.
"""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import closing
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

from sparkml_track import schema
from sparkml_track.engine.finish import Ending, close_parent, ended_record, parent_end, pareto_tag
from sparkml_track.engine.history import History
from sparkml_track.engine.records import accepted_body
from sparkml_track.engine.spec import number_in
from sparkml_track.engine.summary import Result, Summary, summarise
from sparkml_track.engine.top import best_numbers, without_files
from sparkml_track.errors import JournalError, LeaseHeld, SpecError
from sparkml_track.home import Home
from sparkml_track.journals import Journal, Record, open_journal, read, sweeps
from sparkml_track.space import flatten
from sparkml_track.trackers import ChildRun, StoredChild, StoredParent, Tracker, open_tracker, redacted
from sparkml_track.trackers import differences as stored_otherwise
from sparkml_track.trial import State

__all__ = ["Verification", "verify"]

_log = logging.getLogger(__name__)
_BATCH = 1000


@dataclass(frozen=True, slots=True)
class Verification:
    """What was found.

    Attributes:
        sweep: its id.
        run_id: of the parent run, None if the store has none.
        trials: how many were started.
        digest: over (trial, state, value) of all accepted results, computed from the journal.
        differences: one sentence each; empty if all invariants hold.
        repaired: what was done about others, one sentence each.
    """

    sweep: str
    run_id: str | None
    trials: int
    digest: str
    differences: Sequence[str]
    repaired: Sequence[str] = ()

    @property
    def clean(self) -> bool:
        """Whether there are no differences."""
        return not self.differences


def verify(
    target: str, *, home: str | Path | None = None, tracking_uri: str | None = None, repair: bool = False
) -> Verification:
    """Checks the accounting of a sweep: its journal, its child runs and its parent run.

    Args:
        target: a sweep id, or the id of a parent run.
        home: the state folder; as in ``sweep`` by default.
        tracking_uri: of the tracking store; the one the sweep was started with by default. The journal keeps no
            secrets: if that URI had some, it is taken from ``MLFLOW_TRACKING_URI`` where it is the same but for them.
        repair: publish what is missing, and end the parent run. Trials without an outcome are counted as killed; a
            later resume executes them again.

    Raises:
        JournalError: there is no journal of this sweep.
        SpecError: the tracking URI has a secret in it and is not in the environment, so it must be given.
        LeaseHeld: it is to be repaired, and a live driver has it.
        TrackingError: the store cannot be read.
    """
    root = Home.find(home).root
    sweep = target if _known(root, target) else None
    plan = History.of(islice(read(root, sweep), 1)).plan if sweep else {}
    uri = tracking_uri or _kept_uri(target, plan.get("spec", {}).get("tracking", {}).get("uri") if plan else None)
    with closing(open_tracker(uri, root)) as tracker:
        if sweep is None:
            sweep = tracker.parent(target).sweep
        checker = _Checker(root, sweep, tracker)
        found = checker.check()
        if not repair or found.clean:
            return found
        repaired = _Repair(root, sweep, tracker, found.run_id).run()
        after = _Checker(root, sweep, tracker).check()
    return Verification(after.sweep, after.run_id, after.trials, after.digest, after.differences, repaired)


def _kept_uri(target: str, kept: str | None) -> str | None:
    """The URI that the journal names, with its secrets."""
    if not kept or "***" not in kept:
        return kept
    given = os.environ.get("MLFLOW_TRACKING_URI", "")
    if given and redacted(given) == kept:
        return given
    raise SpecError(
        f"sweep {target!r} is tracked in {kept}, and journals keep no secrets: give the whole URI with --tracking-uri "
        "(in Python tracking_uri=...), or set MLFLOW_TRACKING_URI to it"
    )


def _known(home: Path, target: str) -> bool:
    return any(entry.sweep == target for entry in sweeps(home))


class _Checker:
    """Collects differences."""

    def __init__(self, home: Path, sweep: str, tracker: Tracker) -> None:
        self._home, self._sweep, self._tracker = home, sweep, tracker

    def check(self) -> Verification:
        past = History.of(read(self._home, self._sweep))
        if not past.plan:
            raise JournalError(f"the journal of sweep {self._sweep!r} holds no plan; its first driver died at once")
        run_id = self._tracker.find(self._sweep)
        summary = summary_of(past)
        found = [f"journal: {problem}" for problem in past.problems]
        found += self._alive(past)
        if run_id is None:
            found.append(f"parent: {self._tracker.uri} has no run of sweep {self._sweep}")
        else:
            if past.parent is not None and past.parent[0] != run_id:
                found.append(f"parent: the journal names run {past.parent[0]}, the store has {run_id}")
            if _publishes(past):
                found += _children(past, list(self._tracker.children(run_id)))
            found += _parent(past, summary, self._tracker.parent(run_id), bool(found))
        return Verification(self._sweep, run_id, len(past.trials), summary.digest, found)

    def _alive(self, past: History) -> Iterator[str]:
        holder = next((entry.holder for entry in sweeps(self._home) if entry.sweep == self._sweep), None)
        if holder is not None:
            yield f"the sweep is still running: pid {holder.pid} on host {holder.host}"
        elif past.ended is None:
            yield (
                "the sweep has not ended: its driver died, or could not reach the tracking store; run the same command "
                "again to go on, or repair it"
            )


def summary_of(past: History) -> Summary:
    """The summary, recomputed from the journal."""
    running = len(past.trials) - len(past.results)
    return summarise(past.results.values(), past.planned, running, past.metric, past.direction)


def _publishes(past: History) -> bool:
    return past.tracking.child_runs != "none"


def _wanted(past: History, ended: bool) -> AbstractSet[int]:
    """The trials that have a child run once all is published; the best get theirs when the sweep has ended."""
    most = number_in(past.tracking.child_runs)
    if most is None:
        return past.trials.keys()
    return _best_of(past, most) if ended else frozenset()


def _best_of(past: History, most: int) -> AbstractSet[int]:
    return frozenset(best_numbers(past.results.values(), most, past.direction[0]))


def _children(past: History, children: Sequence[StoredChild]) -> Iterator[str]:
    """Invariants 1 and 2."""
    counts = Counter(child.number for child in children)
    for number, count in sorted(counts.items()):
        if count > 1:
            yield f"trial {number}: {count} active child runs, there must be one"
        if number not in past.trials:
            yield f"trial {number}: a child run, but the journal never asked it"
    for number in sorted(_wanted(past, past.ended is not None) - counts.keys()):
        if number in past.published:
            yield f"trial {number}: its child run was published and is gone; someone deleted it (restore it in MLflow)"
        elif number in past.results:
            yield f"trial {number}: no child run, but the journal has its outcome; it was not published"
    for child in children:
        yield from _child(past, child)


def _child(past: History, child: StoredChild) -> Iterator[str]:
    number, name = child.number, f"trial {child.number}"
    result = past.results.get(number)
    if result is None:
        if child.state.terminal:
            yield f"{name}: its child run is {child.state.value}, but the journal has no outcome"
        elif past.ended is not None:
            yield f"{name}: its child run is running, but the sweep has ended"
        return
    for difference in stored_otherwise(child_of(result), child):
        yield f"{name}: {difference}"


def child_of(result: Result) -> ChildRun:
    """What a child run must say, without reports and log."""
    return ChildRun(
        number=result.number,
        params=flatten(result.params),
        state=result.state,
        metrics=result.metrics,
        attempts=result.attempts,
        reason=result.reason,
    )


def _parent(past: History, summary: Summary, stored: StoredParent, broken: bool) -> Iterator[str]:
    """Invariants 3 and 4."""
    if past.ended is None:
        if stored.status != "RUNNING":
            yield f"parent: it is {stored.status}, but the journal has no end of the sweep"
        return
    state = State(past.ended["state"])
    want = {State.FINISHED: "FINISHED", State.FAILED: "FAILED"}.get(state, "KILLED")
    if stored.status != want:
        yield f"parent: it is {stored.status}, the journal says {want}"
    if stored.status == "FINISHED" and broken:
        yield "parent: it is FINISHED although other differences were found"
    if past.ended["digest"] != summary.digest:
        yield f"journal: the digest of its end is {past.ended['digest'][:16]}, recomputed {summary.digest[:16]}"
    if stored.tags.get(schema.TAG_DIGEST) != summary.digest:
        yield f"parent: its digest is {stored.tags.get(schema.TAG_DIGEST, 'missing')[:16]}, not {summary.digest[:16]}"
    yield from _best(summary, stored.tags)
    yield from _counts(summary, stored.metrics)


def _best(summary: Summary, tags: Mapping[str, str]) -> Iterator[str]:
    best = "" if summary.best is None else str(summary.best.number)
    if tags.get(schema.TAG_BEST, "") != best:
        yield f"parent: its best trial is {tags.get(schema.TAG_BEST)!r}, recomputed {best!r}"
    front = pareto_tag(summary)
    if tags.get(schema.TAG_PARETO, "") != front:
        yield f"parent: its Pareto front is {tags.get(schema.TAG_PARETO)!r}, recomputed {front!r}"


def _counts(summary: Summary, metrics: Mapping[str, float]) -> Iterator[str]:
    counts = asdict(summary.counts)
    for name, number in counts.items():
        if metrics.get(f"trials_{name}") != number:
            yield f"parent: trials_{name} is {metrics.get(f'trials_{name}')}, recomputed {number}"
    if counts["running"]:
        yield f"{counts['running']} trials have no outcome, but the sweep has ended"
    if counts["planned"] != sum(number for name, number in counts.items() if name != "planned"):
        yield f"the counts do not add up: {counts}"


# -- repair


class _Repair:
    """Publishes what is missing and ends the parent run, under the lease."""

    def __init__(self, home: Path, sweep: str, tracker: Tracker, run_id: str | None) -> None:
        self._home, self._sweep, self._tracker, self._run_id = home, sweep, tracker, run_id
        self._done: list[str] = []

    def run(self) -> list[str]:
        if self._run_id is None:
            _log.warning("there is no parent run to repair; run the same command again, which makes one")
            return []
        try:
            with closing(open_journal(self._home, self._sweep)) as journal:
                self._repair(journal, self._run_id)
        except LeaseHeld as error:
            raise LeaseHeld(f"{error}. A sweep that runs is not repaired") from error
        return self._done

    def _repair(self, journal: Journal, run_id: str) -> None:
        past = History.of(journal.replay(), keep=True)
        state = State(past.ended["state"]) if past.ended is not None else self._state(past)
        self._give_up(past, journal)
        doubles = self._tracker.reconcile(run_id)
        if doubles:
            self._done.append(f"deleted {doubles} child runs that trials had twice")
        if _publishes(past):
            self._publish(past, journal, run_id)
        self._end(past, journal, run_id, state)

    def _state(self, past: History) -> State:
        return State.FINISHED if len(past.results) >= past.planned else State.KILLED

    def _give_up(self, past: History, journal: Journal) -> None:
        """Trials without an outcome end as killed; resuming executes them again."""
        for trial in past.unfinished:
            attempts = max(1, past.attempts.get(trial.number, 0))
            why = "its driver died, and the sweep was repaired"
            result = Result(
                trial.number, trial.params, State.KILLED, attempts=attempts, reason="cancelled", message=why
            )
            record = Record("accepted", accepted_body(result, ""))
            journal.append([record])
            past.add(record)
            self._done.append(f"trial {trial.number}: counted as killed, as it had no outcome")
        journal.flush()

    def _publish(self, past: History, journal: Journal, run_id: str) -> None:
        stored = {child.number: child for child in self._tracker.children(run_id)}
        wanted = _wanted(past, ended=True)
        # What was published and is gone, somebody deleted: that is told, not undone.
        missing = [
            number
            for number in past.results
            if (number not in stored and number not in past.published and number in wanted)
            or (number in stored and not stored[number].state.terminal)
        ]
        files = self._files(past, wanted)
        late = sorted((files & stored.keys()) - set(missing))
        numbers = missing + late
        for start in range(0, len(numbers), _BATCH):
            batch = numbers[start : start + _BATCH]
            self._tracker.publish(run_id, [past.child(number) for number in batch])
            journal.append([Record("published", {"n": batch})])
        journal.flush()
        if missing:
            self._done.append(f"published the child runs of {len(missing)} trials")
        if late:
            self._done.append(f"added the artifacts of {len(late)} trials to their child runs")

    def _files(self, past: History, wanted: AbstractSet[int]) -> AbstractSet[int]:
        """The trials whose artifacts are here and kept; removes the others'."""
        most = number_in(past.tracking.keep)
        kept = wanted if most is None else wanted & _best_of(past, most)
        children = [past.child(number) for number in past.artifacts.keys() & past.results.keys()]
        for child in children:
            if child.number not in kept:
                without_files(child)
        return {child.number for child in children if child.number in kept and child.artifacts is not None}

    def _end(self, past: History, journal: Journal, run_id: str, state: State) -> None:
        summary = summary_of(past)
        results = sorted(past.results.values(), key=lambda each: each.number)
        ending = Ending(
            name=str(past.plan["name"]),
            home=self._home,
            sweep=self._sweep,
            run_id=run_id,
            experiment_id=past.parent[1] if past.parent is not None else "",
            state=state,
            spec=past.plan["spec"],
            stale=past.stale,
        )
        close_parent(self._tracker, ending, parent_end(ending, summary, results))
        journal.append([ended_record(ending, summary)])
        journal.flush()
        self._done.append(f"ended the parent run as {state.value}")
