"""Verification: does the tracking store say what the journal says, and do both add up?

The invariants are those of the design: one active child run for each started trial; a terminal child run equals one
accepted record, and each run inside it is there once; planned is the sum of all states; a parent is FINISHED only if
these hold.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

from sparkml_track import schema
from sparkml_track.adapters.mlflow.uri import whole_uri
from sparkml_track.engine.audit.expected import made_anew, publishes, summary_of, wanted
from sparkml_track.engine.audit.repair import Repair
from sparkml_track.engine.publishing.finish import pareto_tag, result_metrics
from sparkml_track.engine.records.entries import plan_of
from sparkml_track.engine.results.history import History
from sparkml_track.engine.results.summary import Result, Summary
from sparkml_track.errors import JournalError, TrackingError
from sparkml_track.home import Home
from sparkml_track.journals import read, sweeps
from sparkml_track.space import flatten
from sparkml_track.trackers import ChildRun, StoredChild, StoredParent, Tracker, key, open_tracker
from sparkml_track.trackers import differences as stored_otherwise
from sparkml_track.trial import RunLog, State

__all__ = ["Verification", "verify"]


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
    plan = plan_of(read(root, sweep)) if sweep else None
    uri = tracking_uri or whole_uri(target, plan.spec.tracking.uri if plan is not None else None)
    with closing(open_tracker(uri, root)) as tracker:
        if sweep is None:
            sweep = _sweep_of(target, tracker, root)
        checker = _Checker(root, sweep, tracker)
        found = checker.check()
        if not repair or found.clean:
            return found
        repaired = Repair(root, sweep, tracker, found.run_id).run()
        after = _Checker(root, sweep, tracker).check()
    return Verification(after.sweep, after.run_id, after.trials, after.digest, after.differences, repaired)


def _sweep_of(target: str, tracker: Tracker, root: Path) -> str:
    try:
        return tracker.parent(target).sweep
    except TrackingError as error:
        if type(error) is not TrackingError:
            raise
        raise TrackingError(f"{target!r} is neither a sweep in {root} nor a parent run: {error}") from None


def _known(home: Path, target: str) -> bool:
    return any(entry.sweep == target for entry in sweeps(home))


class _Checker:
    """Collects differences."""

    def __init__(self, home: Path, sweep: str, tracker: Tracker) -> None:
        self._home, self._sweep, self._tracker = home, sweep, tracker

    def check(self) -> Verification:
        past = History.of(read(self._home, self._sweep), keep_logged=True)
        if past.plan is None:
            raise JournalError(f"the journal of sweep {self._sweep!r} holds no plan; its first driver died at once")
        run_id = self._tracker.find(self._sweep)
        summary = summary_of(past)
        found = [f"journal: {problem}" for problem in past.problems]
        found += self._alive(past)
        if run_id is None:
            found.append(f"parent: {self._tracker.uri} has no run of sweep {self._sweep}")
        else:
            if past.parent is not None and past.parent.run_id != run_id:
                found.append(f"parent: the journal names run {past.parent.run_id}, the store has {run_id}")
            if publishes(past):
                children = list(self._tracker.children(run_id))
                found += _children(past, children)
                found += _nested(past, children, self._tracker.nested(run_id))
            found += _parent(past, summary, self._tracker.parent(run_id), bool(found))
        return Verification(self._sweep, run_id, len(past.trials), summary.digest, found)

    def _alive(self, past: History) -> Iterator[str]:
        holder = next((entry.holder for entry in sweeps(self._home) if entry.sweep == self._sweep), None)
        if holder is not None:
            yield f"the sweep is still running: pid {holder.pid} on host {holder.host}"
        elif past.ended is None and past.plan is not None and "once" in past.plan.origin:
            yield (
                f"the sweep has not ended: its driver died; {past.plan.origin['once']}. The next call of this name, or "
                "`sparkml-track sweeps`, ends its parent run; so does repairing it"
            )
        elif past.ended is None:
            yield (
                "the sweep has not ended: its driver died, or could not reach the tracking store; run the same command "
                "again to go on, or repair it"
            )


def _children(past: History, children: Sequence[StoredChild]) -> Iterator[str]:
    """Invariants 1 and 2."""
    counts = Counter(child.number for child in children)
    for number, count in sorted(counts.items()):
        if count > 1:
            yield f"trial {number}: {count} active child runs, there must be one"
        if number not in past.trials:
            yield f"trial {number}: a child run, but the journal never asked it"
    for number in sorted(wanted(past, past.ended is not None) - counts.keys()):
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
    for difference in stored_otherwise(child_of(result, RunLog.joined(past.logged.get(number, ()))), child):
        yield f"{name}: {difference}"


def _nested(past: History, children: Sequence[StoredChild], stored: Mapping[str, int]) -> Iterator[str]:
    """Runs inside those of trials: each once, where the child run is there and has ended."""
    logged = {number: RunLog.joined(past.logged.get(number, ())).nested for number in past.results}
    made = {one.id: number for number, runs in logged.items() for one in runs}
    for number in sorted({child.number for child in children if child.state.terminal} & logged.keys()):
        for one in logged[number]:
            if one.id not in stored:
                yield (
                    f"trial {number}: the run {one.name!r} inside its run ({schema.TAG_NESTED} {one.id}) is gone; "
                    "someone deleted it (restore it in MLflow)"
                )
    anew = made_anew(past)
    for each, count in sorted(stored.items()):
        if each in made and count > 1:
            yield f"trial {made[each]}: {count} active runs in its run ({schema.TAG_NESTED} {each}), there must be one"
        elif each not in made and not anew:
            yield f"nested run {schema.TAG_NESTED} {each}: it is active, but no accepted attempt made it"


def child_of(result: Result, logged: RunLog | None = None) -> ChildRun:
    """What a child run must say, without reports and log."""
    return ChildRun(
        number=result.number,
        params=flatten(result.params),
        state=result.state,
        metrics=result.metrics,
        attempts=result.attempts,
        reason=result.reason,
        logged=logged or RunLog(),
    )


def _parent(past: History, summary: Summary, stored: StoredParent, broken: bool) -> Iterator[str]:
    """Invariants 3 and 4."""
    if past.ended is None:
        if stored.status != "RUNNING":
            yield f"parent: it is {stored.status}, but the journal has no end of the sweep"
        return
    want = {State.FINISHED: "FINISHED", State.FAILED: "FAILED"}.get(past.ended.state, "KILLED")
    if stored.status != want:
        yield f"parent: it is {stored.status}, the journal says {want}"
    if stored.status == "FINISHED" and broken:
        yield "parent: it is FINISHED although other differences were found"
    if past.ended.digest != summary.digest:
        yield f"journal: the digest of its end is {past.ended.digest[:16]}, recomputed {summary.digest[:16]}"
    if stored.tags.get(schema.TAG_DIGEST) != summary.digest:
        yield f"parent: its digest is {stored.tags.get(schema.TAG_DIGEST, 'missing')[:16]}, not {summary.digest[:16]}"
    yield from _best(summary, stored.tags)
    yield from _counts(summary, stored.metrics)
    yield from _found(summary, stored.metrics)


def _best(summary: Summary, tags: Mapping[str, str]) -> Iterator[str]:
    best = "" if summary.best is None else str(summary.best.number)
    if tags.get(schema.TAG_BEST, "") != best:
        yield f"parent: its best trial is {tags.get(schema.TAG_BEST)!r}, recomputed {best!r}"
    front = pareto_tag(summary)
    if tags.get(schema.TAG_PARETO, "") != front:
        yield f"parent: its Pareto front is {tags.get(schema.TAG_PARETO)!r}, recomputed {front!r}"


def _found(summary: Summary, metrics: Mapping[str, float]) -> Iterator[str]:
    for name, value in result_metrics(summary).items():
        have = metrics.get(key(name))
        if have is None or not _same(have, value):
            yield f"parent: {name} is {have}, recomputed {value}"


def _same(have: float, value: float) -> bool:
    """MLflow keeps infinity as the largest number; sums depend on the order in the last digits."""
    if not math.isfinite(value):
        return have == value or (math.isnan(have) and math.isnan(value)) or abs(have) > 1.79e308
    return math.isclose(have, value, rel_tol=1e-6, abs_tol=1e-9)


def _counts(summary: Summary, metrics: Mapping[str, float]) -> Iterator[str]:
    counts = asdict(summary.counts)
    for name, number in counts.items():
        if metrics.get(f"trials_{name}") != number:
            yield f"parent: trials_{name} is {metrics.get(f'trials_{name}')}, recomputed {number}"
    if counts["running"]:
        yield f"{counts['running']} trials have no outcome, but the sweep has ended"
    if counts["planned"] != sum(number for name, number in counts.items() if name != "planned"):
        yield f"the counts do not add up: {counts}"
