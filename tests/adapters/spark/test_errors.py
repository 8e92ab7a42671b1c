"""Every error of pyspark, py4j and grpc becomes one of ours, a single sentence."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from sparkml_track.adapters.spark.errors import check_session, first_line, translated
from sparkml_track.errors import DataError, SetupError

_MODULES = (
    "pyspark.errors",
    "pyspark.errors.exceptions.base",
    "pyspark.errors.exceptions.captured",
    "pyspark.errors.exceptions.connect",
    "py4j.protocol",
    "grpc",
)


def _foreign() -> Iterator[type[Exception]]:
    for name in _MODULES:
        for found in vars(importlib.import_module(name)).values():
            if (
                isinstance(found, type)
                and issubclass(found, Exception)
                and found.__module__.split(".")[0] in ("pyspark", "py4j", "grpc")
            ):
                yield found


FOREIGN = sorted(set(_foreign()), key=lambda each: (each.__module__, each.__name__))


@pytest.mark.parametrize("kind", FOREIGN, ids=lambda each: f"{each.__module__}.{each.__name__}")
def test_every_foreign_error_is_translated(kind: type[Exception]) -> None:
    # Not initialised: also one whose text cannot be had is translated.
    with (
        pytest.raises(DataError, match=r"^reading it failed in Spark: .+; look there$"),
        translated("reading it", DataError, "look there"),
    ):
        raise kind.__new__(kind)


def test_a_class_derived_from_a_foreign_one_is_translated_too() -> None:
    import grpc

    class Away(grpc.RpcError):  # type: ignore[misc]
        pass

    with pytest.raises(SetupError, match=r"asking failed in Spark: no answer$"), translated("asking", SetupError):
        raise Away("no answer\nand a page of more")


def test_other_errors_are_left_alone() -> None:
    with pytest.raises(ValueError, match="mine"), translated("reading it", DataError):
        raise ValueError("mine")


def test_the_line_of_a_java_error_is_its_message() -> None:
    error = SimpleNamespace(java_exception=SimpleNamespace(getMessage=lambda: "no such master\n\tat org.apache"))
    assert first_line(error) == "no such master"  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "stopped",
    [SimpleNamespace(_sc=SimpleNamespace(_jsc=None)), SimpleNamespace(is_stopped=True)],
    ids=["classic", "connect"],
)
def test_a_stopped_session_is_refused_in_one_sentence(stopped: object) -> None:
    with pytest.raises(SetupError, match="spark= was stopped; build a new one"):
        check_session(stopped)


def test_a_session_that_runs_is_accepted() -> None:
    check_session(SimpleNamespace(_sc=SimpleNamespace(_jsc=object())))
    check_session(SimpleNamespace(is_stopped=False))
