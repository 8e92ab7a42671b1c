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
from sparkml_track.engine.records.entries import plan_of
from sparkml_track.engine.results.sweep_result import SweepResult
from sparkml_track.engine.spec.spec import id_prefix
from sparkml_track.errors import JournalError, ResumeRefused
from sparkml_track.frontdoors._groups.checks import Asked, Checked, checked
from sparkml_track.frontdoors._groups.folders import held, new_rows_folder, remove
from sparkml_track.frontdoors._groups.objective import TrainGroup
from sparkml_track.frontdoors._groups.sampler import GroupSampler
from sparkml_track.frontdoors._groups.staging import Groups, is_spark, stage
from sparkml_track.frontdoors._groups.table import ResultTable, Trained
from sparkml_track.home import Home
from sparkml_track.journals import read, sweeps
from sparkml_track.refs import TableRef
from sparkml_track.space import Group, Space

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
            again = work.models.is_dir()
            work.models.mkdir(exist_ok=True)
            given = _sweep(asked, how, groups, work)
            result = _run(given, asked, home, progress, earlier=_earlier(given.name, work, home) if again else None)
            trained = Trained(groups, result, how.small, work.models, storage / _KEPT / result.sweep)
            ref = table.write(trained)
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


def _sweep(asked: Asked, how: Checked, groups: Groups, work: _Work) -> Any:
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
        executor="processes" if executor == "auto" and not is_spark(asked.data) else executor,
    )


def _run(
    given: Any, asked: Asked, home: Home, progress: ProgressListener | bool | None, *, earlier: str | None
) -> SweepResult:
    def session() -> SparkSession:
        return asked.data.sparkSession if is_spark(asked.data) else local_or_active(home=home)

    if earlier is not None and given.resume == "auto":
        with suppress(ResumeRefused):  # packages changed: these groups are trained anew
            return run(replace(given, resume=earlier), home, session, progress=progress, origin=_ORIGIN)
    return run(given, home, session, progress=progress, origin=_ORIGIN)


def _earlier(name: object, work: _Work, home: Home) -> str | None:
    """The newest sweep of these groups, ended or not: its models are there, and its table is not written yet."""
    digest = data_digest(work.recorded)
    for entry in sweeps(home.root):
        if not entry.sweep.startswith(id_prefix(str(name))):
            continue
        with suppress(JournalError):
            plan = plan_of(read(home.root, entry.sweep))
            if plan is not None and plan.name == name and plan.fingerprint["data"].get(_DATA) == digest:
                return entry.sweep
    return None
