"""The end of a sweep: what is left is published, the summary computed, the report written, the parent run ended."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from sparkml_track import schema
from sparkml_track.engine.loop.loop import Loop
from sparkml_track.engine.publishing.best_trials import TopPublisher
from sparkml_track.engine.publishing.description import TOP, Described, description
from sparkml_track.engine.publishing.publisher import Publisher
from sparkml_track.engine.publishing.report import Page, report
from sparkml_track.engine.records.entries import written
from sparkml_track.engine.records.types import BestTrial, Ended
from sparkml_track.engine.results.best_so_far import best_so_far
from sparkml_track.engine.results.costs import costs_of
from sparkml_track.engine.results.curves import Curves
from sparkml_track.engine.results.ranking import top_trials
from sparkml_track.engine.results.summary import Result, Summary, trials_table
from sparkml_track.engine.results.sweep_result import SweepResult
from sparkml_track.engine.spec.lifecycle import Lifecycle, LifecycleListener, unheard
from sparkml_track.engine.storage.waiting import Hurried, Hurry, never, patiently, pause
from sparkml_track.errors import TrackingError, TrackingUnavailable
from sparkml_track.home import Home
from sparkml_track.journals import Journal
from sparkml_track.trackers import Content, ParentEnd, Tracker
from sparkml_track.trial import State

__all__ = ["LONGEST_WAIT", "Ending", "close_parent", "described", "ended_record", "finish", "parent_end", "pareto_tag"]

_log = logging.getLogger(__name__)
#: Seconds for which the end of a sweep waits for a tracking store that is down.
LONGEST_WAIT = 60.0
_FRONT = 700  # numbers of up to 10 digits fit into a tag of 8,000 characters


@dataclass(frozen=True, slots=True)
class Ending:
    """What is ended, and how.

    Attributes:
        name: of the sweep.
        home: the state folder.
        sweep: its id.
        run_id: of the parent run.
        experiment_id: of its experiment.
        state: of the parent run.
        spec: as JSON, kept with the parent run.
        why: it did not finish.
        stale: late answers of attempts that had been given up; they were refused.
        longest_wait: seconds to wait for a tracking store that is down.
        reached: is called at each point of the sweep's life.
        hurry: whether a signal came, which ends the waiting.
        origin: where the sweep was started from; see ``way_on``.
        idle: see ``Costs``.
        price: likewise.
    """

    name: str
    home: Path
    sweep: str
    run_id: str
    experiment_id: str
    state: State
    spec: Mapping[str, object] = field(default_factory=dict)
    why: str = ""
    stale: int = 0
    longest_wait: float = LONGEST_WAIT
    reached: LifecycleListener = unheard
    hurry: Hurry = never
    origin: Mapping[str, object] = field(default_factory=dict)
    idle: float | None = None
    price: float | None = None

    @property
    def report_path(self) -> Path:
        """Of the HTML report."""
        return Home(self.home).report(self.sweep)


Publishers = Publisher | TopPublisher | None


def finish(ending: Ending, loop: Loop, tracker: Tracker, publisher: Publishers, journal: Journal) -> SweepResult:
    """Publishes, summarises and ends the parent run; the journal learns last that the sweep ended.

    Raises:
        TrackingError: the store is away or refuses; the journal has all results, and the sweep can go on.
    """
    ending.reached(Lifecycle.CLOSING)
    waiting = publisher.close(ending.longest_wait, ending.hurry) if publisher is not None else 0
    with suppress(OSError):  # not there, or it has what the store refused
        Home(ending.home).spool(ending.sweep).rmdir()
    loop.journal.note_published()
    loop.journal.flush()
    results = sorted(loop.results, key=lambda each: each.number)
    summary = loop.summary()
    end = parent_end(ending, summary, results, loop.tally.curves)
    about = described(ending, summary, results)
    _raise_if_unpublished(ending, loop, publisher, waiting)
    if publisher is not None and publisher.troubled:
        _asked(ending, lambda: tracker.reconcile(ending.run_id))
    close_parent(tracker, ending, end, about)
    ending.reached(Lifecycle.PARENT_ENDED)
    journal.append([written(ended_record(ending, summary))])
    journal.flush()
    ending.reached(Lifecycle.ENDED)
    return SweepResult(
        ending.sweep,
        ending.run_id,
        ending.experiment_id,
        summary,
        tuple(map(_as_kept, results)),
        ending.report_path,
        int(str(ending.spec.get("seed", 0))),
        _tracked(ending),
        loop.tally.curves,
    )


def _tracked(ending: Ending) -> str | None:
    tracking = ending.spec.get("tracking")
    uri = tracking.get("uri") if isinstance(tracking, Mapping) else None
    return None if uri is None else str(uri)


def ended_record(ending: Ending, summary: Summary) -> Ended:
    """Says that the sweep ended and its parent run with it."""
    best = summary.best
    return Ended(
        state=ending.state,
        digest=summary.digest,
        counts=summary.counts,
        best=None if best is None or best.value is None else BestTrial(best.number, best.value),
        run_id=ending.run_id,
        time=time.time(),
        stale=ending.stale,
        idle=ending.idle,
        why=ending.why[:1000],
    )


def close_parent(tracker: Tracker, ending: Ending, end: ParentEnd, about: Described) -> None:
    """Ends the parent run, trying for some time while the store is away.

    Args:
        tracker: of the store.
        ending: what is ended.
        end: how.
        about: for its description, which links to the child runs.

    Raises:
        TrackingError: it could not be ended.
    """
    until = time.monotonic() + ending.longest_wait
    while True:
        try:
            _asked(ending, lambda: _close(tracker, ending.run_id, end, about))
        except TrackingUnavailable as error:
            if time.monotonic() >= until or ending.hurry():
                raise TrackingUnavailable(f"{error} {_way_out(ending)}") from error
            _log.warning("the parent run cannot be ended yet: %s", error)
            pause(min(1.0, until - time.monotonic()), ending.hurry)
        else:
            return


def _close(tracker: Tracker, run_id: str, end: ParentEnd, about: Described) -> None:
    best = about.summary.best
    linked = {one.number for one in about.top} | (set() if best is None else {best.number})
    runs = tracker.runs_of(run_id, linked)
    note = description(replace(about, runs=runs))
    tracker.finish(run_id, replace(end, tags={**end.tags, "mlflow.note.content": note}))


def _asked(ending: Ending, call: Callable[[], object]) -> None:
    """Asks the store for something; a signal ends the waiting for its answer."""
    try:
        patiently(call, ending.hurry)
    except Hurried:
        raise TrackingUnavailable("the tracking store did not answer before the signal came.") from None


def _raise_if_unpublished(ending: Ending, loop: Loop, publisher: Publishers, waiting: int) -> None:
    if loop.store.refused is None and publisher is not None:
        try:
            publisher.check()
        except TrackingError as error:
            loop.store.refused = error
    if loop.store.refused is not None:
        text = f"{loop.store.refused} {waiting} child runs are not published. {_way_out(ending)}"
        raise type(loop.store.refused)(text) from loop.store.refused
    if waiting:
        when = "before the signal came" if ending.hurry() else f"within {ending.longest_wait:g} s"
        raise TrackingUnavailable(
            f"{waiting} child runs could not be published {when}"
            f"{': ' + publisher.trouble if publisher is not None and publisher.trouble else ''}. {_way_out(ending)}"
        )


def way_on(sweep: str, origin: Mapping[str, object]) -> str:
    """How a person goes on with a sweep; a command can start again only what a config file describes."""
    if "door" in origin:
        return f"{origin['door']} goes on"
    command = f"`sparkml-track resume {sweep}`" if origin.get("config") else f"sweep(..., resume={sweep!r})"
    return f"{command}, or the same command again, goes on"


def _way_out(ending: Ending) -> str:
    return (
        f"All results are in the journal of sweep {ending.sweep}: {way_on(ending.sweep, ending.origin)}; "
        f"`sparkml-track verify --repair {ending.sweep}` publishes them and ends the parent run"
    )


def parent_end(ending: Ending, summary: Summary, results: Sequence[Result], curves: Curves) -> ParentEnd:
    """What the parent run gets at the end; a function of its arguments, but for the time. Writes the report."""
    facts = {"sweep": ending.sweep, "parent run": ending.run_id}
    page = report(ending.report_path, Page(ending.name, summary, results, facts, curves))
    metrics = {f"trials_{name}": float(number) for name, number in asdict(summary.counts).items()}
    costs = costs_of(results, ending.idle, ending.price)
    metrics |= {"attempts_stale": float(ending.stale), **costs.metrics(), **result_metrics(summary)}
    curve = best_so_far(results, summary.goals[0]) if summary.pareto is None else ()
    tags = {schema.TAG_DIGEST: summary.digest, schema.TAG_STATE: ending.state.value}
    best = summary.best
    if best is not None and best.value is not None:
        tags[schema.TAG_BEST] = str(best.number)
    if summary.pareto is not None:
        metrics["pareto_trials"] = float(len(summary.pareto))
        tags[schema.TAG_PARETO] = pareto_tag(summary)
    artifacts: dict[str, Content] = {
        schema.ARTIFACT_TRIALS: trials_table(map(_as_kept, results)),
        schema.ARTIFACT_SPEC: json.dumps({"sweep": ending.sweep, "spec": ending.spec}, indent=2, default=str),
    }
    if page:
        artifacts[schema.ARTIFACT_REPORT] = page
    if summary.pareto is not None:
        artifacts[schema.ARTIFACT_PARETO] = trials_table(summary.pareto)
    return ParentEnd(ending.state, metrics, tags, artifacts, time.time(), curve)


def described(ending: Ending, summary: Summary, results: Sequence[Result]) -> Described:
    """What the description of the parent run is made of."""
    return Described(
        name=ending.name,
        sweep=ending.sweep,
        experiment_id=ending.experiment_id,
        summary=summary,
        results=results,
        top=top_trials(summary, results, TOP),
        costs=costs_of(results, ending.idle, ending.price),
        spec=ending.spec,
        why=ending.why,
        began=str(ending.origin.get("why", "")),
    )


def _as_kept(result: Result) -> Result:
    """Without the name of a folder that was removed, as what others than the best leave is by ``keep="best:K"``."""
    gone = result.artifacts and not Path(result.artifacts).is_dir()
    return replace(result, artifacts="") if gone else result


def pareto_tag(summary: Summary) -> str:
    """The numbers of the Pareto front's trials, as many of the first as a tag holds; empty with a single objective."""
    return ",".join(str(one.number) for one in (summary.pareto or ())[:_FRONT])


def result_metrics(summary: Summary) -> dict[str, float]:
    """What the parent run's metrics say of the results: the best value, and of each child metric the aggregates."""
    best = summary.best
    value = () if best is None or best.value is None else best.value
    metrics = {f"best_{name}": number for name, number in zip(summary.metric, value, strict=False)}
    return metrics | {
        f"{metric}_{name}": value
        for metric, aggregate in summary.aggregates.items()
        for name, value in asdict(aggregate).items()
    }
