"""Runs, written through MLflow's public client: the one writer of parent runs, child runs and runs of models."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TypeVar

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, Run, RunTag

from sparkml_track.adapters.mlflow import rest
from sparkml_track.adapters.mlflow.datasets import Input, dataset_inputs
from sparkml_track.adapters.mlflow.errors import OddAnswer
from sparkml_track.adapters.mlflow.values import Point

__all__ = ["RunWriter"]

Item = TypeVar("Item")

# A request of log_batch takes 1,000 metrics, 100 params, 100 tags and 1 MB; long values in wide characters fill that.
_METRICS, _PARAMS, _TAGS = 500, 25, 50


class RunWriter:
    """Writes runs. Names and values are given as they are stored (see ``values``); foreign errors pass.

    Args:
        uri: of the tracking store.
        client: MLflow's for the same store.
    """

    def __init__(self, uri: str, client: MlflowClient) -> None:
        self._uri = uri
        self._client = client
        self._server = rest.is_server(uri)

    def create(self, experiment_id: str, started: int, tags: Mapping[str, str]) -> tuple[str, str]:
        """Makes a run; not to be repeated by itself, since an answer may be lost.

        Args:
            experiment_id: where.
            started: milliseconds since the epoch.
            tags: with ``mlflow.runName`` and ``mlflow.user``.

        Returns:
            The run id and the location of its artifacts.
        """
        if self._server:
            return rest.create_run(self._uri, experiment_id, started, tags)
        run = self._client.create_run(experiment_id, started, dict(tags), tags.get("mlflow.runName"))
        return run.info.run_id, run.info.artifact_uri

    def get(self, run_id: str) -> Run:
        """A run as it is stored, deleted ones too."""
        run = self._client.get_run(run_id)
        if run.info.run_id != run_id:
            raise OddAnswer(f"The tracking server was asked for the run {run_id} and answered without it.")
        return run

    def log(self, run_id: str, params: Mapping[str, str], points: Iterable[Point], tags: Mapping[str, str]) -> None:
        """Adds values. MLflow refuses to change a param; metrics and tags may be given again."""
        metrics = _parts([Metric(one.key, one.number, one.timestamp, one.step) for one in points], _METRICS)
        entities = _parts([Param(name, value) for name, value in params.items()], _PARAMS)
        labels = _parts([RunTag(name, value) for name, value in tags.items()], _TAGS)
        self._client.log_batch(run_id, next(metrics, []), next(entities, []), next(labels, []))
        for some in metrics:
            self._client.log_batch(run_id, metrics=some)
        for other in entities:
            self._client.log_batch(run_id, params=other)
        for label in labels:
            self._client.log_batch(run_id, tags=label)

    def log_inputs(self, run_id: str, data: Sequence[Input]) -> None:
        """Adds dataset inputs."""
        if data:
            self._client.log_inputs(run_id, datasets=dataset_inputs(data))

    def end(self, run_id: str, status: str, ended: int | None) -> None:
        """Sets the status, and with a time in milliseconds the end."""
        if ended is None:
            self._client.update_run(run_id, status=status)
        elif self._server:
            rest.end_run(self._uri, run_id, status, ended)
        else:
            self._client.set_terminated(run_id, status, ended)


def _parts(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    rest_of_them = iter(items)
    while some := list(islice(rest_of_them, size)):
        yield some
