"""Runs of one store as runs for another: what was written to them is kept, and where they come from is added."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from sparkml_track import schema
from sparkml_track.trackers import ChildRun, Content, ParentEnd, ParentRun, WholeRun
from sparkml_track.trial import Report, State

__all__ = ["child_of", "end_of", "parent_of", "state_of"]

_NOTE = "mlflow.note.content"
#: Of a run inside which the sweep was; that one stays where it is.
_LEFT = (schema.TAG_PARENT, "mlflow.rootRunId")
#: Which no run has: files in place are shared with the sweep that was imported, and stay as they are.
_NO_RUN = "-"


def state_of(run: WholeRun) -> State:
    """Where a run stands; RUNNING for one whose end was never written."""
    stated = run.log.tags.get(schema.TAG_STATE, "")
    known = {state.value: state for state in State}
    return State.RUNNING if run.status == "RUNNING" else known.get(stated, State.KILLED)


def parent_of(run: WholeRun, uri: str, experiment: str, artifacts: Mapping[str, Content]) -> ParentRun:
    """A parent run as it is started in another store.

    Args:
        run: as it was read.
        uri: of its store, without secrets.
        experiment: the name of its experiment.
        artifacts: path to content.
    """
    tags = {name: value for name, value in run.log.tags.items() if name not in _LEFT}
    return ParentRun(
        sweep=tags[schema.TAG_SWEEP],
        name=run.name,
        experiment=experiment,
        params=run.log.params,
        tags={**tags, **_lineage(run, uri)},
        inputs=run.log.inputs,
        artifacts=artifacts,
        started=run.started,
    )


def end_of(run: WholeRun, runs: Mapping[str, str]) -> ParentEnd:
    """The end of a parent run.

    Args:
        run: as it was read.
        runs: ids that runs and their experiment had to those that they have now, for links.
    """
    note = run.log.tags.get(_NOTE, "")
    for old, new in runs.items():
        note = note.replace(f"/experiments/{old}/", f"/experiments/{new}/").replace(f"/runs/{old}", f"/runs/{new}")
    points = [Report({one.name: one.value}, one.step, one.time) for one in run.log.metrics]
    return ParentEnd(state_of(run), tags={_NOTE: note} if note else {}, ended=run.ended, reports=points)


def child_of(run: WholeRun, uri: str, folder: Path) -> ChildRun:
    """A child run for another store.

    Args:
        run: as it was read.
        uri: of its store, without secrets.
        folder: with its files, which goes once the store has them.
    """
    log, tags = run.log, run.log.tags
    kept = tags.get(schema.TAG_FOLDER, "")
    if kept:
        log = replace(log, models=[{**model, "run_id": _NO_RUN} for model in log.models])
    state = state_of(run)
    return ChildRun(
        number=int(tags[schema.TAG_NUMBER]),
        params={},
        state=state,
        logged=replace(log, tags={**tags, **_lineage(run, uri)}),
        started=run.started,
        duration=max(0.0, run.ended - run.started) if state.terminal else 0.0,
        attempts=int(tags.get(schema.TAG_ATTEMPTS, "1")),
        reason=tags.get(schema.TAG_REASON, ""),
        message=tags.get(schema.TAG_MESSAGE, ""),
        log=_log_in(folder) if kept else "",
        host=tags.get(schema.TAG_HOST, ""),
        artifacts=Path(kept) if kept else folder,
        in_place=bool(kept),
    )


def _lineage(run: WholeRun, uri: str) -> dict[str, str]:
    return {schema.TAG_IMPORTED_FROM: uri, schema.TAG_IMPORTED_RUN: run.run_id}


def _log_in(folder: Path) -> str:
    """The log of a child run whose other files stay where they are."""
    names: Iterable[str] = (schema.ARTIFACT_LOG, schema.ARTIFACT_LOG_BESIDE)
    return next(((folder / name).read_text(errors="replace") for name in names if (folder / name).is_file()), "")
