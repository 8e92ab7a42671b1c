"""MLflow's tracking store in a slot: ``mlflow`` is the run of the trial that executes there.

MLflow imports this when an objective first uses it: the template puts an entry point for the scheme ``sparkml`` on
``sys.path``, and the environment of slots names that scheme. Nothing is stored here: values go to the driver, files to
the trial's ``artifact_dir``. What a run has is kept as long as the attempt, as MLflow reads it back.
"""

from __future__ import annotations

import os
import sys
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

from mlflow.entities import (
    LoggedModel,
    LoggedModelStatus,
    Metric,
    Param,
    Run,
    RunData,
    RunInfo,
    RunStatus,
    RunTag,
)
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE, RESOURCE_DOES_NOT_EXIST
from mlflow.store.entities.paged_list import PagedList

from ._mlflow_kept import EXPERIMENT, Kept, OneExperiment, end_runs, keep_clients, number, refused
from .attempt.run_log import NESTED, NESTED_RUNS, Recorder, current

__all__ = ["TrialStore", "registry"]

_PARENT = "mlflow.parentRunId"
#: Tags that the driver writes; a trial's own are left out.
_OURS = ("sparkml", "mlflow.user", "mlflow.source.", _PARENT)
_PREFIX = "logged."


def registry(*_: object, **__: object) -> Any:
    """What MLflow gets in place of a model registry.

    Raises:
        MlflowException: always; says what to do instead.
    """
    raise MlflowException(
        "a trial has no model registry: log the model with name=..., and register it after the sweep, with "
        "mlflow.register_model or the register section of a config file",
        INVALID_PARAMETER_VALUE,
    )


class TrialStore(OneExperiment):
    """See the module. Threads: any.

    Args:
        store_uri: MLflow's.
        artifact_uri: likewise.
        now: the attempt that it is for.
        nested: what becomes of nested runs; by default as the environment says.
        leave: called at the end of an attempt.
    """

    def __init__(
        self,
        store_uri: str = "",
        artifact_uri: str = "",
        now: Callable[[], Recorder] = current,
        nested: str = "",
        leave: Callable[[], None] = end_runs,
    ) -> None:
        super().__init__()
        self._now, self._leave = now, leave
        self._lock = threading.RLock()
        self._of: Recorder | None = None
        self._runs: dict[str, Kept] = {}
        self._models: dict[str, LoggedModel] = {}
        if now is current:  # a process of a slot, whose MLflow is ours alone
            keep_clients()
        self._nested = nested or os.environ.get(NESTED_RUNS, "keep")

    def has(self, identity: str) -> bool:
        """Whether this is the id of a run or of a model of the attempt."""
        return identity in self._runs or identity in self._models

    def _trial(self) -> Recorder:
        """The attempt that executes now; a new one finds nothing of the last."""
        recorder = self._now()
        if recorder is not self._of:
            self._of, self._models = recorder, {}
            self._runs = {
                recorder.run_id: Kept(recorder.run_id, "trial", recorder.started, dict(recorder.params)),
            }
            recorder.closers.append(self.shut_down_async_logging)
            recorder.closers.append(self._leave)
        return recorder

    def _kept(self, run_id: str) -> Kept:
        trial = self._trial()
        if run_id not in self._runs:
            raise MlflowException(
                f"There is no run {run_id!r} in a trial, which sees its own run alone ({trial.run_id}); look at other "
                "runs when the sweep has ended.",
                RESOURCE_DOES_NOT_EXIST,
            )
        return self._runs[run_id]

    # -- runs

    def get_run(self, run_id: str) -> Run:
        """See ``AbstractStore``."""
        with self._lock:
            kept = self._kept(run_id)
            data = RunData(
                kept.latest(),
                [Param(name, value) for name, value in kept.params.items()],
                [RunTag(name, value) for name, value in {**kept.tags, "mlflow.runName": kept.name}.items()],
            )
            return Run(self._info(kept), data)

    def _info(self, kept: Kept) -> RunInfo:
        trial = self._trial()
        nested = "" if kept.run_id == trial.run_id else f"/nested/{kept.run_id}"
        running = RunStatus.to_string(RunStatus.RUNNING)
        where = f"file://{trial.artifact_dir}{nested}"
        return RunInfo(kept.run_id, EXPERIMENT, "", running, int(kept.started * 1000), None, "active", where, kept.name)

    def create_run(self, experiment_id: Any, user_id: Any, start_time: Any, tags: Any, run_name: Any) -> Run:
        """The trial's own run, again and again; or one nested in it, as the sweep wants such."""
        with self._lock:
            trial = self._trial()
            given = {tag.key: tag.value for tag in tags or ()}
            run_id = trial.run_id
            if given.get(_PARENT) in self._runs and self._nested != "merge":
                run_id = self._new_nested(given[_PARENT], run_name, start_time)
            self._tag(run_id, given)
            return self.get_run(run_id)

    def _new_nested(self, parent: str, name: str | None, started: int | None) -> str:
        if self._nested == "refuse":
            raise refused("nest runs, since the sweep's tracking has nested='refuse'")
        kept = Kept(uuid.uuid4().hex, name or "nested", started / 1000 if started else time.time(), {})
        self._runs[kept.run_id] = kept
        if len(self._runs) - 1 > NESTED:
            if len(self._runs) - 2 == NESTED:
                sys.stderr.write(f"sparkml: this trial nests more than {NESTED} runs; the others are not kept\n")
        else:
            kept.sent = True
            self._trial().add([["n", kept.run_id, kept.name, parent, int(kept.started * 1000)]])
        return kept.run_id

    def update_run_info(self, run_id: str, run_status: Any, end_time: Any, run_name: str | None) -> RunInfo:
        """How the trial ended is the driver's to say; how a nested run did is its own."""
        with self._lock:
            kept = self._kept(run_id)
            if run_name:
                kept.name = run_name
            ended = None if run_status is None else RunStatus.to_string(run_status)
            if kept.sent and ended is not None and RunStatus.is_terminated(run_status):
                self._trial().add([["e", run_id, ended, int(end_time or time.time() * 1000)]])
            return self._info(kept)

    def delete_run(self, run_id: str) -> None:
        """See ``AbstractStore``."""
        raise refused("delete runs")

    def restore_run(self, run_id: str) -> None:
        """See ``AbstractStore``."""
        raise refused("restore runs")

    def _search_runs(self, *_: object, **__: object) -> tuple[list[Run], None]:
        return [], None

    # -- values

    def log_batch(self, run_id: str, metrics: Any, params: Any, tags: Any) -> None:
        """See ``AbstractStore``."""
        with self._lock:
            if params:
                self._param(run_id, {param.key: str(param.value) for param in params})
            if metrics:
                self._metric(run_id, metrics)
            if tags:
                self._tag(run_id, {tag.key: str(tag.value) for tag in tags})

    def log_metric(self, run_id: str, metric: Metric) -> None:
        """See ``AbstractStore``."""
        with self._lock:
            self._metric(run_id, [metric])

    def log_param(self, run_id: str, param: Param) -> None:
        """See ``AbstractStore``."""
        self.log_batch(run_id, [], [param], [])

    def set_tag(self, run_id: str, tag: RunTag) -> None:
        """See ``AbstractStore``."""
        self.log_batch(run_id, [], [], [tag])

    def _param(self, run_id: str, params: dict[str, str]) -> None:
        kept, new = self._kept(run_id), {}
        for name, value in params.items():
            free = self._free(kept, name, value)
            if kept.params.setdefault(free, value) != value:
                raise MlflowException(
                    f"The param {free!r} is {kept.params[free][:100]!r} and cannot become {value[:100]!r}.",
                    INVALID_PARAMETER_VALUE,
                )
            new[free] = value
        self._send(run_id, [["p", name, value] for name, value in new.items()], sum(map(len, new.values())))

    def _free(self, kept: Kept, name: str, value: str) -> str:
        """A name for a param that the space has with another value."""
        trial = self._trial()
        if kept.run_id != trial.run_id or trial.params.get(name, value) == value:
            return name
        if _PREFIX + name not in kept.params:
            said = f"sparkml: param {name!r} is {trial.params[name]!r} in this trial; the value logged through MLflow"
            sys.stderr.write(f"{said} is kept as {_PREFIX + name!r}\n")
        return _PREFIX + name

    def _metric(self, run_id: str, metrics: list[Metric]) -> None:
        kept = self._kept(run_id)
        for one in metrics:
            kept.history.setdefault(one.key, []).append(one)
        self._send(run_id, [["m", one.key, number(one.value), one.timestamp, one.step] for one in metrics])

    def _tag(self, run_id: str, tags: dict[str, str]) -> None:
        kept = self._kept(run_id)
        kept.name = tags.get("mlflow.runName") or kept.name
        mine = {name: value for name, value in tags.items() if not name.startswith(_OURS)}
        kept.tags |= mine
        self._send(run_id, [["t", name, value] for name, value in mine.items()], sum(map(len, mine.values())))

    def _send(self, run_id: str, values: list[list[object]], text: int = 0) -> None:
        trial = self._trial()
        if values and run_id == trial.run_id:
            trial.add(values, text)
        elif values and self._runs[run_id].sent:
            trial.add([["r", run_id, value] for value in values], text)

    def get_metric_history(self, run_id: str, metric_key: str, max_results: Any = None, page_token: Any = None) -> Any:
        """See ``AbstractStore``."""
        with self._lock:
            return PagedList(self._kept(run_id).history.get(metric_key, []), None)

    # -- data

    def log_inputs(self, run_id: str, datasets: Any = None, models: Any = None) -> None:
        """See ``AbstractStore``."""
        for one in datasets or ():
            data, tags = one.dataset, {tag.key: tag.value for tag in one.tags}
            fields = [data.name, data.digest, data.source_type, data.source, data.schema, data.profile]
            self._send(run_id, [["d", *fields, tags]], sum(len(each or "") for each in fields))

    def log_outputs(self, run_id: str, models: Any) -> None:
        """See ``AbstractStore``; a model is found by its files."""

    # -- models

    def create_logged_model(
        self,
        experiment_id: str,
        name: str | None = None,
        source_run_id: str | None = None,
        tags: Any = None,
        params: Any = None,
        model_type: str | None = None,
    ) -> LoggedModel:
        """A model below the trial's artifacts."""
        with self._lock:
            trial, model_id, now = self._trial(), f"m-{uuid.uuid4().hex}", int(time.time() * 1000)
            where = f"file://{trial.artifact_dir}/models/{model_id}/artifacts"
            model = LoggedModel(
                EXPERIMENT,
                model_id,
                name or model_id,
                where,
                now,
                now,
                model_type,
                source_run_id or trial.run_id,
                LoggedModelStatus.PENDING,
                tags={tag.key: tag.value for tag in tags or ()},
                params={param.key: param.value for param in params or ()},
            )
            self._models[model_id] = model
            return model

    def get_logged_model(self, model_id: str, allow_deleted: bool = False) -> LoggedModel:
        """See ``AbstractStore``."""
        with self._lock:
            self._trial()
            if model_id not in self._models:
                raise MlflowException(f"This trial has logged no model {model_id!r}.", RESOURCE_DOES_NOT_EXIST)
            return self._models[model_id]

    def finalize_logged_model(self, model_id: str, status: LoggedModelStatus) -> LoggedModel:
        """See ``AbstractStore``."""
        model = self.get_logged_model(model_id)
        model.status = status
        self._send_model(model)
        return model

    def _send_model(self, model: LoggedModel) -> None:
        """Again after each change; the last one counts."""
        if model.status != LoggedModelStatus.PENDING and model.source_run_id == self._trial().run_id:
            about = [model.model_id, model.name, model.model_type, model.status.to_int()]
            times = [model.creation_timestamp, int(time.time() * 1000)]
            self._trial().add([["l", *about, *times, model.source_run_id, dict(model.tags), dict(model.params)]])

    def set_logged_model_tags(self, model_id: str, tags: Any) -> None:
        """See ``AbstractStore``."""
        model = self.get_logged_model(model_id)
        model.tags.update({tag.key: tag.value for tag in tags})
        self._send_model(model)

    def log_logged_model_params(self, model_id: str, params: Any) -> None:
        """See ``AbstractStore``."""
        model = self.get_logged_model(model_id)
        model.params.update({param.key: param.value for param in params})
        self._send_model(model)

    def link_traces_to_run(self, trace_ids: Any, run_id: Any) -> None:
        """See ``AbstractStore``; a trial keeps no traces."""
