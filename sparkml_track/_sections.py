"""The sections of a config file. Strict, closed and frozen; defaults are those of ``sweep()`` where it has them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, PlainValidator, model_validator

from sparkml_track import executors, samplers
from sparkml_track._complaints import one_of
from sparkml_track.engine.roots import ALLOWED, ROOT

__all__ = [
    "FailureSettings",
    "FeatureSettings",
    "File",
    "MonitorSettings",
    "Period",
    "PrepareSettings",
    "RegisterSettings",
    "ResourceSettings",
    "ScoreSettings",
    "SparkSettings",
    "SplitSettings",
    "SweepSettings",
    "TrackingSettings",
]

_PRUNERS = ("asha", "hyperband", "median", "patience", "percentile", "threshold")


def _matching(pattern: str, allowed: str) -> AfterValidator:
    def check(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise ValueError(allowed)
        return value

    return AfterValidator(check)


def _moment(value: object) -> datetime:
    try:
        made = datetime.fromisoformat(value if isinstance(value, str) else "")
    except ValueError:
        raise ValueError("a date or a time, such as 2013-01-31 or 2013-01-31T12:00") from None
    return made if made.tzinfo else made.replace(tzinfo=UTC)


def _named(names: Callable[[], Iterable[str]]) -> PlainValidator:
    """A name, or a mapping of one name to its options."""

    def check(value: object) -> str | dict[str, JsonValue]:
        if isinstance(value, dict) and len(value) == 1 and all(isinstance(v, dict | None) for v in value.values()):
            one_of(next(iter(value)), names())
            return value
        if not isinstance(value, str):
            raise ValueError("a name, or a mapping of one name to its options")
        one_of(value, names())
        return value

    return PlainValidator(check)


def _metric(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"\S(.*\S)?", value):
        raise ValueError("text without spaces around it, or a list of different such texts")
    return value


def _direction(value: object) -> str:
    one_of(value, ("minimize", "maximize"))
    return str(value)


def _one_or_more(check: Callable[[object], str]) -> PlainValidator:
    """One, or a list with one for each objective."""

    def check_all(value: object) -> str | tuple[str, ...]:
        if not isinstance(value, list):
            return check(value)
        found = tuple(map(check, value or [None]))
        return found if len(found) > 1 else found[0]

    return PlainValidator(check_all)


def _one_of(names: Iterable[str]) -> AfterValidator:
    def check(value: str) -> str:
        one_of(value, names)
        return value

    return AfterValidator(check)


Word = Annotated[str, _matching(r"[A-Za-z0-9_-]{1,64}", "1 to 64 letters, digits, '_' or '-'")]
Identifier = Annotated[str, _matching(r"[A-Za-z_][A-Za-z0-9_]{0,127}", "a name of letters, digits and '_'")]
Function = Annotated[str, _matching(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*", "a function as package.module:function")]
Text = Annotated[str, _matching(r"\S(.*\S)?", "text without spaces around it")]
SparkKey = Annotated[str, _matching(r"spark\.\S+", "a setting of Spark, whose name begins with 'spark.'")]
Root = Annotated[str, _matching(ROOT, ALLOWED)]
Moment = Annotated[datetime, PlainValidator(_moment)]
Whole = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(gt=0)]
Direction = Literal["minimize", "maximize"]
Split = Literal["train", "valid", "test"]
Options = dict[str, JsonValue]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class SparkSettings(_Section):
    """How a Spark session is made where there is none; a session or a spark-submit that is there comes first.

    Attributes:
        master: of a new session.
        conf: Spark's own settings.
    """

    master: Text = "local[*]"
    conf: dict[SparkKey, str | int | float | bool] = {}


class PrepareSettings(_Section):
    """Raw tables.

    Attributes:
        tables: a function that gives them.
        options: its keyword arguments.
    """

    tables: Function
    options: Options = {}


class Period(_Section):
    """Rows of ``start`` and later, before ``end``. Times without a zone are UTC."""

    start: Moment
    end: Moment

    @model_validator(mode="after")
    def _forward(self) -> Period:
        if self.end <= self.start:
            raise ValueError(f"a period whose end is after its start ({self.start:%Y-%m-%d})")
        return self


class SplitSettings(_Section):
    """The training set cut by time: each period begins no earlier than the one before it ends."""

    train: Period
    valid: Period
    test: Period

    @model_validator(mode="after")
    def _in_order(self) -> SplitSettings:
        if self.valid.start < self.train.end or self.test.start < self.valid.end:
            raise ValueError("train, valid and test in the order of time, without overlap")
        return self


class FeatureSettings(_Section):
    """Feature tables and the training set.

    Attributes:
        build: a function that makes them of the raw tables.
        options: its keyword arguments.
        label: the column to predict.
        time: the column of the prediction time, which the split is by.
        keys: the columns that name a row.
        split: periods of the training set.
    """

    build: Function
    options: Options = {}
    label: Text
    time: Text
    keys: tuple[Text, ...] = ()
    split: SplitSettings


class ResourceSettings(_Section):
    """What each slot has: cores, accelerators, and bytes that an attempt may allocate."""

    cpus: Positive = 1
    gpus: Whole = 0
    memory: Positive | None = None


class FailureSettings(_Section):
    """How often a lost attempt is tried again, and how many trials may fail before the sweep stops.

    Attributes:
        retries: further attempts after infrastructure was lost.
        max_failed: more failed trials than this stop the sweep; None for no limit.
        retry_failed: when a sweep is resumed, execute its failed trials again.
        checkpoint_root: folder on storage that all hosts have mounted, for ``checkpoint_dir``; None for one of a host.
    """

    retries: Whole = 2
    max_failed: Whole | None = None
    retry_failed: bool = False
    checkpoint_root: Root | None = None


class SweepSettings(_Section):
    """The arguments of ``sweep()``; ``space`` and the points as they are in the file.

    Of several metrics there is a list, and of directions one for all or a list.
    """

    objective: Function
    space: Options
    name: Word | None = None
    metric: Annotated[str | tuple[str, ...], _one_or_more(_metric)] = "loss"
    direction: Annotated[str | tuple[str, ...], _one_or_more(_direction)] = "minimize"
    sampler: Annotated[str | Options, _named(samplers.names)] = "tpe"
    pruner: Annotated[str | Options, _named(lambda: _PRUNERS)] | None = None
    max_trials: Positive | None = None
    timeout: Seconds | None = None
    trial_timeout: Seconds | None = None
    target: float | None = None
    patience: Positive | None = None
    parallelism: Positive | None = None
    seed: Whole | None = None
    points_to_evaluate: tuple[Options, ...] = ()
    warm_start: Word | None = None
    executor: Annotated[str, _one_of(executors.NAMES)] = "auto"
    isolation: Literal["recycled", "fresh"] = "recycled"
    deterministic: bool = False
    resume: Word = "auto"
    resources: ResourceSettings = ResourceSettings()
    failures: FailureSettings = FailureSettings()


class TrackingSettings(_Section):
    """Where runs go.

    Attributes:
        uri: of the tracking server; None for a SQLite file in the home folder.
        experiment: its name; None for the name of the project.
        child_runs: "all", "none" or "top:K".
        keep: whose artifacts: "all" or "best:K".
        artifact_root: folder on storage that all hosts have mounted, where artifacts stay; None sends them to the runs.
    """

    uri: Text | None = None
    experiment: Text | None = None
    child_runs: Annotated[str, _matching("all|none|top:[1-9][0-9]{0,5}", "'all', 'none' or 'top:K'")] = "all"
    keep: Annotated[str, _matching("all|best:[1-9][0-9]{0,5}", "'all' or 'best:K'")] = "all"
    artifact_root: Root | None = None


class RegisterSettings(_Section):
    """The best parameters refitted, compared and registered.

    Attributes:
        model: the registered name.
        refit: fits the candidate: ``refit(params, data, seed)``, with ``data["train"]`` and ``data["valid"]``.
        baselines: gives models by name, ``baselines(data, seed)``; what the first champion has to beat.
        inputs: gives what a model takes of a table: ``inputs(table)``.
        evaluate: gives metrics by name: ``evaluate(model, table)``.
        metric: what is compared on the test split; None for the sweep's.
        direction: of the metric; None for the sweep's.
        formats: in what forms stored models may be read; all but skops run code that comes from the store.
    """

    model: Annotated[str, _matching(r"[A-Za-z0-9_ .-]{1,128}", "a name without '/' and ':'")]
    refit: Function
    baselines: Function
    inputs: Function
    evaluate: Function
    metric: Text | None = None
    direction: Direction | None = None
    formats: tuple[Literal["skops", "code", "pickle", "cloudpickle", "pyfunc"], ...] = ("skops",)


class ScoreSettings(_Section):
    """Batch scoring with the pinned champion.

    Attributes:
        split: which rows.
        table: where the scores go.
    """

    split: Split = "test"
    table: Identifier = "scores"


class MonitorSettings(_Section):
    """Drift and quality, period by period, against the training rows.

    Attributes:
        period: how long a window is.
        baseline: the rows that others are compared with.
        min_rows: windows with fewer are not judged.
        psi: the population stability index from which a feature counts as drifted.
        positive: the label that scores are the probability of; None where labels are 0 and 1.
        table: the prefix of the tables.
    """

    period: Literal["day", "week", "month"] = "month"
    baseline: Split = "train"
    min_rows: Positive = 500
    psi: Annotated[float, Field(gt=0)] = 0.2
    positive: bool | int | float | str | None = None
    table: Identifier = "monitor"


class File(_Section):
    """The whole file, as it is written."""

    name: Word
    home: Text | None = None
    code: tuple[str, ...] = ()
    spark: SparkSettings = SparkSettings()
    prepare: PrepareSettings | None = None
    features: FeatureSettings | None = None
    sweep: SweepSettings
    tracking: TrackingSettings = TrackingSettings()
    # A field named register would hide the method of that name.
    registration: RegisterSettings | None = Field(default=None, alias="register")
    score: ScoreSettings | None = None
    monitor: MonitorSettings | None = None
