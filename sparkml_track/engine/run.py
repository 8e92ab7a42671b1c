"""One sweep from its checked spec to its result: opens the members, runs the loop, closes in the right order."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path

from sparkml_track import pruners, samplers
from sparkml_track.engine.ask import Asker
from sparkml_track.engine.finish import Ending, finish
from sparkml_track.engine.interrupt import Interrupts
from sparkml_track.engine.loop import Loop, Parts
from sparkml_track.engine.progress import Progress, ProgressListener
from sparkml_track.engine.publish import Publisher
from sparkml_track.engine.result import SweepResult
from sparkml_track.engine.spec import Spec, new_sweep_id
from sparkml_track.errors import SparkmlError
from sparkml_track.executors import Executor, Work, open_executor
from sparkml_track.journals import Journal, Record, open_journal
from sparkml_track.refs import DataRef
from sparkml_track.trackers import ParentRun, Tracker, open_tracker
from sparkml_track.trial import State

__all__ = ["Surroundings", "run_sweep"]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a sweep runs in, apart from what it is.

    Attributes:
        home: the state folder.
        session: the Spark session, None for executors without Spark.
        data: for the objective, by name.
        inputs: what ``data`` came from, recorded on the parent run.
        code: folders the objective is imported from.
        tags: for the parent run: code version, Spark facts.
        listener: is told of progress.
    """

    home: Path
    session: object | None = None
    data: Mapping[str, object] = field(default_factory=dict)
    inputs: Sequence[DataRef] = ()
    code: Sequence[str] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    listener: ProgressListener | None = None


def run_sweep(spec: Spec, around: Surroundings) -> SweepResult:
    """Runs a sweep.

    Raises:
        SparkmlError: as its parts raise; what was accepted is in the journal.
        KeyboardInterrupt, SystemExit: a signal came; attempts were ended and the runs are KILLED.
    """
    return _Run(spec, around).run()


class _Run:
    """One sweep while it runs."""

    def __init__(self, spec: Spec, around: Surroundings) -> None:
        self._spec = spec
        self._around = around
        self._sweep = new_sweep_id(spec.name)
        self._interrupts = Interrupts()
        self._told = 0.0

    def run(self) -> SweepResult:
        spec, around = self._spec, self._around
        sampler = samplers.build(spec.sampler, spec.space, seed=spec.seed, directions=spec.direction)
        pruner = pruners.build(spec.pruner, seed=spec.seed, direction=spec.direction[0])
        with ExitStack() as stack:
            journal = stack.enter_context(closing(open_journal(around.home, self._sweep)))
            # Workers start while the tracking store is opened: what takes longest begins first.
            executor = stack.enter_context(closing(self._open_executor()))
            tracker = stack.enter_context(closing(open_tracker(spec.tracking.uri, around.home)))
            run_id, experiment_id = self._begin(tracker, journal)
            stack.enter_context(self._interrupts)
            behind = (spec.parallelism or executor.slots) if spec.deterministic else None
            asker = Asker(sampler, spec.points, spec.max_trials, spec.seed, behind)
            published: deque[Sequence[int]] = deque()
            publisher = None if spec.tracking.child_runs == "none" else Publisher(tracker, run_id, published.append)
            loop = Loop(spec, Parts(asker, pruner, executor, journal, publisher, self._watch, published))
            error = self._loop(loop)
            executor.close()
            ending = Ending(spec, around.home, self._sweep, run_id, experiment_id, self._state(loop, error))
            result = finish(ending, loop, tracker, publisher, journal)
            self._tell(loop)
        if error is not None:
            raise error
        loop.raise_if_stopped()
        self._interrupts.raise_if_caught()
        return result

    def _open_executor(self) -> Executor:
        spec, around = self._spec, self._around
        work = Work(
            objective=spec.objective,
            metric=spec.metric,
            data=around.data,
            code=around.code,
            isolation=spec.isolation,
            resources=spec.resources,
            parallelism=spec.parallelism,
            seed=spec.seed,
        )
        return open_executor(spec.executor, work, around.session)

    def _begin(self, tracker: Tracker, journal: Journal) -> tuple[str, str]:
        spec, around = self._spec, self._around
        journal.append([Record("plan", {"name": spec.name, "space": spec.space.fingerprint(), **spec.params()})])
        parent = ParentRun(
            sweep=self._sweep,
            name=spec.name,
            experiment=spec.experiment,
            params=spec.params(),
            tags=around.tags,
            data=around.inputs,
            started=time.time(),
        )
        run_id, experiment_id = tracker.start(parent)
        journal.append([Record("parent", {"run": run_id, "experiment": experiment_id})])
        journal.flush()
        return run_id, experiment_id

    def _loop(self, loop: Loop) -> BaseException | None:
        try:
            loop.run()
        except (SparkmlError, KeyboardInterrupt) as error:
            loop.abandon(f"the sweep ended: {error}")
            return error
        return None

    def _state(self, loop: Loop, error: BaseException | None) -> State:
        if self._interrupts.caught or isinstance(error, KeyboardInterrupt):
            return State.KILLED
        return State.FAILED if error is not None or loop.too_many_failed else State.FINISHED

    # -- once each turn

    def _watch(self, loop: Loop) -> None:
        if self._interrupts.caught and not loop.stopping:
            loop.stop("interrupted")
        now = time.monotonic()
        if now - self._told >= 0.2:
            self._told = now
            self._tell(loop)

    def _tell(self, loop: Loop) -> None:
        if self._around.listener is not None:
            self._around.listener(_progress(loop))


def _progress(loop: Loop) -> Progress:
    counts, planned, best = loop.counts, loop.planned, loop.best
    done = counts.total()
    share = done / planned if planned else 0.0
    return Progress(
        finished=counts[State.FINISHED],
        pruned=counts[State.PRUNED],
        failed=counts[State.FAILED],
        killed=counts[State.KILLED],
        running=len(loop.live),
        planned=planned,
        best=None if best is None or best.value is None else best.value[0],
        best_number=None if best is None else best.number,
        elapsed=loop.elapsed,
        remaining=loop.elapsed * (1 - share) / share if share else None,
        note=loop.note,
    )
