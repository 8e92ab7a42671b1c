"""What ``optimize`` was called with, checked, and as the arguments of a sweep."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import optuna

from sparkml_track.adapters.spark.errors import check_session
from sparkml_track.api.session import local_or_active
from sparkml_track.engine.spec.arguments import SweepArguments
from sparkml_track.engine.spec.spec import Failures, Tracking
from sparkml_track.errors import SetupError, SpecError
from sparkml_track.executors import Resources
from sparkml_track.frontdoors._optuna import studies
from sparkml_track.frontdoors._optuna.ends import Callback
from sparkml_track.frontdoors._optuna.objective import Objective
from sparkml_track.frontdoors._optuna.search import Search, StudyPruner, directions_of, metric_of
from sparkml_track.home import Home
from sparkml_track.objective import name_of
from sparkml_track.space import Space
from sparkml_track.space.tree import Group

if TYPE_CHECKING:
    from sparkml_track.api.session import SparkSession

__all__ = ["Asked", "Slots"]

#: Those whose trials can ask the driver.
_EXECUTORS = ("auto", "resident", "driver", "processes", "inline")
_WAYS = "allowed are 'auto', 'resident' (both on a session with a SparkContext), 'driver', 'processes' and 'inline'"
#: Characters of a sweep's name.
_NAME = 200


@dataclass(frozen=True, slots=True)
class Slots:
    """Where trials are executed."""

    executor: str = "auto"
    session: SparkSession | None = None
    isolation: str = "recycled"
    resources: Resources = field(default_factory=Resources)
    failures: Failures = field(default_factory=Failures)
    trial_timeout: float | None = None

    def open(self) -> SparkSession:
        """The session: the given one, else the active one, else a local one.

        Raises:
            SetupError: it was stopped, or is of Spark Connect; or Spark does not start.
        """
        if self.session is not None:
            check_session(self.session, "spark")
        session = self.session or local_or_active(home=Home.find())
        if type(session).__module__.startswith("pyspark.sql.connect") and self.executor != "driver":
            raise SetupError(
                "trials of an Optuna study ask the driver while they run, which Spark Connect cannot carry; pass a "
                "session with a SparkContext, or executor='processes' or 'driver' (trials on this host), or describe "
                "the space in full and use sparkml_track.sweep(..., sampler='optuna-tpe')"
            )
        return session


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What to search, and how; see ``optimize``."""

    study: optuna.Study
    objective: Callable[[Any], Any]
    n_trials: int | None
    timeout: float | None
    n_jobs: int | None
    catch: tuple[type[BaseException], ...] = ()
    callbacks: tuple[Callback, ...] = ()
    collect: bool = False
    bar: bool = False
    name: str | None = None
    experiment: str | None = None
    tracking: Tracking = field(default_factory=Tracking)

    def check(self, slots: Slots) -> None:
        """Looks at what the sweep does not.

        Raises:
            SpecError: one sentence for each problem.
        """
        problems: list[str] = []
        study, n_jobs = (getattr(self, name) for name in ("study", "n_jobs"))  # anything, whatever the types say
        if not isinstance(study, optuna.Study):
            problems.append(f"study is a {type(study).__name__}; allowed is what optuna.create_study() gives")
        if n_jobs is not None and not (isinstance(n_jobs, int) and (n_jobs >= 1 or n_jobs == -1)):
            problems.append(f"n_jobs is {n_jobs!r}; allowed are 1 or more, and None or -1 for all slots")
        kinds: tuple[object, ...] = self.catch
        wrong = [kind for kind in kinds if not isinstance(kind, type) or not issubclass(kind, BaseException)]
        problems += [f"catch has {kind!r:.80}; allowed are classes of exceptions" for kind in wrong]
        if slots.executor not in _EXECUTORS:
            problems.append(f"executor is {slots.executor!r}, whose trials cannot ask the driver; {_WAYS}")
        if problems:
            raise SpecError(*problems)

    def arguments(self, slots: Slots, search: Search) -> SweepArguments:
        """The sweep."""
        metric, direction = metric_of(self.study), directions_of(self.study)
        pruner = StudyPruner(search.conversation, direction[0] == "maximize") if len(direction) == 1 else None
        return SweepArguments(
            objective=Objective(self.objective, metric, collect=self.collect),
            space=Space(Group(())),
            name=self.name or self._name(),
            experiment=self.experiment,
            metric=metric,
            direction=direction,
            sampler=search,
            pruner=pruner,
            max_trials=self.n_trials,
            trial_timeout=slots.trial_timeout,
            parallelism=None if self.n_jobs == -1 else self.n_jobs,
            # "auto" may go over to jobs, which cannot ask.
            executor="resident" if slots.executor == "auto" else slots.executor,
            isolation=slots.isolation,
            resources=slots.resources,
            failures=slots.failures,
            tracking=self.tracking,
            # What there is to go on with is the study.
            resume="never",
        )

    def _name(self) -> str:
        """Studies without a name have a random one. MLflow's storage finds a study by the name of its run."""
        name = self.study.study_name
        if name.startswith("no-name-"):
            return name_of(self.objective).rpartition(".")[2][:_NAME]
        return f"{name} sweep"[-_NAME:] if studies.is_in_mlflow(self.study) else name[:_NAME]
