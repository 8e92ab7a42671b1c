"""What a value in a config file may be."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, PlainValidator

from sparkml_track.config.messages import one_of
from sparkml_track.engine.spec.roots import ALLOWED, ROOT
from sparkml_track.goal import DIRECTIONS

__all__ = [
    "Direction",
    "Function",
    "Identifier",
    "Moment",
    "Options",
    "Positive",
    "Root",
    "Seconds",
    "Section",
    "SparkKey",
    "Split",
    "Text",
    "Whole",
    "Word",
    "direction_name",
    "matching",
    "metric_name",
    "named",
    "one_of_names",
    "one_or_more",
]


def matching(pattern: str, allowed: str) -> AfterValidator:
    """Text that a pattern takes; ``allowed`` says which in words."""

    def check(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise ValueError(allowed)
        return value

    return AfterValidator(check)


def moment_of(value: object) -> datetime:
    """A date or a time; UTC without a zone."""
    try:
        made = datetime.fromisoformat(value if isinstance(value, str) else "")
    except ValueError:
        raise ValueError("a date or a time, such as 2013-01-31 or 2013-01-31T12:00") from None
    return made if made.tzinfo else made.replace(tzinfo=UTC)


def named(names: Callable[[], Iterable[str]]) -> PlainValidator:
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


def metric_name(value: object) -> str:
    """The name of a metric."""
    if not isinstance(value, str) or not re.fullmatch(r"\S(.*\S)?", value):
        raise ValueError("text without spaces around it, or a list of different such texts")
    return value


def direction_name(value: object) -> str:
    """The text "minimize" or "maximize"."""
    one_of(value, DIRECTIONS)
    return str(value)


def one_or_more(check: Callable[[object], str]) -> PlainValidator:
    """One, or a list with one for each objective."""

    def check_all(value: object) -> str | tuple[str, ...]:
        if not isinstance(value, list):
            return check(value)
        found = tuple(map(check, value or [None]))
        return found if len(found) > 1 else found[0]

    return PlainValidator(check_all)


def one_of_names(names: Iterable[str]) -> AfterValidator:
    """One of some names, with a hint where another was given."""

    def check(value: str) -> str:
        one_of(value, names)
        return value

    return AfterValidator(check)


Word = Annotated[str, matching(r"[A-Za-z0-9_-]{1,64}", "1 to 64 letters, digits, '_' or '-'")]
Identifier = Annotated[str, matching(r"[A-Za-z_][A-Za-z0-9_]{0,127}", "a name of letters, digits and '_'")]
Function = Annotated[str, matching(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*", "a function as package.module:function")]
Text = Annotated[str, matching(r"\S(.*\S)?", "text without spaces around it")]
SparkKey = Annotated[str, matching(r"spark\.\S+", "a setting of Spark, whose name begins with 'spark.'")]
Root = Annotated[str, matching(ROOT, ALLOWED)]
Moment = Annotated[datetime, PlainValidator(moment_of)]
Whole = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(gt=0)]
Direction = Literal["minimize", "maximize"]
Split = Literal["train", "valid", "test"]
Options = dict[str, JsonValue]


class Section(BaseModel):
    """A section: strict, closed, frozen."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)
