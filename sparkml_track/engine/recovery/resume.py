"""Which sweep a call goes on with, and what an earlier driver left of it."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from sparkml_track.adapters.mlflow.uri import whole_uri
from sparkml_track.engine.identity.fingerprint import Fingerprint, differences
from sparkml_track.engine.loop.loop import Loop, Parts
from sparkml_track.engine.loop.running_trial import RunningTrial
from sparkml_track.engine.records.codec import planned_spec
from sparkml_track.engine.records.entries import read_records, written
from sparkml_track.engine.records.types import (
    Accepted,
    Extended,
    Plan,
    PlannedSpec,
    Reported,
    Retried,
    Submitted,
)
from sparkml_track.engine.recovery.candidates import alone, newest
from sparkml_track.engine.recovery.rebuild import rebuilt
from sparkml_track.engine.results.history import History
from sparkml_track.engine.results.records import losses_of
from sparkml_track.engine.spec.spec import Spec, new_sweep_id
from sparkml_track.errors import ResumeRefused
from sparkml_track.home import units_folder
from sparkml_track.journals import Journal, open_journal, sweeps
from sparkml_track.pruners import Pruner
from sparkml_track.slot.host.trees import remove_tree
from sparkml_track.trial import State, Trial

__all__ = ["Opening", "clear_spool", "open_sweep", "restore"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Opening:
    """A sweep whose journal is open; whoever has it closes the journal.

    Attributes:
        journal: with the plan on disk.
        spec: with the seed of the first driver, if it was drawn.
        past: what earlier drivers left; None for a new sweep.
        retried: accepted trials that are executed again.
    """

    journal: Journal
    spec: Spec
    past: History | None = None
    retried: Sequence[int] = field(default=())


def open_sweep(spec: Spec, home: Path, prints: Fingerprint, origin: Mapping[str, object]) -> Opening:
    """Opens the journal of the sweep that ``spec.resume`` names, or of a new one.

    Args:
        spec: of the sweep.
        home: the state folder.
        prints: what the sweep is made of now.
        origin: where the sweep was started from, recorded so that a command can start it again.

    Raises:
        LeaseHeld: a live driver has the sweep, or one of the same name and fingerprint.
        ResumeRefused: what the sweep is made of changed; the message has the differences.
        JournalError: there is no such sweep, or its journal cannot be read or written.
    """
    if spec.resume == "never":
        return _new(spec, home, prints, origin)
    if spec.resume != "auto":
        return _named(spec, home, prints, origin)
    # Two processes that start the same command at one time: the second one sees the sweep of the first.
    with alone(home):
        found = newest(spec, home, prints)
        if found is None:
            return _new(spec, home, prints, origin)
        _log.info("going on with sweep %s; resume='never' starts anew", found)
        return _resumed(found, spec, home, prints)


def restore(loop: Loop, parts: Parts, past: History, spec: Spec) -> None:
    """Brings loop, sampler and pruner to where the earlier driver was.

    Args:
        loop: new.
        parts: of it.
        past: what the journal says.
        spec: of the sweep.
    """
    ended = [
        (past.trials[number], result.state, losses_of(result, spec.goals)) for number, result in past.results.items()
    ]
    parts.asker.resume([trial for _, trial in sorted(past.trials.items())], ended)
    if parts.pruner is not None:
        _restore_pruner(parts.pruner, parts.journal, past, spec)
    loop.restore(past.results.values(), [_begun(one, past, spec) for one in past.unfinished])
    loop.used, loop.stale, loop.tally.curves = past.used, past.stale, past.curves
    loop.slots.before = past.idle or 0.0


def _begun(trial: Trial, past: History, spec: Spec) -> RunningTrial:
    """A trial that an earlier driver began: of its units those that were accepted are not executed again."""
    number, indices = trial.number, range(spec.units.count)[::-1]
    attempts = past.attempts.get(number, 0)
    units = past.units.get(number) if spec.units.several else None
    if units is None:
        tried, charged = {0: attempts}, {0: past.charged.get(number, 0)}
        return RunningTrial(trial, spec.units, [*indices], tried=tried, charged=charged, attempts=attempts)
    live = RunningTrial(
        trial,
        spec.units,
        [index for index in indices if index not in units.ended],
        ended=dict(units.ended),
        tried=units.attempts,
        charged=units.charged,
        attempts=attempts,
        reports=units.accepted_reports,
        logged=units.accepted_logs,
    )
    for record in units.ended.values():
        live.judge(record)
    return live


def clear_spool(folder: Path, past: History) -> None:
    """Removes what attempts sent whose outcome no driver accepted; called before there are new ones.

    Args:
        folder: that takes a folder for each attempt.
        past: what the journal says.
    """
    # By attempt, as the home may be named another way now.
    accepted = {Path(one).name for one in past.artifacts.values()} | {units_folder(number) for number in past.units}
    with suppress(OSError):  # most sweeps have none
        for left in folder.iterdir():
            if left.name not in accepted:
                remove_tree(str(left))


def _restore_pruner(pruner: Pruner, journal: Journal, past: History, spec: Spec) -> None:
    """Every report again, in the order they came."""
    goal = spec.goals[0]
    for record in read_records(journal.replay()):
        if isinstance(record, Reported) and goal.metric in record.metrics:
            pruner.report(record.attempt.trial, record.step, goal.loss(record.metrics[goal.metric]))
        elif isinstance(record, Submitted) and record.attempt.number > 1 and not past.several:
            pruner.restarted(record.attempt.trial)
        elif isinstance(record, Accepted) and record.number in past.results:
            pruner.ended(record.number, record.state is State.FINISHED)
    for trial in past.unfinished if not past.several else ():
        pruner.restarted(trial.number)


# -- the three ways


def _new(spec: Spec, home: Path, prints: Fingerprint, origin: Mapping[str, object]) -> Opening:
    journal = open_journal(home, new_sweep_id(spec.name))
    _write_plan(journal, spec, prints, origin)
    return Opening(journal, spec)


def _named(spec: Spec, home: Path, prints: Fingerprint, origin: Mapping[str, object]) -> Opening:
    if any(entry.sweep == spec.resume for entry in sweeps(home)):
        return _resumed(spec.resume, spec, home, prints)
    seed, records = rebuilt(spec, home, prints)
    spec = replace(spec, seed=seed)
    journal = open_journal(home, spec.resume)
    try:
        # In one write: half of it would be a sweep whose other half is executed again.
        journal.append([written(record) for record in (_plan(spec, prints, origin), *records)])
    finally:
        journal.close()
    _log.warning("sweep %s has no journal here; it was rebuilt from its child runs", spec.resume)
    return _resumed(spec.resume, spec, home, prints)


def _resumed(sweep: str, spec: Spec, home: Path, prints: Fingerprint) -> Opening:
    journal = open_journal(home, sweep)
    try:
        past = History.of(journal.replay())
        if past.plan is None:  # its first driver died before it could begin
            _write_plan(journal, spec, prints, {})
            return Opening(journal, spec)
        _refuse_another(sweep, past.plan, spec, prints)
        spec = _as_begun(sweep, spec, past.plan.spec)
        if spec.max_trials is not None and spec.max_trials > (past.plan.spec.max_trials or 0):
            _extend(journal, past, spec.max_trials)
        retried = _retried(past, spec.failures.retry_failed)
        if retried:
            record = Retried(tuple(retried))
            journal.append([written(record)])
            past.add(record)
        return Opening(journal, spec, past, retried)
    except BaseException:
        journal.close()
        raise


def _as_begun(sweep: str, spec: Spec, begun: PlannedSpec) -> Spec:
    """With the first driver's seed, its price, and its choice of child runs and artifacts: its trials follow them.

    Where the call names no store and no experiment it goes on in those of the first driver, whatever the environment
    says today: in another one all trials would be published again.
    """
    kept = begun.tracking
    stay = {name: getattr(kept, name) for name in ("child_runs", "keep", "slot_hour_price")}
    for name, was in stay.items():
        if was != getattr(spec.tracking, name):
            _log.warning("%s stays %r, as the sweep began; resume='never' starts anew", name, was)
    uri = spec.tracking.uri if spec.store_given else whole_uri(sweep, kept.uri)
    tracking = replace(spec.tracking, uri=uri, **stay)
    experiment = spec.experiment if spec.experiment_given else str(begun.described.get("experiment", spec.experiment))
    most = begun.max_trials if spec.max_trials is None else max(spec.max_trials, begun.max_trials or 0)
    return replace(spec, seed=begun.seed, tracking=tracking, experiment=experiment, max_trials=most)


def _extend(journal: Journal, past: History, max_trials: int) -> None:
    record = Extended(max_trials)
    journal.append([written(record)])
    past.add(record)
    _log.info("the sweep goes on to %d trials", max_trials)


def _write_plan(journal: Journal, spec: Spec, prints: Fingerprint, origin: Mapping[str, object]) -> None:
    try:
        journal.append([written(_plan(spec, prints, origin))])
        journal.flush()
    except BaseException:
        journal.close()
        raise


def _plan(spec: Spec, prints: Fingerprint, origin: Mapping[str, object]) -> Plan:
    return Plan(spec.name, time.time(), planned_spec(spec.plan()), prints, origin)


def _retried(past: History, failed_too: bool) -> list[int]:
    """Trials that an interrupt or the loss of all slots ended, not they themselves; failed ones if wanted."""
    return [
        result.number
        for result in past.results.values()
        if result.interrupted or (failed_too and result.state is State.FAILED)
    ]


def _refuse_another(sweep: str, plan: Plan, spec: Spec, prints: Fingerprint) -> None:
    found = differences(plan.fingerprint, _as_planned(plan, prints))
    if plan.name != spec.name:
        found.insert(0, f"name: was {plan.name!r}, is {spec.name!r}")
    if found:
        raise ResumeRefused(
            f"sweep {sweep!r} cannot go on, because it is not the same any more:"
            + "".join(f"\n  - {line}" for line in found)
            + "\nUndo the change, or start anew with resume='never'"
        )


def _as_planned(plan: Plan, prints: Fingerprint) -> Fingerprint:
    """A seed or an experiment that is left out now is not a difference, nor one that was found for the first driver."""
    spec = dict(prints["spec"])
    found = {"seed": plan.spec.seed, "experiment": plan.spec.described.get("experiment")}
    for name, first in found.items():
        was, now = plan.fingerprint["spec"].get(name), spec[name]
        if now is None or (was is None and now == first):
            spec[name] = was
    # A call may ask for more trials than were planned, if it names the sweep: another number is not found by "auto".
    was, now = plan.fingerprint["spec"].get("max_trials"), spec["max_trials"]
    if isinstance(was, int) and isinstance(now, int) and now > was:
        spec["max_trials"] = was
    return {**prints, "spec": spec}
