from __future__ import annotations

from datetime import UTC, datetime
from importlib.machinery import ModuleSpec
from itertools import islice

import pytest

from sparkml_track.adapters import cron as adapter
from sparkml_track.adapters.cron import Cron, schedule_problem
from sparkml_track.errors import InvalidInput, SetupError


def times(expression: str, zone: str, after: datetime, count: int) -> list[str]:
    return [f"{each:%m-%d %H:%M}" for each in islice(Cron(expression, zone).after(after), count)]


def test_a_schedule_is_read_in_its_time_zone() -> None:
    assert times("0 3 * * *", "UTC", datetime(2026, 7, 1, tzinfo=UTC), 2) == ["07-01 03:00", "07-02 03:00"]
    assert times("0 3 * * *", "Europe/Berlin", datetime(2026, 7, 1, tzinfo=UTC), 2) == ["07-01 01:00", "07-02 01:00"]


def test_a_night_whose_clocks_are_turned_has_one_run() -> None:
    # 02:30 is not there on 29 March 2026, and twice on 25 October.
    spring = times("30 2 * * *", "Europe/Berlin", datetime(2026, 3, 28, tzinfo=UTC), 3)
    assert spring == ["03-28 01:30", "03-29 01:00", "03-30 00:30"]
    autumn = times("30 2 * * *", "Europe/Berlin", datetime(2026, 10, 24, tzinfo=UTC), 3)
    assert autumn == ["10-24 00:30", "10-25 00:30", "10-26 01:30"]


def test_what_runs_every_hour_runs_as_time_passes() -> None:
    hours = times("15 * * * *", "Europe/Berlin", datetime(2026, 10, 24, 23, tzinfo=UTC), 4)
    assert hours == ["10-24 23:15", "10-25 00:15", "10-25 01:15", "10-25 02:15"]


def test_times_of_a_span_are_the_last_of_them() -> None:
    found = Cron("0 * * * *").between(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC), 2)
    assert found == (datetime(2026, 1, 1, 23, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC))


def test_the_29th_of_february_comes() -> None:
    assert times("0 0 29 2 *", "UTC", datetime(2026, 1, 1, tzinfo=UTC), 1) == ["02-29 00:00"]


def test_a_schedule_that_cannot_be_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"the schedule '0 0 31 2 \*' must be a cron expression"):
        Cron("0 0 31 2 *")


def test_without_cronsim_a_schedule_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def find_spec(name: str) -> ModuleSpec | None:
        return None

    monkeypatch.setattr(adapter, "find_spec", find_spec)
    adapter._installed.cache_clear()
    schedule_problem.cache_clear()
    try:
        # A file that has schedules can be read for its other jobs.
        assert schedule_problem("61 * * * *") == ""
        with pytest.raises(SetupError, match=r"pip install 'sparkml-track\[jobs\]'"):
            Cron("0 0 * * *")
    finally:
        adapter._installed.cache_clear()
        schedule_problem.cache_clear()
