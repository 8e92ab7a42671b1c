"""Runs read back whole through MLflow's client, and their files."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparkml_track import schema
from sparkml_track.adapters.mlflow.errors import hush
from sparkml_track.slot.host.trees import remove_tree
from sparkml_track.trackers._mlflow.artifacts import links_in, local_path
from sparkml_track.trackers._mlflow.models import model_folder
from sparkml_track.trackers._whole import WholeRun, seconds
from sparkml_track.trial import LoggedMetric, RunLog

if TYPE_CHECKING:
    from mlflow.entities import Run

__all__ = ["Points", "by_nested_id", "fetch_files", "points_by_client", "whole_runs"]

#: Every point of each metric, of several runs, by run id.
Points = Mapping[str, Sequence[LoggedMetric]]

_AT_ONCE = 500
_MODEL_ID = re.compile(r"m-[0-9a-f]{32}")  # folders are named by it


def whole_runs(client: Any, runs: Iterator[Run], points: Callable[[Sequence[Run]], Points]) -> Iterator[WholeRun]:
    """Runs that were found, whole.

    Args:
        client: MLflow's.
        runs: as its search gives them.
        points: reads all metrics of some runs.
    """
    while some := list(islice(runs, _AT_ONCE)):
        metrics = points(some)
        yield from (_whole(client, run, metrics.get(run.info.run_id, ())) for run in some)


def by_nested_id(runs: Iterable[Run]) -> dict[str, str]:
    """Run ids by the ids that nested runs had in the slot."""
    return {run.data.tags.get(schema.TAG_NESTED, ""): run.info.run_id for run in runs}


def points_by_client(client: Any, runs: Sequence[Run]) -> Points:
    """One call for each metric of each run: MLflow has no other."""
    return {run.info.run_id: list(_history(client, run)) for run in runs}


def _history(client: Any, run: Run) -> Iterator[LoggedMetric]:
    for name in sorted(run.data.metrics):
        for one in client.get_metric_history(run.info.run_id, name):
            yield LoggedMetric(name, one.value, one.step, seconds(one.timestamp))


def _whole(client: Any, run: Run, metrics: Sequence[LoggedMetric]) -> WholeRun:
    info, data = run.info, run.data
    log = RunLog(dict(data.params), metrics, dict(data.tags), _inputs(run), _models(client, run))
    return WholeRun(
        info.run_id, info.run_name or "", info.status, seconds(info.start_time), seconds(info.end_time), log
    )


def _inputs(run: Run) -> list[dict[str, object]]:
    return [
        {
            "name": one.dataset.name,
            "digest": one.dataset.digest,
            "source_type": one.dataset.source_type,
            "source": one.dataset.source,
            "schema": one.dataset.schema,
            "profile": one.dataset.profile,
            "tags": {tag.key: tag.value for tag in one.tags},
        }
        for one in (run.inputs.dataset_inputs if run.inputs else ())
    ]


def _models(client: Any, run: Run) -> list[dict[str, object]]:
    found = [client.get_logged_model(one.model_id) for one in (run.outputs.model_outputs if run.outputs else ())]
    return [
        {
            "id": one.model_id,
            "name": one.name,
            "created": one.creation_timestamp,
            "updated": one.last_updated_timestamp,
            "status": one.status.to_int(),
            "type": one.model_type,
            "params": dict(one.params or {}),
            "tags": dict(one.tags or {}),
            "run_id": one.source_run_id,
            "location": one.artifact_location,
        }
        for one in found
        if one.source_run_id == run.info.run_id and _MODEL_ID.fullmatch(one.model_id)
    ]


def fetch_files(run: WholeRun, location: str, tracking_uri: str, folder: Path) -> None:
    """Copies the files of a run, and those of its models, as a trial would have left them in its folder.

    Args:
        run: which one.
        location: of its artifacts.
        tracking_uri: of the store, for servers that pass artifacts on.
        folder: is made; what is there is removed first.
    """
    remove_tree(str(folder))
    folder.mkdir(parents=True)
    _copy(location, tracking_uri, folder)
    for model in run.log.models:
        where = model_folder(folder, str(model["id"]))
        if not where.exists():  # where servers have no models of trials, the files are among the run's
            _copy(str(model["location"]), tracking_uri, where)


def _copy(location: str, tracking_uri: str, folder: Path) -> None:
    local = local_path(location)
    if local is not None:
        if local.is_dir():
            shutil.copytree(local, folder, ignore=links_in, dirs_exist_ok=True)
        return
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    hush()
    repository = get_artifact_repository(location, tracking_uri=tracking_uri)
    if repository.list_artifacts():  # some refuse to fetch nothing
        folder.mkdir(parents=True, exist_ok=True)
        with _without_bars():
            repository.download_artifacts("", str(folder))


@contextmanager
def _without_bars() -> Iterator[None]:
    """No progress bar for each run; who chose otherwise keeps it."""
    bars = "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"
    chosen = os.environ.get(bars)
    os.environ.setdefault(bars, "false")
    try:
        yield
    finally:
        if chosen is None:
            os.environ.pop(bars, None)
