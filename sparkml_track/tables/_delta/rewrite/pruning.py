"""Which files may hold rows that a condition asks for, by the bounds that the log keeps of each file.

Only ``column op literal`` joined by AND is understood. What is not understood excludes nothing, so a file that is left
out holds no such row, and a file that is kept may hold none.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

_LITERAL = r"-?\d+(?:\.\d+)?|(?:date|timestamp)?\s*'[^']*'"
_TERM = re.compile(rf"^(?:target\.)?(`?)(\w+)\1\s*(=|<=>|<=|<|>=|>)\s*({_LITERAL})$", re.IGNORECASE)
_INTEGERS = frozenset({"long", "integer", "short", "byte"})
# Some writers cut bounds of moments to milliseconds.
_SLACK = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Range:
    """Values of one column that rows must have: from ``low`` to ``high``, each included, None for unbounded."""

    column: str
    low: object = None
    high: object = None

    def may_meet(self, low: object, high: object) -> bool:
        """Whether a file with these bounds may hold one; unknown bounds hold all."""
        if low is None or high is None:
            return True
        if isinstance(high, datetime):
            high += _SLACK
        try:
            below = self.high is not None and self.high < low  # type: ignore[operator]
            return not (below or (self.low is not None and high < self.low))  # type: ignore[operator]
        except TypeError:  # values of another kind: nothing is known
            return True


Bounds = Mapping[str, object]


def ranges(condition: str | None, types: Mapping[str, object]) -> tuple[Range, ...]:
    """Read what a condition asks of single columns.

    Args:
        condition: in SQL, None for none.
        types: column to Delta type.
    """
    found = []
    for term in _terms(condition or ""):
        match = _TERM.match(term)
        if match and match[2] in types:
            value = typed(types[match[2]], _plain(match[4]))
            if value is not None:
                found.append(_range(match[2], match[3], value))
    return tuple(found)


def may_match(asked: Sequence[Range], lowest: Bounds, highest: Bounds) -> bool:
    """Whether a file with these bounds may hold rows in all ranges."""
    return all(one.may_meet(lowest.get(one.column), highest.get(one.column)) for one in asked)


def matcher(asked: Sequence[Range], types: Mapping[str, object]) -> Callable[[Mapping[str, object]], bool]:
    """Judge ``add`` actions of other commits by their statistics."""

    def judge(add: Mapping[str, object]) -> bool:
        stats = json.loads(str(add["stats"])) if add.get("stats") else {}
        partition = add.get("partitionValues") or {}
        assert isinstance(partition, dict)
        low, high = (
            {c: typed(types.get(c), v) for c, v in {**stats.get(key, {}), **partition}.items()}
            for key in ("minValues", "maxValues")
        )
        return may_match(asked, low, high)

    return judge


def typed(kind: object, value: object) -> object:
    """A value of the log's JSON, or a literal, as Python compares it; None where that is not known to be right."""
    try:
        return _typed(kind, value)
    except (ValueError, ArithmeticError, TypeError):
        return None


def _typed(kind: object, value: object) -> object:
    if value is None or isinstance(value, dict):
        return None
    text = str(value)
    if kind in _INTEGERS:
        return int(text)
    if kind == "string":
        return value if isinstance(value, str) else None
    if kind == "date":
        return date.fromisoformat(text)
    if kind == "timestamp":
        moment = datetime.fromisoformat(text)
        return moment if moment.tzinfo else None
    return Decimal(text) if str(kind).startswith("decimal") else None


def _range(column: str, operator: str, value: object) -> Range:
    return Range(
        column,
        low=value if operator in ("=", "<=>", ">", ">=") else None,
        high=value if operator in ("=", "<=>", "<", "<=") else None,
    )


def _plain(literal: str) -> str:
    return literal[literal.index("'") + 1 : -1] if literal.endswith("'") else literal


def _terms(condition: str) -> Iterable[str]:
    """Split at AND; anything in which an AND may mean something else is not split."""
    outside = re.sub(r"'[^']*'", "", condition)
    if (
        "\\" in condition
        or re.search(r"[()\"]|--|/\*|\b(or|between|case|not)\b", outside, re.IGNORECASE)
        or condition.count("'") % 2
    ):
        return ()
    # A literal may hold the word; it is put aside while splitting.
    literals = re.findall(r"'[^']*'", condition)
    parts = re.split(r"\band\b", re.sub(r"'[^']*'", "'\0'", condition), flags=re.IGNORECASE)
    waiting = iter(literals)
    return [re.sub(r"'\0'", lambda _: next(waiting), part).strip() for part in parts]
