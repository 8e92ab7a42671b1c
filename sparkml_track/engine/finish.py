"""The end of a sweep: what is left is published, the summary computed, the report written, the parent run ended."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from sparkml_track import schema
from sparkml_track.engine.loop import Loop
from sparkml_track.engine.publish import Publisher
from sparkml_track.engine.report import write_report
from sparkml_track.engine.result import SweepResult
from sparkml_track.engine.spec import Spec
from sparkml_track.engine.summary import Result, Summary, summarise, trials_table
from sparkml_track.errors import TrackingError
from sparkml_track.journals import Journal, Record
from sparkml_track.trackers import ParentEnd, Tracker
from sparkml_track.trial import State

__all__ = ["PATIENCE", "Ending", "finish"]

_log = logging.getLogger(__name__)
#: Seconds for which the end of a sweep waits for a tracking store that is down.
PATIENCE = 60.0


@dataclass(frozen=True, slots=True)
class Ending:
    """What is ended: the sweep, its runs, and in which state unless publishing fails."""

    spec: Spec
    home: Path
    sweep: str
    run_id: str
    experiment_id: str
    state: State


def finish(ending: Ending, loop: Loop, tracker: Tracker, publisher: Publisher | None, journal: Journal) -> SweepResult:
    """Publishes, summarises and ends the parent run.

    Raises:
        TrackingError: the parent run could not be ended; the journal has all results.
    """
    waiting = publisher.close(PATIENCE) if publisher is not None else 0
    loop.note_published()
    spec, results = ending.spec, sorted(loop.results, key=lambda each: each.number)
    planned = max(loop.planned or 0, len(results))
    summary = summarise(results, planned, 0, spec.metric, spec.direction)
    path = ending.home / "reports" / f"{ending.sweep}.html"
    write_report(path, spec.name, summary, results)
    journal.append([Record("ended", {"state": ending.state.value, "digest": summary.digest})])
    journal.flush()
    if waiting:
        raise TrackingError(
            f"{waiting} child runs could not be published within {PATIENCE:g} s; they are in the journal of sweep "
            f"{ending.sweep}, and `sparkml-track verify --repair {ending.run_id}` publishes them"
        )
    tracker.finish(ending.run_id, _parent_end(ending, summary, results, path))
    return SweepResult(ending.sweep, ending.run_id, ending.experiment_id, summary, tuple(results), path)


def _parent_end(ending: Ending, summary: Summary, results: Sequence[Result], report: Path) -> ParentEnd:
    spec = ending.spec
    counts = {f"trials_{name}": float(number) for name, number in asdict(summary.counts).items()}
    metrics = counts | _aggregates(summary)
    best = summary.best
    tags = {schema.TAG_DIGEST: summary.digest, schema.TAG_STATE: ending.state.value}
    if best is not None and best.value is not None:
        metrics |= {f"best_{name}": value for name, value in zip(spec.metric, best.value, strict=True)}
        tags["sparkml.best"] = str(best.number)
    artifacts = {
        schema.ARTIFACT_TRIALS: trials_table(results),
        schema.ARTIFACT_REPORT: report.read_text(),
        schema.ARTIFACT_SPEC: json.dumps({"sweep": ending.sweep, **spec.params()}, indent=2, default=str),
    }
    return ParentEnd(ending.state, metrics, tags, artifacts, time.time())


def _aggregates(summary: Summary) -> dict[str, float]:
    return {
        f"{metric}_{name}": value
        for metric, aggregate in summary.aggregates.items()
        for name, value in asdict(aggregate).items()
        if name != "count"
    }
