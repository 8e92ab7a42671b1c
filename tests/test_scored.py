"""The columns that scoring adds find names beside those that are there."""

from __future__ import annotations

import pytest

from sparkml_track.scored import ADDED, free_names


@pytest.mark.parametrize(
    ("columns", "changed"),
    [
        ([], {}),
        (["wind"], {}),
        (["Score", "score_"], {"score": "score__"}),
        (["problem", "run_id", "RUN_ID_"], {"problem": "problem_", "run_id": "run_id__"}),
    ],
)
def test_a_name_that_is_taken_gets_an_underscore(columns: list[str], changed: dict[str, str]) -> None:
    assert free_names(columns) == {name: changed.get(name, name) for name in ADDED}


def test_added_names_stay_apart_from_each_other() -> None:
    assert free_names(["a"], ["a", "a_"]) == {"a": "a_", "a_": "a__"}
