from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sparkml_track.config.sections.jobs import JobSettings, TaskSettings
from sparkml_track.errors import InvalidInput
from sparkml_track.jobs.tasks.parameters import filled, given_values, run_values


def job(**given: object) -> JobSettings:
    return JobSettings.model_validate({"tasks": {"a": {"python": "m:f"}}} | given)


def test_words_are_of_the_type_of_the_default() -> None:
    made = job(parameters={"n": 1, "x": 0.5, "on": False, "s": "a"})
    assert given_values(made, "j", {"n": "7", "x": "2", "on": "true", "s": "9"}) == {
        "n": 7,
        "x": 2.0,
        "on": True,
        "s": "9",
    }
    assert given_values(made, "j", {}) == {"n": 1, "x": 0.5, "on": False, "s": "a"}


@pytest.mark.parametrize(
    ("name", "word", "said"),
    [
        ("limits", "1", "job 'j' has no parameter 'limits'; it has: n, limit; did you mean 'limit'?"),
        ("n", "many", "parameter 'n' must be a whole number, like its default 1, not 'many'"),
        ("date", "2013-11-01", "parameter 'date' is set by the run itself"),
    ],
)
def test_a_wrong_parameter_is_one_sentence(name: str, word: str, said: str) -> None:
    with pytest.raises(InvalidInput, match=said.replace("?", r"\?")):
        given_values(job(parameters={"n": 1, "limit": 2}), "j", {name: word})


def test_the_date_is_that_of_the_time_zone() -> None:
    moment = datetime(2026, 6, 30, 22, 30, tzinfo=UTC)
    values = run_values(job(timezone="Europe/Berlin"), {}, moment, "r")
    assert values == {"date": "2026-07-01", "time": "2026-07-01T00:30:00+02:00", "run": "r"}


def test_names_in_texts_are_filled_in_everywhere() -> None:
    task = TaskSettings.model_validate(
        {"python": "m:f", "options": {"n": "{n}", "all": ["{n} of {day}", {"{n}": "{{n}}"}], "k": 3}, "timeout": 5.0}
    )
    made = filled(task, {"n": 7, "day": "monday"})
    assert made.options == {"n": 7, "all": ["7 of monday", {"{n}": "{n}"}], "k": 3}
    notebook = TaskSettings.model_validate({"notebook": "a.py", "arguments": ("--n", "{n}", "--on={on}")})
    assert filled(notebook, {"n": 7, "on": True}).arguments == ("--n", "7", "--on=true")
