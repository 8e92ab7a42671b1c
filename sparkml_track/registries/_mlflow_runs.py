"""Runs that are no sweep, written through MLflow's client."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any

from sparkml_track.adapters.mlflow.names import stored_name
from sparkml_track.refs import DataRef
from sparkml_track.registries._base import Run
from sparkml_track.schema import TAG_KIND, TAG_NAME, TAG_TABLE

__all__ = ["RunWriter"]

# What MLflow takes in one call.
_METRICS, _OTHERS = 1000, 100


class RunWriter:
    """Writes runs.

    Args:
        client: MLflow's.
        artifacts: where new experiments keep their artifacts; None leaves it to the store.
    """

    def __init__(self, client: Any, artifacts: str | None) -> None:
        self._client = client
        self._artifacts = artifacts

    @contextmanager
    def run(self, run: Run) -> Iterator[tuple[str, str]]:
        """A run that is FINISHED after the block, FAILED if the block raised; gives run and experiment id."""
        experiment = self._experiment(run.experiment)
        started = int((run.started or time.time()) * 1000)
        made = self._client.create_run(experiment, start_time=started, tags={TAG_KIND: run.kind}, run_name=run.name)
        run_id: str = made.info.run_id
        status = "FAILED"
        try:
            self.log(run_id, run.metrics, {**_table_tags(run.data), **run.tags}, run.params)
            self._log_inputs(run_id, run.data)
            for path, text in run.artifacts.items():
                self._client.log_text(run_id, text, path)
            yield run_id, experiment
            status = "FINISHED"
        finally:
            self._client.set_terminated(run_id, status)

    def log(
        self, run_id: str, metrics: Mapping[str, float], tags: Mapping[str, str], params: Mapping[str, object]
    ) -> None:
        """Adds values under the names that MLflow takes; the tag ``TAG_NAME`` has those that it does not."""
        from mlflow.entities import Metric, Param, RunTag

        now = int(time.time() * 1000)
        renamed = {f"{TAG_NAME}{stored_name(key)}": key for key in (*metrics, *params) if stored_name(key) != key}
        values = [Metric(stored_name(key), float(value), now, 0) for key, value in metrics.items()]
        for some in _chunks(values, _METRICS):
            self._client.log_batch(run_id, metrics=some)
        for some in _chunks([Param(stored_name(key), _text(value)) for key, value in params.items()], _OTHERS):
            self._client.log_batch(run_id, params=some)
        for some in _chunks(
            [RunTag(stored_name(key), _text(value)) for key, value in {**tags, **renamed}.items()], _OTHERS
        ):
            self._client.log_batch(run_id, tags=some)

    def _log_inputs(self, run_id: str, data: Sequence[DataRef]) -> None:
        from mlflow.entities import DatasetInput, InputTag

        inputs = [DatasetInput(_dataset(ref), [InputTag("mlflow.data.context", ref.name)]) for ref in data]
        if inputs:
            self._client.log_inputs(run_id, inputs)

    def _experiment(self, name: str) -> str:
        from mlflow.exceptions import MlflowException

        found = self._client.get_experiment_by_name(name)
        if found is None:
            try:
                # A folder for each experiment, as trackers make them: whichever comes first decides.
                folder = re.sub(r"[^\w.-]+", "-", name).strip("-.") or "experiment"
                location = f"{self._artifacts}/{folder}" if self._artifacts else None
                made: str = self._client.create_experiment(name, artifact_location=location)
            except MlflowException as error:
                # Another driver made it meanwhile.
                if error.error_code != "RESOURCE_ALREADY_EXISTS":
                    raise
                found = self._client.get_experiment_by_name(name)
            else:
                return made
        experiment_id: str = found.experiment_id
        return experiment_id


def _chunks(values: Sequence[Any], size: int) -> Iterator[list[Any]]:
    rest = iter(values)
    while some := list(islice(rest, size)):
        yield some


def _text(value: object) -> str:
    # Text from file names may hold what no encoding takes.
    return str(value).encode("utf-8", "backslashreplace").decode()


def _table_tags(data: Sequence[DataRef]) -> dict[str, str]:
    return {f"{TAG_TABLE}{ref.name}": str(ref.table) for ref in data if ref.table is not None}


def _dataset(ref: DataRef) -> Any:
    from mlflow.entities import Dataset

    table = ref.table
    source = {} if table is None else {"path": table.path, "delta_table_version": table.version}
    profile = json.dumps({"num_rows": ref.rows})
    # MLflow keeps at most 36 characters of a digest.
    kind = "code" if table is None else "delta_table"
    return Dataset(ref.name, ref.digest[:36], kind, json.dumps(source), profile=profile)
