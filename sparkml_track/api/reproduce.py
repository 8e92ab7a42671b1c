"""``reproduce()``: a trial of a sweep of the past, executed again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sparkml_track.api.provenance import environment_tags
from sparkml_track.engine.audit.reproduce import Reproduced, execute_again, number_of
from sparkml_track.engine.identity.data_digest import materialised
from sparkml_track.engine.identity.fingerprint import ingredients
from sparkml_track.engine.results.history import History
from sparkml_track.engine.spec.units import planned_units
from sparkml_track.executors import Work, open_executor
from sparkml_track.home import Home
from sparkml_track.journals import read
from sparkml_track.refs import DataRef

if TYPE_CHECKING:
    from sparkml_track.api.session import SparkSession

__all__ = ["Material", "again", "reproduce"]


def reproduce(
    sweep: str,
    objective: Callable[..., object],
    *,
    data: Mapping[str, object] | None = None,
    trial: int | None = None,
    home: str | Path | None = None,
    spark: SparkSession | None = None,
) -> Reproduced:
    """Executes a trial again with its params and its seed, in a process of its own, and compares its metrics.

    Args:
        sweep: the id of a sweep whose journal is in the home.
        objective: the same as of the sweep; what has changed since is listed in the result.
        data: likewise.
        trial: its number; the best one by default.
        home: the state folder; as in ``sweep`` by default.
        spark: the session, for a sweep whose objective uses Spark itself (``executor="driver"``).

    Returns:
        What it was and what it is: see ``compared()``. Nothing is tracked.

    Raises:
        InvalidInput: the trial did not finish, or there is no best one.
        JournalError: there is no such sweep.
        ExecutorError: the trial could not be executed.
    """
    root = Home.find(home).root
    return again(root, sweep, Material(objective, data or {}), trial, spark)


@dataclass(frozen=True, slots=True)
class Material:
    """What a trial is executed with.

    Attributes:
        objective: the sweep's.
        data: for it, by name.
        inputs: what ``data`` came from, if its table versions are known.
        code: folders that the objective is imported from.
    """

    objective: Callable[..., object]
    data: Mapping[str, object]
    inputs: Sequence[DataRef] = ()
    code: Sequence[str] = ()


def again(home: Path, sweep: str, material: Material, trial: int | None, spark: SparkSession | None) -> Reproduced:
    """The same with all there may be to say."""
    past = History.of(read(home, sweep))
    number = number_of(past, sweep, trial)
    own = past.begun.spec.described.get("executor") == "driver"
    data = {name: value if own else materialised(name, value) for name, value in material.data.items()}
    now = ingredients(material.objective, data, material.inputs, environment_tags())
    metric = [goal.metric for goal in past.goals]
    gang = planned_units(past.begun.spec.described.get("units")).gang
    work = Work(material.objective, metric, data, material.code, isolation="fresh", parallelism=gang, gang=gang)
    executor = open_executor("driver" if own else "processes", work, spark)
    return execute_again(past, sweep, number, executor, now)
