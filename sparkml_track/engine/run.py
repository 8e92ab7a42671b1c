"""One sweep from its checked spec to its result: opens the members, runs the loop, closes in the right order."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from threading import Thread

from sparkml_track import pages, plots, pruners, samplers, schema
from sparkml_track.adapters.mlflow.links import page_link
from sparkml_track.engine.closing import close, leaving
from sparkml_track.engine.garbage import collecting_new_only
from sparkml_track.engine.identity.data_digest import materialised
from sparkml_track.engine.identity.fingerprint import fingerprint, part_digests
from sparkml_track.engine.identity.source import searched
from sparkml_track.engine.loop.asker import Asker
from sparkml_track.engine.loop.loop import Loop, Parts
from sparkml_track.engine.publishing.best_trials import TopPublisher, Wanted
from sparkml_track.engine.publishing.finish import Ending, finish, way_on
from sparkml_track.engine.publishing.publisher import Publisher
from sparkml_track.engine.records.entries import written
from sparkml_track.engine.records.types import Parent
from sparkml_track.engine.recovery.resume import Opening, clear_spool, open_sweep, restore
from sparkml_track.engine.recovery.warm_start import known
from sparkml_track.engine.results.history import History
from sparkml_track.engine.results.sweep_result import SweepResult
from sparkml_track.engine.signals import Interrupts
from sparkml_track.engine.spec.lifecycle import Lifecycle
from sparkml_track.engine.spec.spec import Spec
from sparkml_track.engine.storage.shared_folders import Roots, check_roots
from sparkml_track.engine.surroundings import Surroundings
from sparkml_track.engine.watch import Watch
from sparkml_track.errors import ExecutorError, JournalError, LeaseHeld, PreflightError, SparkmlError
from sparkml_track.executors import Executor, Work, open_executor
from sparkml_track.governance.edges import Job, record_sweep
from sparkml_track.home import Home
from sparkml_track.journals import Journal
from sparkml_track.pruners import Pruner
from sparkml_track.samplers import Sampler
from sparkml_track.trackers import ParentRun, Tracker, open_tracker
from sparkml_track.trial import State

__all__ = ["run_sweep"]

_log = logging.getLogger(__name__)


def run_sweep(spec: Spec, around: Surroundings) -> SweepResult:
    """Runs a sweep.

    Raises:
        SparkmlError: as its parts raise; what was accepted is in the journal.
        KeyboardInterrupt, SystemExit: a signal came; attempts were ended and the runs are KILLED.
    """
    return _Run(spec, around).run()


@dataclass(frozen=True, slots=True)
class _Running:
    """A sweep that is about to loop."""

    loop: Loop
    publisher: Publisher | TopPublisher | None
    sweep: str
    parent: Parent


class _Run:
    """One sweep while it runs."""

    def __init__(self, spec: Spec, around: Surroundings) -> None:
        self._spec = spec
        # On the driver an objective uses Spark itself, and gets the frame it was given.
        own = spec.executor == "driver"
        data = around.data if own else {name: materialised(name, value) for name, value in around.data.items()}
        self._around = replace(around, data=data)
        self._interrupts = Interrupts()

    def run(self) -> SweepResult:
        around = self._around
        # Wrong samplers, pruners and warm starts are refused before anything is written.
        sampler, pruner = self._sampler(self._spec), self._pruner(self._spec)
        earlier = known(self._spec, around.home, sampler.capabilities)
        prints = fingerprint(self._spec, around.data, around.inputs, around.tags)
        check_roots(self._spec.failures.checkpoint_root, self._spec.tracking.artifact_root)
        with ExitStack() as stack:
            opening = open_sweep(self._spec, around.home, prints, around.origin)
            if opening.spec is not self._spec:  # it has the seed of the first driver
                self._spec = opening.spec
                sampler, pruner = self._sampler(self._spec), self._pruner(self._spec)
            journal = stack.enter_context(closing(opening.journal))
            self._sweep = journal.sweep
            self._interrupts.listen_to(lambda: journal.asked_to_stop, around.asked)
            around.reached(Lifecycle.PLANNED)
            # Workers start while the tracking store is opened: what takes longest begins first.
            executor = self._open_executor(self._open_roots(stack))
            self._watch = Watch(self._sweep, around.origin, self._interrupts, self._roots, around.listener)
            stack.callback(close, executor)
            pages.load("sweep")  # while workers start, so that the report costs its drawing alone
            tracker = stack.enter_context(closing(open_tracker(self._spec.tracking.uri, around.home)))
            parent = self._begin(tracker, opening, executor, part_digests(prints))
            stack.enter_context(self._interrupts)
            stack.enter_context(collecting_new_only())
            asker = Asker(sampler, self._spec.points, self._spec.max_trials, self._spec.seed, parent.behind)
            asker.learn([(one.params, one.values) for one in earlier])
            running = self._assemble(opening, parent, (asker, pruner, executor), tracker)
            return self._through(running, executor, tracker, journal)

    def _assemble(
        self, opening: Opening, parent: Parent, members: tuple[Asker, Pruner | None, Executor], tracker: Tracker
    ) -> _Running:
        spec, around, past = self._spec, self._around, opening.past
        published: deque[Sequence[int]] = deque()

        def on_published(numbers: Sequence[int]) -> None:
            around.reached(Lifecycle.PUBLISHED)
            published.append(numbers)

        before = frozenset[int]() if past is None else frozenset(past.published)
        wanted = Wanted.of(spec.tracking, spec.goals[0])
        publisher: Publisher | TopPublisher | None = None
        if spec.tracking.child_runs != "none":
            publisher = every = Publisher(tracker, parent.run_id, on_published)
            if wanted is not None:
                publisher = TopPublisher(every, wanted, before)
        parts = Parts(*members, opening.journal, publisher, self._watch, published, around.reached, around.accepted)
        parts = replace(parts, door=around.door)
        loop = Loop(spec, parts)
        if past is not None:
            clear_spool(Home(around.home).spool(self._sweep), past)
            restore(loop, parts, past, spec)
            if publisher is not None:
                # Those that are published take places among the best.
                for number in set(past.results) - (before if wanted is None else frozenset()):
                    publisher.put(past.child(number))
        return _Running(loop, publisher, opening.journal.sweep, parent)

    def _through(self, running: _Running, executor: Executor, tracker: Tracker, journal: Journal) -> SweepResult:
        self._load_late()
        error = self._loop(running.loop)
        # Before the executor closes, which takes seconds: a signal that comes then ends no trial any more.
        ending = self._ending(running, error, executor.stale)
        with self._roots.left_by(running.loop.results, ending.state, ending.hurry), leaving(executor):
            return self._end(ending, running, error, tracker, journal)

    def _ending(self, running: _Running, error: BaseException | None, stale: int) -> Ending:
        loop, parent = running.loop, running.parent
        return Ending(
            name=self._spec.name,
            home=self._around.home,
            sweep=running.sweep,
            run_id=parent.run_id,
            experiment_id=parent.experiment_id,
            state=self._state(loop, error),
            spec=self._spec.plan(),
            why=str(error or loop.store.refused or loop.stopping or ""),
            stale=loop.stale + stale,
            longest_wait=self._around.longest_wait,
            reached=self._around.reached,
            hurry=self._interrupts.later(),
            origin=self._around.origin,
            idle=loop.slots.idle,
            price=self._spec.tracking.slot_hour_price,
        )

    def _end(
        self, ending: Ending, running: _Running, error: BaseException | None, tracker: Tracker, journal: Journal
    ) -> SweepResult:
        loop = running.loop
        if isinstance(error, JournalError | LeaseHeld):
            # What is not in the journal is published nowhere.
            if running.publisher is not None:
                running.publisher.close(0.0)
            raise error
        try:
            result = finish(ending, loop, tracker, running.publisher, journal)
        except SparkmlError as second:
            if self._interrupts.caught:
                _log.warning("%s: %s", self._interrupts.name, second)
                self._interrupts.raise_if_caught()
            if error is None:
                raise
            raise type(second)(f"{second}. Before that: {error}") from error
        self._watch.report(loop, ended=True)
        if error is not None:
            raise error
        loop.tally.raise_if_stopped(loop.stopping)
        self._interrupts.raise_if_caught()
        return result

    @staticmethod
    def _sampler(spec: Spec) -> Sampler:
        return samplers.build(spec.sampler, spec.space, seed=spec.seed, objectives=len(spec.goals))

    @staticmethod
    def _pruner(spec: Spec) -> Pruner | None:
        return pruners.build(spec.pruner, seed=spec.seed, maximize=spec.goals[0].maximize)

    def _open_roots(self, stack: ExitStack) -> Roots:
        spec = self._spec
        roots = spec.failures.checkpoint_root, spec.tracking.artifact_root
        self._roots = Roots(self._sweep, *roots, spec.units.count)
        stack.push(self._roots.leave)
        return self._roots

    def _open_executor(self, roots: Roots) -> Executor:
        spec, around = self._spec, self._around
        work = Work(
            objective=spec.objective,
            metric=spec.metric,
            data=around.data,
            code=around.code,
            isolation=spec.isolation,
            resources=spec.resources,
            parallelism=spec.parallelism and spec.parallelism * spec.units.gang,
            gang=spec.units.gang,
            # Without child runs nobody takes artifacts: they go with the executor.
            spool=None if spec.tracking.child_runs == "none" else str(Home(around.home).spool(self._sweep)),
            checkpoints=None if roots.checkpoints is None else str(roots.checkpoints),
            artifacts=None if roots.artifacts is None else str(roots.artifacts),
            autolog=spec.autolog,
            nested=spec.tracking.nested,
        )
        return open_executor(spec.executor, work, around.session)

    def _begin(self, tracker: Tracker, opening: Opening, executor: Executor, digests: str) -> Parent:
        spec, around, journal, past = self._spec, self._around, opening.journal, opening.past
        run_id, experiment_id = tracker.start(
            ParentRun(
                sweep=journal.sweep,
                name=spec.name,
                experiment=spec.experiment,
                params=spec.params(),
                tags={**around.tags, schema.TAG_FINGERPRINT: digests, schema.TAG_PAGE: page_link(self._sweep)},
                data=around.inputs,
                artifacts={**searched(spec), **around.files},
                started=time.time(),
            )
        )
        around.reached(Lifecycle.PARENT_CREATED)
        behind = (spec.parallelism or executor.slots) if spec.deterministic else None
        if past is not None:
            behind = past.behind if past.behind is not None else behind
            self._reopen(tracker, past, run_id, journal)
        parent = Parent(run_id, experiment_id, time.time(), behind)
        journal.append([written(parent)])
        journal.flush()
        around.reached(Lifecycle.PARENT_RECORDED)
        if past is None:
            record_sweep(Home(around.home).system, around.made_from, journal.sweep, Job("SWEEP", spec.name, run_id))
        return parent

    def _reopen(self, tracker: Tracker, past: History, run_id: str, journal: Journal) -> None:
        """Makes the child runs of trials that are executed again RUNNING; fills a store that has lost the parent."""
        journal.flush()
        if past.parent is not None and past.parent.run_id != run_id:
            _log.warning(
                "the parent run %s is gone; all trials are published again under %s", past.parent.run_id, run_id
            )
            past.recall(journal.replay())
        if self._spec.tracking.child_runs != "none":
            tracker.reopen(run_id, [trial.number for trial in past.unfinished])

    def _load_late(self) -> None:
        """Imports what the report needs while trials run; drawing it waits for what is left."""
        if (self._spec.max_trials or plots.FEWEST) >= plots.FEWEST:
            Thread(target=plots.load, name="sparkml-load", daemon=True).start()

    def _loop(self, loop: Loop) -> BaseException | None:
        try:
            loop.run()
        except (JournalError, LeaseHeld) as error:
            return error
        except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - whatever it is, the parent run is ended
            try:
                loop.abandon(f"the sweep ended: {error}")
            except (JournalError, LeaseHeld) as second:
                return second
            return self._with_way_out(error)
        return None

    def _with_way_out(self, error: BaseException) -> BaseException:
        if not isinstance(error, ExecutorError) or isinstance(error, PreflightError):
            return error
        text = str(error)
        text += "" if "kept" in text else "; results so far are kept"
        text += f". {way_on(self._sweep, self._around.origin)}"
        explained = type(error)(text)
        explained.__cause__ = error
        return explained

    def _state(self, loop: Loop, error: BaseException | None) -> State:
        if self._interrupts.caught or isinstance(error, KeyboardInterrupt):
            return State.KILLED
        failed = error is not None or loop.store.refused is not None or loop.tally.too_many_failed
        return State.FAILED if failed else State.FINISHED
