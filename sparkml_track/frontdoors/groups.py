"""The groups door: one model, or one small sweep, for each group of a data frame.

A group is a trial of one sweep: its attempts are isolated, retried and killed like any other's, and its child run has
the keys as params. Rows are shuffled by Spark once; slots map them and train, the largest group first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparkml_track import objective as objectives
from sparkml_track.engine.identity.objective_code import inner
from sparkml_track.engine.loop.progress import ProgressListener
from sparkml_track.engine.results.sweep_result import SweepResult
from sparkml_track.engine.spec.arguments import SweepArguments
from sparkml_track.engine.spec.spec import Failures, Tracking
from sparkml_track.executors import Resources
from sparkml_track.frontdoors._groups import table as tables
from sparkml_track.frontdoors._groups.checks import ROWS_METRIC, Asked
from sparkml_track.frontdoors._groups.scoring import Wanted, score
from sparkml_track.frontdoors._groups.table import COLUMNS, ResultTable, mounted, table_name
from sparkml_track.frontdoors._groups.training import train
from sparkml_track.home import Home
from sparkml_track.refs import TableRef
from sparkml_track.trial import Counts

if TYPE_CHECKING:
    import pandas
    from pyspark.sql import DataFrame

__all__ = ["GroupModels", "load_model", "predict_groups", "train_groups"]

_RESOURCES, _FAILURES, _TRACKING = Resources(), Failures(), Tracking()


@dataclass(frozen=True)
class GroupModels:
    """What ``train_groups`` made.

    Attributes:
        table: the version of the table of results.
        keys: its key columns.
        sweep_result: what ``sweep()`` returns: a trial for each group, the largest first.
    """

    table: TableRef
    keys: tuple[str, ...]
    sweep_result: SweepResult

    @property
    def counts(self) -> Counts:
        """How many groups finished, failed and so on."""
        return self.sweep_result.counts

    @property
    def run_id(self) -> str:
        """Of the parent run."""
        return self.sweep_result.run_id

    def to_pandas(self) -> pandas.DataFrame:
        """A row for each group, without the models."""
        rows = tables.read(self.table, [*self.keys, *(name for name in COLUMNS if name != "model")])
        return rows.to_pandas(maps_as_pydicts="strict")


def train_groups(  # noqa: PLR0913 - those of sweep(), and of groups
    df: DataFrame | pandas.DataFrame | Any,
    keys: str | Sequence[str],
    fn: Callable[..., Any],
    *,
    space: Mapping[str, object] | None = None,
    n_trials: int | None = None,
    sampler: str = "random",
    metric: str | None = None,
    direction: str = "minimize",
    max_rows: int | None = None,
    oversize: str = "refuse",
    timeout: float | None = None,
    table: str | Path | None = None,
    storage: str | Path | None = None,
    name: str | None = None,
    experiment: str | None = None,
    parallelism: int | None = None,
    seed: int | None = None,
    executor: str = "auto",
    isolation: str = "recycled",
    resume: str = "auto",
    resources: Resources = _RESOURCES,
    failures: Failures = _FAILURES,
    tracking: Tracking = _TRACKING,
    progress: ProgressListener | bool | None = None,
) -> GroupModels:
    """Trains one model for each group of rows, tracked as a parent run with a child run for each group.

    A group that raises, hangs or ends its process fails alone: its error is in its child run and in the table. Called
    again after a crash with the same data and arguments, it goes on, and trains no finished group again.

    Args:
        df: a data frame of Spark, classic or Connect; or of pandas, or an Arrow table, which need no Spark.
        keys: columns whose values make the groups; null is a value like any other, as in Spark's ``groupBy``. Whole
            numbers, text, booleans, dates, timestamps, decimals.
        fn: ``fn(pdf)``, called in a slot with the rows of a group as pandas data frame, all columns. Returns a model,
            ``(model, metrics)``, or a mapping of metrics. With ``space`` it is ``fn(pdf, params)``.
        space: a small sweep in each group, all in its slot: the best point's model and metrics count.
        n_trials: points of it. They are drawn here beforehand, by ``seed`` (0 if None), and the same for each group.
        sampler: of the points: "random", "quasi-random" or "grid".
        metric: what the points of a group are compared by, and what the parent run calls best; else every group has
            the metric ``rows``.
        direction: "minimize" or "maximize".
        max_rows: rows of a group from which on it is too large; None for no limit.
        oversize: what becomes of it: "refuse" (it fails, and says so) or "sample" (so many of its rows, drawn without
            replacement by the seed of its trial).
        timeout: seconds after which a group is killed.
        table: the Delta table of results: a name under the home's tables, or a path; by default the name of the
            sweep. Each training writes a version of all groups.
        storage: folder for rows and models on the way, and for models of 64 KiB and more, which stay files. It is
            mounted at the same path on the driver and all hosts; ``SPARKML_HOME``/groups by default.
        name: of the sweep; the function's by default.
        experiment: MLflow's; the sweep's name by default.
        parallelism: groups at one time; as many as there are slots by default.
        seed: of the trials' seeds, and of the points; drawn if None.
        executor: "auto" (Spark slots; for pandas "processes"), "resident", "jobs", "processes" or "inline".
        isolation: "recycled" or "fresh": a new process for each group.
        resume: "auto" goes on with an unfinished training, "never" starts anew, a sweep id goes on with that one.
        resources: of one slot.
        failures: how much is put up with.
        tracking: where runs go; ``Tracking(child_runs="none")`` for a parent run and the table alone.
        progress: called a few times a second with ``Progress``; by default shown on a terminal; False for none.

    Returns:
        The table and what the sweep found.

    Raises:
        InvalidInput: arguments are wrong; all problems at once, nothing started.
        DataError: the rows cannot be computed, there are none, or slots and driver do not share ``storage``.
        TableError: ``table`` is there and is not one of groups.
        LeaseHeld: another process trains these groups.
        SparkmlError: as ``sweep()`` raises.
    """
    name = name or objectives.name_of(inner(fn)).rpartition(".")[2]
    given = SweepArguments(
        objective=lambda trial: trial,
        space={"group": ""},
        name=name,
        experiment=experiment,
        metric=metric or ROWS_METRIC,
        direction=direction if metric else "maximize",
        parallelism=parallelism,
        seed=seed,
        executor=executor,
        isolation=isolation,
        resume=resume,
        resources=resources,
        failures=failures,
        tracking=tracking,
    )
    asked = Asked(
        data=df,
        keys=keys,
        fn=fn,
        space=space,
        n_trials=n_trials,
        sampler=sampler,
        max_rows=max_rows,
        oversize=oversize,
        timeout=timeout,
        sweep=given,
    )
    place = None if storage is None else mounted("storage", storage, "a folder")
    where = ResultTable.of(table_name(name) if table is None else table, Home.find())
    ref, result = train(asked, where, place, progress)
    return GroupModels(ref, tuple(tables.keys_of(ref)), result)


def predict_groups(  # noqa: PLR0913 - keywords, each with a default
    df: DataFrame,
    models: GroupModels | TableRef | str | Path,
    *,
    predict: Callable[[Any, pandas.DataFrame], Any] | None = None,
    features: Sequence[str] | None = None,
    output: str = "prediction",
    output_type: str = "double",
    missing: str = "null",
) -> DataFrame:
    """Scores rows, each with the model of its group, lazily.

    Models are unpickled in slots: score with tables of your own. The rows are shuffled by key once, and come out in
    another order; a group may be larger than memory. On Connect it works as on a classic session.

    Args:
        df: of Spark, with the key columns in the types of the table.
        models: what ``train_groups`` returned, or its table: a reference, a name or a path (then the newest version,
            pinned now).
        predict: ``predict(model, pdf)`` gives a value for each row of ``pdf``, rows of one group (a large one comes in
            several parts); by default ``model.predict`` of the columns it was fitted on.
        features: the columns that ``model.predict`` gets, where the model does not know them.
        output: the name of the new column.
        output_type: its type, as Spark writes it.
        missing: "null" gives null to rows whose group has no model, "error" fails when they are computed.

    Raises:
        SpecError: arguments are wrong; all problems at once.
        TableError: there is no such table.
    """
    return score(df, _reference(models), Wanted(predict, features, output, output_type, missing))


def load_model(models: GroupModels | TableRef | str | Path, key: object) -> Any:
    """Loads the model of one group.

    It is unpickled here, which executes what is in it: load from tables of your own alone.

    Args:
        models: as of ``predict_groups``.
        key: the value of the key, a tuple for several keys, or a mapping of key columns to values.

    Raises:
        SpecError: the key has another form.
        DataError: there is no such group, or it has no model; says why.
        TableError: there is no such table.
    """
    return tables.load(_reference(models), key)


def _reference(models: GroupModels | TableRef | str | Path) -> TableRef:
    if isinstance(models, GroupModels):
        return models.table
    return models if isinstance(models, TableRef) else ResultTable.of(models, Home.find()).latest()
