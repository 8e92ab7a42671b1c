"""What an objective imports when it is called is imported once, before processes are forked."""

from __future__ import annotations

import sys
from functools import partial
from types import ModuleType
from typing import Any

import pytest

from sparkml_track.slot import preload as module
from sparkml_track.slot.preload import preload


@pytest.fixture
def imported(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    names: list[str] = []

    def take(name: str) -> ModuleType:
        names.append(name)
        if name == "pandas":
            raise ImportError(name)
        return sys

    monkeypatch.setattr(module.importlib, "import_module", take)
    return names


def helper() -> None:
    import scipy.stats  # noqa: F401


def direct(trial: Any) -> float:
    import json  # noqa: F401

    import pandas  # noqa: F401
    import sklearn.linear_model  # noqa: F401

    def inside() -> None:
        from mlflow import MlflowClient  # noqa: F401

    helper()
    inside()
    return float(trial)


class Called:
    def __call__(self, trial: Any) -> float:
        import numpy  # noqa: F401

        return float(trial)


def test_imports_of_the_function_what_it_holds_and_what_it_calls_are_made(imported: list[str]) -> None:
    preload(direct)
    assert sorted(imported) == ["mlflow", "pandas", "scipy.stats", "sklearn.linear_model"]


def test_bound_arguments_and_objects_are_looked_into(imported: list[str]) -> None:
    preload(partial(direct, 1))
    preload(Called())
    assert "numpy" in imported
    assert "sklearn.linear_model" in imported


class Wrapping:
    __wrapped__ = staticmethod(direct)

    def __call__(self, trial: Any) -> float:
        return 0.0


def test_what_an_object_calls_for_its_user_is_looked_into(imported: list[str]) -> None:
    preload(Wrapping())
    assert "sklearn.linear_model" in imported


@pytest.mark.parametrize("odd", [3, print, len, object()])
def test_what_has_no_code_is_passed_over(odd: object, imported: list[str]) -> None:
    preload(odd)
    assert imported == []
