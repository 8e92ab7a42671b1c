"""Looks at rows that come, one after another."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sparkml_track.errors import InvalidInput, RegistryError
from sparkml_track.pipeline.steps import follow
from sparkml_track.scoring import Followed
from tests.pipeline.test_steps import settings

NOTHING, SOME = (Followed(None, (), "", batches, batches * 5, 0, 0.1) for batches in (0, 1))
AWAY = RegistryError("the store is away")


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What each look gives, or raises, in turn."""
    to_come: list[Any] = []

    def look(*_: object) -> Followed:
        found = to_come.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    monkeypatch.setattr(follow, "_look", look)
    return to_come


def followed(folder: Path) -> Iterator[Followed]:
    return follow.follow(settings(folder), every=0.001)


def test_a_store_that_is_away_for_a_while_costs_looks_and_is_said_once(
    looks: list[Any], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    looks += [NOTHING, AWAY, AWAY, NOTHING, SOME]
    with caplog.at_level(logging.WARNING, "sparkml_track"):
        found = followed(tmp_path)
        assert [next(found), next(found)] == [NOTHING, SOME]
    assert [each.getMessage() for each in caplog.records] == [
        "nothing was scored, and is tried again: the store is away"
    ]


def test_what_cannot_be_right_later_ends_it(looks: list[Any], tmp_path: Path) -> None:
    looks += [NOTHING, InvalidInput("no such column")]
    found = followed(tmp_path)
    next(found)
    with pytest.raises(InvalidInput):
        next(found)


def test_the_first_look_says_what_is_wrong(looks: list[Any], tmp_path: Path) -> None:
    looks.append(AWAY)
    with pytest.raises(RegistryError):
        next(followed(tmp_path))


def test_without_a_pace_there_is_one_look(looks: list[Any], tmp_path: Path) -> None:
    looks.append(SOME)
    assert list(follow.follow(settings(tmp_path))) == [SOME]
