"""Faults 23 to 25: the driver dies at each moment where it would leave another trace, and the same command goes on."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from sparkml_track.engine.audit.verify import verify
from sparkml_track.journals import read
from sparkml_track.testing.accounting import assert_accounting
from tests.faults.driver import Drivers

pytestmark = pytest.mark.slow

#: The numbered crash points, in the order they come.
POINTS = [
    ("planned", 1),
    ("parent created", 1),
    ("parent", 1),
    ("asked", 1),
    ("asked", 9),
    ("submitted", 9),
    ("received", 1),
    ("received", 8),
    ("accepted", 8),
    ("flushed", 1),
    ("flushed", 3),
    ("published", 1),
    ("closing", 1),
    ("parent ended", 1),
    ("ended", 1),
]
#: Where what is left is most unlike; the others are between these.
QUICK = {("planned", 1), ("parent", 1), ("accepted", 8), ("flushed", 3), ("parent ended", 1)}
SLOW = pytest.mark.slow


def accepted(home: Path, sweep: str) -> set[int]:
    return {int(record.body["n"]) for record in read(home, sweep) if record.kind == "accepted"}  # type: ignore[call-overload]


@pytest.fixture(scope="module")
def whole(forking: Any, tmp_path_factory: pytest.TempPathFactory, pristine: Path) -> dict[str, Any]:
    """What the sweep gives when nothing happens to it."""
    home = tmp_path_factory.mktemp("whole")
    (home / "executions").mkdir()
    return Drivers(forking, home / "home", home / "executions").drive()


@pytest.mark.parametrize(
    "point",
    [pytest.param(point, id=f"{point[0]}-{point[1]}", marks=[] if point in QUICK else SLOW) for point in POINTS],
)
def test_killed_anywhere_the_same_command_ends_it_and_executes_nothing_accepted_twice(
    point: tuple[str, int], drivers: Drivers, whole: dict[str, Any]
) -> None:
    died = drivers.drive(crash=point)
    assert died["status"] == -9, died
    assert drivers.left_after(5) == []
    sweep = drivers.sweeps()[0]
    known, before = accepted(drivers.home, sweep), drivers.executed()
    after = drivers.drive()
    assert after["status"] == 0, after
    if point[0] != "ended":  # then it had ended, and the command is another sweep
        assert after["sweep"] == sweep
        assert after["digest"] == whole["digest"]
        assert after["best"] == whole["best"]
        again = drivers.executed() - before
        assert not known & set(again), f"accepted, and executed again: {known & set(again)}"
        assert set(drivers.executed()) == set(range(20))
    for each in drivers.sweeps():
        counts = assert_accounting(drivers.home, each)
        assert counts["finished"] + counts["failed"] == 20
        assert verify(each, home=drivers.home).differences == []


@SLOW
def test_killed_again_and_again_it_still_ends_with_the_same_trials(drivers: Drivers, whole: dict[str, Any]) -> None:
    executed: Counter[int] = Counter()
    for point in [("parent", 1), ("received", 4), ("accepted", 5), ("flushed", 1), ("closing", 1), ("closing", 1)]:
        assert drivers.drive(crash=point)["status"] == -9
        done = accepted(drivers.home, drivers.sweeps()[0])
        assert all(drivers.executed()[number] == executed[number] for number in done if number in executed)
        executed = Counter({number: count for number, count in drivers.executed().items() if number in done})
    assert drivers.drive()["digest"] == whole["digest"]
    (sweep,) = drivers.sweeps()
    assert_accounting(drivers.home, sweep)
