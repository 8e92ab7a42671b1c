"""Runs that are not sweeps, as the one writer of runs takes them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sparkml_track.adapters.mlflow.datasets import inputs_of
from sparkml_track.adapters.mlflow.experiments import find_experiment
from sparkml_track.adapters.mlflow.names import stored_name
from sparkml_track.adapters.mlflow.values import MAX_PARAM, MAX_TAG, clipped, millis, origin_tags, point
from sparkml_track.refs import DataRef, ModelRef
from sparkml_track.registries._base import Run, VersionFacts
from sparkml_track.schema import TAG_KIND, TAG_NAME, TAG_TABLE

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run as MlflowRun
    from mlflow.entities.model_registry import ModelVersion

__all__ = ["RunRecorder", "facts_of"]


class RunRecorder:
    """Records runs whole.

    Args:
        uri: of the tracking store.
        client: MLflow's for it.
        artifacts: where new experiments keep their artifacts; None leaves it to the store.
    """

    def __init__(self, uri: str, client: MlflowClient, artifacts: str | None) -> None:
        from sparkml_track.adapters.mlflow.runs import RunWriter

        self._client = client
        self._artifacts = artifacts
        self._writer = RunWriter(uri, client)

    @contextmanager
    def run(self, run: Run) -> Iterator[tuple[str, str]]:
        """A run that is FINISHED after the block, FAILED if the block raised; gives run and experiment id."""
        from sparkml_track.adapters.mlflow.errors import tried_again

        experiment = tried_again(lambda: find_experiment(self._client, run.experiment, self._artifacts))
        tags = {TAG_KIND: run.kind, **origin_tags(run.name)}
        run_id, _ = self._writer.create(experiment, millis(run.started or time.time()), tags)
        status = "FAILED"
        try:
            self.log(run_id, run.metrics, {**_table_tags(run.data), **run.tags}, run.params)
            self._writer.log_inputs(run_id, inputs_of(run.data))
            for path, text in run.artifacts.items():
                self._client.log_text(run_id, text, path)
            yield run_id, experiment
            status = "FINISHED"
        finally:
            self._writer.end(run_id, status, millis(time.time()))

    def log(
        self, run_id: str, metrics: Mapping[str, float], tags: Mapping[str, str], params: Mapping[str, object]
    ) -> None:
        """Adds values under the names that MLflow takes; the tag ``TAG_NAME`` has those that it does not."""
        renamed = {f"{TAG_NAME}{stored_name(key)}": key for key in (*metrics, *params) if stored_name(key) != key}
        now = millis(time.time())
        self._writer.log(
            run_id,
            {stored_name(key): clipped(value, MAX_PARAM) for key, value in params.items()},
            [point(key, value, now, 0) for key, value in metrics.items()],
            {stored_name(key): clipped(value, MAX_TAG) for key, value in {**tags, **renamed}.items()},
        )


def facts_of(ref: ModelRef, version: ModelVersion, aliases: tuple[str, ...], run: MlflowRun) -> VersionFacts:
    """A version and its run as MLflow has them, under the names that were given."""
    tags = run.data.tags
    given = {key.removeprefix(TAG_NAME): name for key, name in tags.items() if key.startswith(TAG_NAME)}
    return VersionFacts(
        ref=ref,
        created=version.creation_timestamp / 1000,
        description=version.description or "",
        aliases=aliases,
        tags=dict(version.tags),
        params={given.get(key, key): value for key, value in run.data.params.items()},
        metrics={given.get(key, key): value for key, value in run.data.metrics.items()},
        data={key.removeprefix(TAG_TABLE): table for key, table in tags.items() if key.startswith(TAG_TABLE)},
        run_tags={given.get(key, key): tag for key, tag in tags.items() if not key.startswith((TAG_TABLE, TAG_NAME))},
    )


def _table_tags(data: Sequence[DataRef]) -> dict[str, str]:
    return {f"{TAG_TABLE}{ref.name}": str(ref.table) for ref in data if ref.table is not None}
