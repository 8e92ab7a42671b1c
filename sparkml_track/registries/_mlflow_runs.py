"""Runs that are no sweep, written through MLflow's client."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any

from sparkml_track.adapters.mlflow.datasets import dataset_inputs
from sparkml_track.adapters.mlflow.experiments import find_experiment
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
        experiment = find_experiment(self._client, run.experiment, self._artifacts)
        started = int((run.started or time.time()) * 1000)
        made = self._client.create_run(experiment, start_time=started, tags={TAG_KIND: run.kind}, run_name=run.name)
        run_id: str = made.info.run_id
        status = "FAILED"
        try:
            self.log(run_id, run.metrics, {**_table_tags(run.data), **run.tags}, run.params)
            if run.data:
                self._client.log_inputs(run_id, datasets=dataset_inputs(run.data))
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


def _chunks(values: Sequence[Any], size: int) -> Iterator[list[Any]]:
    rest = iter(values)
    while some := list(islice(rest, size)):
        yield some


def _text(value: object) -> str:
    # Text from file names may hold what no encoding takes.
    return str(value).encode("utf-8", "backslashreplace").decode()


def _table_tags(data: Sequence[DataRef]) -> dict[str, str]:
    return {f"{TAG_TABLE}{ref.name}": str(ref.table) for ref in data if ref.table is not None}
