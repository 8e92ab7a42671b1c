"""The groups as one sweep, a trial for each, and which sweep a call goes on with."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy

from sparkml_track.api.session import local_or_active
from sparkml_track.api.sweep import run
from sparkml_track.engine.identity.data_digest import data_digest
from sparkml_track.engine.identity.fingerprint import code_digest, ingredients
from sparkml_track.engine.loop.progress import ProgressListener
from sparkml_track.engine.records.entries import plan_of, read_record
from sparkml_track.engine.records.types import Ended
from sparkml_track.engine.results.sweep_result import SweepResult
from sparkml_track.engine.spec.arguments import SweepArguments
from sparkml_track.engine.spec.spec import id_prefix
from sparkml_track.errors import JournalError, ResumeRefused
from sparkml_track.frontdoors._groups.checks import Asked, Checked, checked
from sparkml_track.frontdoors._groups.folders import held, new_rows_folder, remove
from sparkml_track.frontdoors._groups.objective import TrainGroup
from sparkml_track.frontdoors._groups.sampler import GroupSampler
from sparkml_track.frontdoors._groups.staging import Groups, is_spark, stage
from sparkml_track.frontdoors._groups.table import ResultTable, Trained
from sparkml_track.governance.edges import Job, Node, between, record
from sparkml_track.governance.homes import home_of_ref
from sparkml_track.governance.sources.watch import tables_of
from sparkml_track.home import Home
from sparkml_track.journals import last, read, sweeps
from sparkml_track.refs import TableRef
from sparkml_track.space import Group, Space
from sparkml_track.trial import State

if TYPE_CHECKING:
    from sparkml_track.api.session import SparkSession

__all__ = ["train"]

_log = logging.getLogger(__name__)
#: What goes on with a training that was interrupted.
_ORIGIN = {"door": "train_groups(...) with the same arguments"}
#: Under the storage: models that are too large for their table, by sweep.
_KEPT = "models"
#: The entry of the sweep's data that says which groups these are.
_DATA = "groups"


@dataclass(frozen=True)
class _Work:
    """One training.

    Attributes:
        folder: what lasts until its table is written.
        identity: which groups are trained, and how.
    """

    folder: Path
    identity: Mapping[str, object]

    @property
    def recorded(self) -> Any:
        """The identity as an array, which slots could map, and never read."""
        return numpy.frombuffer(json.dumps(self.identity, sort_keys=True, default=str).encode(), dtype="u1")

    @property
    def models(self) -> Path:
        """Takes the models."""
        return self.folder / _KEPT


def train(
    asked: Asked, table: ResultTable, storage: Path | None, progress: ProgressListener | bool | None
) -> tuple[TableRef, SweepResult]:
    """Trains all groups and writes their table.

    Args:
        asked: the arguments.
        table: takes a version.
        storage: takes rows and models; the home's by default.
        progress: see ``sweep``.
    """
    home = Home.find()
    how = checked(asked)
    table.check()
    home.make()
    storage = storage or home.groups
    with new_rows_folder(storage) as rows:
        groups = stage(asked.data, how.keys, rows)
        work = _work(asked, how, groups, storage)
        with held(work.folder, f"these groups are trained under the name {asked.sweep.name!r}"):
            given = _sweep(asked, how, groups, work, resume=_resume(asked.sweep, work, home))
            work.models.mkdir(exist_ok=True)
            sources = tables_of(asked.data)
            result = _run(given, asked, home, {"progress": progress, "origin": _ORIGIN, "made_from": sources})
            trained = Trained(groups, result, how.small, work.models, storage / _KEPT / result.sweep)
            ref = table.write(trained, sources)
            _record(ref, result, str(asked.sweep.name))
            remove(work.folder)
    return ref, result


def _work(asked: Asked, how: Checked, groups: Groups, storage: Path) -> _Work:
    identity: dict[str, object] = {
        "rows": groups.digest,
        "keys": list(how.keys),
        "limit": asdict(how.limit),
        "small": None if how.small is None else asdict(how.small),
        "code": code_digest(asked.fn),
    }
    made_of = ingredients(asked.fn, {}, (), {})
    text = json.dumps([identity, made_of, asked.sweep.name], default=str, sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    return _Work(storage / f"{id_prefix(str(asked.sweep.name))}{digest}", identity)


def _resume(sweep: SweepArguments, work: _Work, home: Home) -> object:
    """What a call goes on with: only a sweep whose models are still there.

    One that finished goes on too, for what came between its end and its table.
    """
    if sweep.resume != "auto":
        return sweep.resume
    return (_finished(sweep.name, work, home) or "auto") if work.models.is_dir() else "never"


def _finished(name: object, work: _Work, home: Home) -> str | None:
    """The newest sweep of these groups, if it finished."""
    digest, prefix = data_digest(work.recorded), id_prefix(str(name))
    for entry in sweeps(home.root, lambda sweep, _: sweep.startswith(prefix)):
        with suppress(JournalError):
            plan = plan_of(read(home.root, entry.sweep))
            if plan is not None and plan.name == name and plan.fingerprint["data"].get(_DATA) == digest:
                end = last(home.root, entry.sweep)
                record = None if end is None else read_record(end)
                return entry.sweep if isinstance(record, Ended) and record.state is State.FINISHED else None
    return None


def _sweep(asked: Asked, how: Checked, groups: Groups, work: _Work, *, resume: object) -> SweepArguments:
    record = Group(tuple((key, f"of {len(groups):,} groups") for key in how.keys))
    executor = asked.sweep.executor
    return replace(
        asked.sweep,
        objective=TrainGroup(asked.fn, groups.rows, how.limit, how.small, str(work.models)),
        space=Space(record),
        sampler=GroupSampler(groups.params),
        max_trials=len(groups),
        trial_timeout=asked.timeout,
        data={_DATA: work.recorded},
        resume=resume,
        executor="processes" if executor == "auto" and not is_spark(asked.data) else executor,
    )


def _run(given: SweepArguments, asked: Asked, home: Home, more: Mapping[str, Any]) -> SweepResult:
    def session() -> SparkSession:
        return asked.data.sparkSession if is_spark(asked.data) else local_or_active(home=home)

    try:
        return run(given, home, session, **more)
    except ResumeRefused as error:
        if asked.sweep.resume != "auto":
            raise
        _log.warning("%s. These groups are trained anew", error)
        return run(replace(given, resume="never"), home, session, **more)


def _record(ref: TableRef, result: SweepResult, name: str) -> None:
    """The table is made by the sweep, too."""
    if lake := home_of_ref(ref):
        job = Job("SWEEP", name, result.run_id)
        record(lake.system, between([Node("SWEEP", result.sweep)], [Node.of(ref)], job))
