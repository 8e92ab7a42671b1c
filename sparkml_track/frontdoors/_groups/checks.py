"""The arguments of ``train_groups``, checked: every problem at once, before anything starts."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

import pyarrow as pa

from sparkml_track import samplers
from sparkml_track import space as spaces
from sparkml_track.engine.spec.arguments import SweepArguments
from sparkml_track.engine.spec.check import check as check_sweep
from sparkml_track.engine.spec.kinds import is_finite, is_whole
from sparkml_track.errors import InvalidInput, ObjectiveError, SpecError
from sparkml_track.frontdoors._groups.fitted import SmallSweep
from sparkml_track.frontdoors._groups.objective import Limit
from sparkml_track.frontdoors._groups.staging import is_key, is_spark
from sparkml_track.frontdoors._groups.table import COLUMNS
from sparkml_track.frontdoors._groups.worker import RESERVED

__all__ = ["ROWS_METRIC", "Asked", "Checked", "checked"]

EXECUTORS = ("auto", "resident", "jobs", "processes", "inline")
_OVERSIZE = ("refuse", "sample")
#: What a column of a Delta table cannot have in its name.
_FORBIDDEN = set(" ,;{}()\n\t=")
#: Spark's names of types that can be keys.
_KEYS = frozenset({"byte", "short", "integer", "long", "string", "boolean", "date", "timestamp", "decimal"})
#: What a sweep of groups compares where the user names no metric.
ROWS_METRIC = "rows"
_WAY_OUT = "allowed are whole numbers, text, booleans, dates, timestamps with a time zone and decimals; cast it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What ``train_groups`` was called with.

    Attributes:
        sweep: what goes to the sweep as it is.
        others: see ``train_groups``.
    """

    data: Any
    keys: object
    fn: Any
    space: object
    n_trials: object
    sampler: object
    max_rows: object
    oversize: object
    timeout: object
    sweep: SweepArguments


@dataclass(frozen=True, slots=True)
class Checked:
    """The same in its checked form.

    Attributes:
        keys: names of columns.
        limit: of a group's rows.
        small: the sweep inside of each group, if there is one.
    """

    keys: tuple[str, ...]
    limit: Limit
    small: SmallSweep | None


def checked(asked: Asked) -> Checked:
    """Checks all of it.

    Raises:
        ObjectiveError: the function cannot be sent to slots.
        InvalidInput: one sentence for each problem.
    """
    keys = _named(asked.keys)
    problems = [*_function(asked), *_data(asked.data, keys), *_limits(asked), *_small(asked)]
    try:
        check_sweep(replace(asked.sweep, sampler="random", max_trials=1))
    except InvalidInput as error:
        problems += error.problems
    small: SmallSweep | None = None
    if asked.space is not None and not problems:
        small = _drawn(asked)
    if problems:
        raise SpecError(*problems)
    _check_pickles(asked.fn)
    most = asked.max_rows
    limit = Limit(int(most) if is_whole(most, 1) else None, asked.oversize == "sample")  # type: ignore[call-overload]
    return Checked(keys, limit, small)


def _named(keys: object) -> tuple[str, ...]:
    """One name or several; what is not text is kept as text for messages."""
    if isinstance(keys, str):
        return (keys,)
    return tuple(map(str, keys)) if isinstance(keys, Sequence) else ()


def _function(asked: Asked) -> Iterator[str]:
    count, words = (1, "fn(pdf)") if asked.space is None else (2, "fn(pdf, params)")
    if not callable(asked.fn):
        yield f"fn is {asked.fn!r} ({type(asked.fn).__name__}); allowed is a function, {words}"
        return
    try:
        inspect.signature(asked.fn).bind(*[None] * count)
    except TypeError as error:
        yield f"fn cannot be called as {words}: {error}"
    except ValueError:  # built in C, without a signature
        return


# -- the data frame


def _columns(data: Any) -> list[tuple[str, bool]] | None:
    """Names of columns, and whether each can be a key; None of what is no data frame."""
    if is_spark(data) and hasattr(data, "mapInArrow"):
        return [(field.name, field.dataType.typeName() in _KEYS) for field in data.schema]
    if isinstance(data, pa.Table):
        return [(field.name, is_key(field.type)) for field in data.schema]
    if type(data).__module__.split(".")[0] == "pandas" and hasattr(data, "columns"):
        return [(str(data.columns[at]), _pandas_key(data.iloc[:, at])) for at in range(data.shape[1])]
    return None


def _pandas_key(column: Any) -> bool:
    try:
        return is_key(pa.array(column.head(1000), from_pandas=True).type)
    except (pa.ArrowException, TypeError, ValueError):
        return False


def _data(data: Any, keys: Sequence[str]) -> Iterator[str]:
    found = _columns(data)
    if found is None:
        yield (
            f"the data is a {type(data).__name__}; allowed is a data frame of Spark or pandas (of pandas on Spark: "
            "to_spark()), or an Arrow table"
        )
        return
    names = [name for name, _ in found]
    low = [name.lower() for name in names] if is_spark(data) else names
    yield from (f"the data has the column {name!r} twice; rename one" for name in _repeated(low))
    yield from (f"column {name!r} begins with {RESERVED!r}, which is ours; rename it" for name in names
                if name.startswith(RESERVED))  # fmt: skip
    yield from _key_problems(keys, dict(found))


def _key_problems(keys: Sequence[str], columns: Mapping[str, bool]) -> Iterator[str]:
    if not keys:
        yield "keys is empty or no text; allowed is the name of a column, or a list of names"
    yield from (f"key {key!r} is given twice (case does not count)" for key in _repeated([key.lower() for key in keys]))
    for key in dict.fromkeys(keys):
        if key not in columns:
            near = [name for name in columns if name.lower() == key.lower()] or get_close_matches(key, list(columns))
            hint = f"; did you mean {near[0]!r}?" if near else ""
            yield f"key {key!r} is not a column; there are: {', '.join(columns)}{hint}"
        elif not columns[key]:
            yield f"key {key!r} has a type that cannot name groups; {_WAY_OUT}"
        elif key.lower() in COLUMNS:
            yield f"key {key!r} is the name of a column of the table of results; rename it"
        elif _FORBIDDEN & set(key):
            yield f"key {key!r} cannot be a column of a Delta table: no spaces and none of , ; {{ }} ( ) =; rename it"


def _repeated(names: Sequence[str]) -> list[str]:
    return [name for name in dict.fromkeys(names) if list(names).count(name) > 1]


# -- limits and the small sweep


def _limits(asked: Asked) -> Iterator[str]:
    if asked.max_rows is not None and not is_whole(asked.max_rows, 1):
        yield f"max_rows is {asked.max_rows!r}; allowed is a whole number of at least 1, or None"
    if asked.oversize not in _OVERSIZE:
        yield f"oversize is {asked.oversize!r}; allowed are {', '.join(map(repr, _OVERSIZE))}"
    if asked.oversize == "sample" and asked.max_rows is None:
        yield "oversize='sample' needs max_rows, to which a larger group is sampled"
    if asked.timeout is not None and not (is_finite(asked.timeout) and asked.timeout > 0):  # type: ignore[operator]
        yield f"timeout is {asked.timeout!r}; allowed is a number of seconds above 0 for each group, or None"
    if asked.sweep.executor not in EXECUTORS:
        yield f"executor is {asked.sweep.executor!r}; allowed are {', '.join(EXECUTORS)}"


def _small(asked: Asked) -> Iterator[str]:
    if asked.space is None:
        if asked.n_trials is not None:
            yield "n_trials is given without space, which it draws from; leave one of both out"
        return
    if asked.sweep.metric == ROWS_METRIC:
        yield "space needs metric=, the metric by which the points of a group are compared"
    if asked.sampler != "grid" and not is_whole(asked.n_trials, 1):
        yield f"n_trials is {asked.n_trials!r}; allowed is a whole number of at least 1; a grid alone goes without"


def _drawn(asked: Asked) -> SmallSweep:
    """The points, drawn here once: slots need no sampler, and groups can be compared by them.

    Raises:
        SpaceError: the space is wrong.
        SpecError: the sampler is, or waits for results.
    """
    space = asked.space if isinstance(asked.space, spaces.Space) else spaces.parse(asked.space)  # type: ignore[arg-type]
    seed = asked.sweep.seed if is_whole(asked.sweep.seed, 0) else 0
    sampler = samplers.build(asked.sampler, space, seed=int(seed))  # type: ignore[call-overload]
    if sampler.capabilities.adaptive:
        raise SpecError(
            f"sampler is {asked.sampler!r}, which waits for results; points of a group's sweep are drawn beforehand: "
            "allowed are 'random', 'quasi-random' and 'grid'"
        )
    most = sampler.size if asked.n_trials is None else int(asked.n_trials)  # type: ignore[call-overload]
    points = [point for number in range(most or 0) if (point := sampler.ask(number)) is not None]
    return SmallSweep(tuple(points), str(asked.sweep.metric), asked.sweep.direction == "maximize")


def _check_pickles(fn: Callable[..., Any]) -> None:
    import cloudpickle

    try:
        cloudpickle.dumps(fn)
    except Exception as error:  # noqa: BLE001 - whatever the user's objects raise
        name = getattr(fn, "__qualname__", type(fn).__name__)
        raise ObjectiveError(
            f"fn {name} cannot be sent to slots: {type(error).__name__}: {str(error)[:300]}; create what it captures "
            "inside of it"
        ) from None
