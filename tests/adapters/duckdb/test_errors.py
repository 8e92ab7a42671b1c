"""Every error of duckdb becomes one of ours, a single sentence."""

from __future__ import annotations

import duckdb
import pytest

from sparkml_track.adapters.duckdb.errors import KINDS, translated
from sparkml_track.errors import InvalidInput, QueryError

FOREIGN = sorted(
    (each for each in vars(duckdb).values() if isinstance(each, type) and issubclass(each, Exception)),
    key=lambda each: each.__name__,
)


def test_every_class_of_duckdb_is_named() -> None:
    assert {each.__name__ for each in FOREIGN} == set(KINDS)


@pytest.mark.parametrize("kind", FOREIGN, ids=lambda each: each.__name__)
def test_every_foreign_error_is_translated(kind: type[Exception]) -> None:
    ours = KINDS[kind.__name__]
    with (
        pytest.raises(ours, match=r"^the query failed in DuckDB: no such thing(; .+)?$") as caught,
        translated("the query"),
    ):
        raise kind("Binder Error: no such thing.\n\nLINE 1: SELECT 1\n        ^")
    assert type(caught.value) is ours
    assert ours in (InvalidInput, QueryError)


def test_a_class_derived_from_a_foreign_one_is_translated_too() -> None:
    class Later(duckdb.BinderException):  # type: ignore[misc]
        pass

    with pytest.raises(InvalidInput, match=r"in DuckDB: Later$"), translated("the query"):
        raise Later


def test_other_errors_are_left_alone() -> None:
    with pytest.raises(ValueError, match="mine"), translated("the query"):
        raise ValueError("mine")
