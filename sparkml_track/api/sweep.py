"""Where the parts come together: ``sweep()``, with a session, a home and the user's arguments."""

from __future__ import annotations

import logging
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sparkml_track import schema
from sparkml_track.adapters.mlflow.links import runs_link, server_of
from sparkml_track.adapters.spark.errors import check_session
from sparkml_track.api.data import given_data
from sparkml_track.api.progress.showing import display
from sparkml_track.api.provenance import code_tags, environment_files, environment_tags, in_cluster_mode, spark_tags
from sparkml_track.api.session import local_or_active
from sparkml_track.api.tracked_where import tracked_where
from sparkml_track.engine.audit.left_behind import end_left_behind
from sparkml_track.engine.loop.progress import ProgressListener
from sparkml_track.engine.results.sweep_result import SweepResult
from sparkml_track.engine.run import run_sweep
from sparkml_track.engine.spec.arguments import SweepArguments
from sparkml_track.engine.spec.check import check
from sparkml_track.engine.spec.spec import Failures, Tracking
from sparkml_track.engine.surroundings import Surroundings
from sparkml_track.executors import Resources
from sparkml_track.home import Home
from sparkml_track.samplers import Sampler
from sparkml_track.space import Space

if TYPE_CHECKING:
    from sparkml_track.api.session import SparkSession

__all__ = ["run", "sweep"]

_log = logging.getLogger(__name__)
_RESOURCES, _FAILURES, _TRACKING = Resources(), Failures(), Tracking()


def sweep(  # noqa: PLR0913 - the one public function whose arguments are the product
    objective: Callable[..., object],
    space: Mapping[str, object] | Space,
    *,
    name: str | None = None,
    experiment: str | None = None,
    metric: str | Sequence[str] = "loss",
    direction: str | Sequence[str] = "minimize",
    sampler: str | Mapping[str, Any] | Sampler = "tpe",
    pruner: object = None,
    max_trials: int | None = None,
    timeout: float | None = None,
    trial_timeout: float | None = None,
    target: float | None = None,
    patience: int | None = None,
    parallelism: int | None = None,
    gang: int = 1,
    seed: int | None = None,
    data: Mapping[str, object] | None = None,
    points_to_evaluate: Sequence[Mapping[str, object]] = (),
    warm_start: str | None = None,
    executor: str = "auto",
    isolation: str = "recycled",
    deterministic: bool = False,
    resume: str = "auto",
    resources: Resources = _RESOURCES,
    failures: Failures = _FAILURES,
    tracking: Tracking = _TRACKING,
    autolog: bool | Sequence[str] | Mapping[str, Mapping[str, object]] = False,
    spark: SparkSession | None = None,
    progress: ProgressListener | bool | None = None,
) -> SweepResult:
    """Searches for the parameters that make ``objective`` best, on Spark, tracked in MLflow.

    Args:
        objective: called with a trial (see ``sparkml_track.Trial``); returns the value of ``metric``, or a mapping of
            metrics that holds it.
        space: names to distributions (``st.uniform`` ...), nested mappings and plain values.
        name: of the sweep; the objective's name by default.
        experiment: MLflow's; the sweep's name by default.
        metric: what is optimised; several for several objectives.
        direction: "minimize" or "maximize", one for all or one for each metric.
        sampler: "tpe", "random", "grid" and others, a mapping of one of them to its settings, or a ``Sampler``; see
            ``sparkml_track.samplers``.
        pruner: "median", "asha" and others, a mapping of one of them to its settings, or None.
        max_trials: how many trials; one of this and ``timeout`` must be given, but for a sampler that
            ends by itself, as a grid does.
        timeout: seconds after which no trial is started and those that run are ended.
        trial_timeout: seconds after which a trial is killed.
        target: the sweep ends when the best value is as good as this; trials that run then are ended.
        patience: the sweep ends when so many trials have ended since the best value became better.
        parallelism: trials at one time; as many as there are slots by default.
        gang: slots of each trial: the objective runs as so many processes at one time, each in a slot, which find each
            other as those that torchrun starts; see the guide "gangs".
        seed: of sampler and trials; drawn and recorded if None.
        data: what the objective reads as ``trial.data[name]``, equal to what is given: a version of a table
            (``tables.pin(name)``) as an Arrow table, and a dataset of the parent run; numpy arrays, masked ones and
            scipy sparse matrices (read-only there), Arrow tables, pandas data frames and series, Spark data frames (as
            Arrow tables; on executor "driver" as they are) are shipped once to each host and memory-mapped there; any
            other object that can be pickled is shipped once too, and unpickled by each attempt that reads it.
        points_to_evaluate: the first trials, in the shape of the space or flattened with dots.
        warm_start: the id of an earlier sweep, or of its parent run: the sampler learns its finished trials, if they
            are of this space and have this metric. They are not trials of this sweep.
        executor: "auto", "resident" or "jobs" (Spark slots), "driver" (threads, for objectives that use Spark
            themselves), "processes" (this host, without Spark) or "inline" (this process).
        isolation: "recycled" or "fresh": a new process for each trial.
        deterministic: the same trials for the same seed, whatever the timing; costs some quality.
        resume: "auto" goes on with an unfinished sweep of this name, "never" starts anew, a sweep id goes on with it.
        resources: of one slot.
        failures: how much is put up with.
        tracking: where runs go.
        autolog: what MLflow logs by itself in trials: True for every library it knows, names ("sklearn", "xgboost" ...)
            or a mapping of names to options of their ``autolog``. Each is switched on when the trial imports it, by
            default without models.
        spark: the session; the active one by default, else a local one.
        progress: called a few times a second with ``Progress``; by default shown in a notebook, on a
            terminal, or in the log; False for none.

    Returns:
        What was found, with the ids of the runs.

    Raises:
        InvalidInput: arguments are wrong; all problems at once, nothing started.
        SparkmlError: as its subclasses say.
    """
    given = SweepArguments(
        objective=objective,
        space=space,
        name=name,
        experiment=experiment,
        metric=metric,
        direction=direction,
        sampler=sampler,
        pruner=pruner,
        max_trials=max_trials,
        timeout=timeout,
        trial_timeout=trial_timeout,
        target=target,
        patience=patience,
        parallelism=parallelism,
        gang=gang,
        seed=seed,
        data=data,
        points_to_evaluate=points_to_evaluate,
        warm_start=warm_start,
        executor=executor,
        isolation=isolation,
        deterministic=deterministic,
        resume=resume,
        resources=resources,
        failures=failures,
        tracking=tracking,
        autolog=autolog,
    )
    home = Home.find()
    return run(given, home, lambda: spark or local_or_active(home=home), progress=progress)


def run(
    given: SweepArguments,
    home: Home,
    session: Callable[[], SparkSession],
    *,
    progress: ProgressListener | bool | None = None,
    **more: Any,
) -> SweepResult:
    """Runs a sweep from its arguments.

    Args:
        given: the arguments of ``sweep``; all problems are reported before anything starts.
        home: the state folder; made if missing.
        session: gives the Spark session, if the executor needs one.
        progress: see ``sweep``.
        more: further fields of ``Surroundings``. Versions of tables that data is read from, or comes from as far as it
            says so itself, are ``inputs`` and ``made_from`` by default.
    """
    read = given_data(given.data)
    given, nested = tracked_where(replace(given, data=read.data or given.data))
    more = {"inputs": read.inputs, "made_from": read.made_from, **more}
    spec = check(given)
    data = given.data if isinstance(given.data, Mapping) else {}
    found = None if spec.executor in ("inline", "processes") else session()
    if found is not None:
        check_session(found)
    if in_cluster_mode(found):
        home.keep(tracked=spec.tracking.uri is not None)
    home.make()
    why = more.get("origin", {}).get("why")
    began = {schema.TAG_RETRAIN: why} if why else {}
    tags = {**environment_tags(), **code_tags(more.get("code", ())), **spark_tags(found), **nested, **began}
    if "once" in more.get("origin", {}):
        for sentence in end_left_behind(home.root, spec.name):
            _log.warning("%s", sentence)
    with display(spec.name, progress) as shown:
        files = environment_files(found)
        around = Surroundings(home.root, found, data, tags=tags, files=files, listener=shown, asked=shown.asked, **more)
        result = run_sweep(spec, around)
    shown.ended(_last_lines(result, home))
    return result


def _last_lines(result: SweepResult, home: Home) -> list[str]:
    """What it found, and where a person sees it. A resumed sweep is where it began, whatever this call says."""
    report = f"report: {result.report_path}"
    if result.tracked == "memory:":
        return [repr(result).strip("<>"), report]
    server, to_start = server_of(result.tracked)
    link = runs_link(server, result.experiment_id, result.run_id)
    shown = f"`{_starts_ui(result.tracked, home)}` shows it at {link}" if to_start else f"MLflow shows it at {link}"
    return [repr(result).strip("<>"), f"{shown}; {report}"]


def _starts_ui(tracked: str | None, home: Home) -> str:
    """The command that opens MLflow's UI on a store."""
    if tracked is not None and tracked != home.tracking_uri:
        return f"sparkml-track server --store {shlex.quote(tracked)}"
    here = Home.find().root == home.root
    return "sparkml-track ui" if here else f"SPARKML_HOME={shlex.quote(home.place)} sparkml-track ui"
