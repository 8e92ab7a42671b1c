"""Who is started, who makes way, who rests: with a launcher that does what the test says."""

from __future__ import annotations

import math

import pytest

from sparkml_track.errors import ExecutorError, PreflightError, SlotsLost
from sparkml_track.executors._resident.launcher import Launcher, LocalLauncher, Others
from sparkml_track.executors._resident.slot import Limits, Slot
from sparkml_track.executors._resident.worker_pool import Size, WorkerPool
from sparkml_track.slot.worker import Config
from sparkml_track.trial import Attempt, Trial, Unit

CONFIG = Config(("unix", "/nowhere"), b"", "token", "digest")
ATTEMPT = Attempt(Trial(0, {}), Unit(0))


class Scripted(Launcher):
    shared_host = True

    def __init__(self, slots: int) -> None:
        self.there = slots
        self.launched: list[int] = []
        self.cancelled: list[int] = []
        self.all = 0
        self.ended: dict[int, str] = {}
        self.now = Others()
        self.dynamic = 0

    @property
    def most(self) -> int:
        return self.dynamic

    @property
    def in_all(self) -> int:
        return self.all

    def slots(self) -> int:
        return self.there

    def others(self) -> Others:
        return self.now

    def launch(self, config: Config) -> None:
        self.launched.append(config.slot)
        self.ended.pop(config.slot, None)

    def coming(self, slot: int) -> bool:
        return slot in self.launched and slot not in self.ended

    def failure(self, slot: int) -> str | None:
        return self.ended.get(slot)

    def cancel(self, slot: int) -> None:
        self.cancelled.append(slot)

    def close(self, longest_wait: float) -> None: ...


class World:
    """WorkerPool whose workers are as the test says; dismissed ones leave in good order."""

    def __init__(
        self, slots: int, parallelism: int | None = None, first: float = 10.0, most: int = 0, gang: int = 1
    ) -> None:
        self.launcher = Scripted(slots)
        self.launcher.dynamic = most
        limits = Limits(first=first, none=5, idle=3, look=0, few=2)
        self.staff = WorkerPool(self.launcher, CONFIG, limits, [], Size(parallelism, gang), self._dismiss)
        self.dismissed: list[int] = []
        self.clock = self.staff._alive

    def _dismiss(self, slot: Slot) -> None:
        self.dismissed.append(slot.number)
        slot.ready = slot.leaving = False
        slot.connection = None
        self.launcher.ended[slot.number] = ""

    def all_ready(self, busy: bool = True) -> World:
        for slot in self.staff.slots:
            slot.connection = object()  # type: ignore[assignment]
            self.staff.came(slot)
            slot.idle_since = self.clock
            if busy:
                slot.ahead.append(ATTEMPT)
        return self

    def check(self, after: float = 0.0, waiting: int = 0) -> None:
        self.clock += after
        self.staff.check(self.clock, waiting)

    def end_attempts(self) -> None:
        for slot in self.staff.slots:
            if slot.ahead:
                slot.ahead.clear()
                self.staff.freed(slot)


@pytest.mark.parametrize(("there", "wanted", "started"), [(4, None, 4), (4, 2, 2), (2, 9, 2), (0, None, 1)])
def test_each_slot_gets_a_worker_up_to_the_parallelism(there: int, wanted: int | None, started: int) -> None:
    assert World(there, wanted).launcher.launched == list(range(started))


def test_slots_that_join_later_get_workers() -> None:
    world = World(2).all_ready()
    world.launcher.there = 5
    world.check()
    assert world.launcher.launched == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(("most", "wanted", "started"), [(8, 6, 6), (4, 6, 4), (8, None, 1), (1, 6, 1)])
def test_workers_wait_for_what_dynamic_allocation_can_bring(most: int, wanted: int | None, started: int) -> None:
    """Spark asks for more executors only when tasks wait."""
    assert World(1, wanted, most=most).launcher.launched == list(range(started))


def test_without_a_parallelism_they_double_while_all_are_busy() -> None:
    world = World(2, most=7).all_ready()
    world.check()
    assert len(world.launcher.launched) == 4
    world.check()
    assert len(world.launcher.launched) == 4, "the new ones are not there yet"
    world.launcher.there = 4
    world.all_ready().check()
    assert len(world.launcher.launched) == 7
    assert len(World(2, most=7).all_ready(busy=False).staff.slots) == 2


def test_a_worker_makes_way_between_attempts_and_is_queued_again() -> None:
    world = World(4).all_ready()
    world.launcher.now = Others(active=1, waiting=100)
    world.check()
    assert (world.dismissed, world.staff.ready) == ([], 2), "half of them take nothing more, none is interrupted"
    world.end_attempts()
    assert len(world.dismissed) == 2
    world.check()
    assert sorted(world.launcher.launched[4:]) == sorted(world.dismissed)


def test_no_more_make_way_than_tasks_wait() -> None:
    world = World(8).all_ready()
    world.launcher.now = Others(active=1, waiting=1)
    world.check()
    assert world.staff.ready == 7


def test_the_only_worker_makes_way_too() -> None:
    world = World(1).all_ready()
    world.launcher.now = Others(active=1, waiting=1)
    world.check()
    world.end_attempts()
    assert world.dismissed == [0]


def test_a_second_sweep_gets_its_share_and_the_first_keeps_its_own() -> None:
    world = World(4).all_ready()
    world.launcher.now = Others(sweeps=1, sweeps_waiting=4)
    world.check()
    assert world.staff.ready == 2
    world.end_attempts()
    world.check()
    assert world.staff.ready == 2


def test_an_idle_worker_gives_its_slot_back_and_comes_again_when_there_is_work() -> None:
    world = World(2).all_ready(busy=False)
    world.check(after=2.9)
    assert world.dismissed == []
    world.check(after=0.2)
    assert world.dismissed == [0, 1]
    assert world.staff.expected == 2, "attempts can still be submitted"
    world.check(after=100)
    assert world.launcher.launched == [0, 1], "nobody is started for nothing, and nothing is lost"
    world.check(waiting=1)
    assert world.launcher.launched == [0, 1, 0]


def test_no_worker_for_too_long_is_told_with_the_last_failure() -> None:
    world = World(1)
    world.launcher.ended[0] = "OutOfMemoryError"
    world.check(after=9.9)
    with pytest.raises(SlotsLost, match=r"within 10 s \(last failure: OutOfMemoryError\)"):
        world.check(after=0.2)


def test_how_long_to_wait_for_a_worker_is_a_setting_that_is_named() -> None:
    world = World(1)
    with pytest.raises(SlotsLost, match=r"set spark\.sparkml\.slots\.timeout to more seconds \(0 waits for ever\)"):
        world.check(after=10.1)


def test_plain_processes_are_not_called_slots_of_spark(caplog: pytest.LogCaptureFixture) -> None:
    world = World(1, first=50.0)
    world.launcher.on_spark, world.launcher.waited_for = LocalLauncher.on_spark, LocalLauncher.waited_for
    world.check(after=31.0)
    assert caplog.records[0].getMessage() == (
        "no worker for 31 s: its process has not come up yet; it is waited for (50 s)"
    )
    with pytest.raises(SlotsLost) as caught:
        world.check(after=31.0)
    assert "Spark" not in str(caught.value)
    assert "spark." not in str(caught.value)


def test_a_worker_is_waited_for_without_end_if_so_set_and_that_is_told_every_30_s(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World(1, first=math.inf)
    for _ in range(100):
        world.check(after=10.0)
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 33
    assert told[0].startswith("no worker for 30 s: Spark has no slot for one yet")
    assert "spark.sparkml.slots.timeout" in told[0]
    world.all_ready()
    caplog.clear()
    world.check(after=100.0)
    assert not caplog.records


def test_waiting_behind_other_spark_jobs_is_no_loss() -> None:
    world = World(1)
    world.launcher.now = Others(active=1)
    for _ in range(5):
        world.check(after=9.0)


def test_workers_that_end_at_once_are_not_started_for_ever() -> None:
    world = World(1)
    for _ in range(4):
        world.launcher.ended[0] = "no such file"
        world.check(after=0.1)
    world.launcher.ended[0] = "no such file"
    with pytest.raises(ExecutorError, match="workers end as soon as they start: no such file"):
        world.check(after=0.1)
    assert len(world.launcher.launched) == 5


# -- gangs


@pytest.mark.parametrize(
    ("there", "wanted", "gang", "started"), [(5, None, 2, 4), (5, 2, 2, 2), (1, None, 3, 3), (9, 4, 3, 3)]
)
def test_there_are_workers_for_whole_gangs(there: int, wanted: int | None, gang: int, started: int) -> None:
    """Also for the first where slots are still to come: they come only for tasks that wait."""
    assert World(there, wanted, gang=gang).launcher.launched == list(range(started))


def test_a_gang_that_can_never_have_its_slots_is_refused_at_once() -> None:
    launcher = Scripted(2)
    launcher.all = 2
    with pytest.raises(PreflightError, match=r"a gang of 4 needs 4 slots, has 2: take a gang of at most 2, or start"):
        WorkerPool(launcher, CONFIG, Limits(), [], Size(None, 4), lambda _: None)
    assert launcher.launched == []


def test_slots_that_do_not_come_or_are_lost_for_good_end_it_within_the_bound() -> None:
    world = World(2, gang=3)
    world.check(1, waiting=3)
    with pytest.raises(PreflightError, match="needs 3 slots, has 2"):
        world.check(1.5, waiting=3)
    world = World(3, gang=3).all_ready()
    world.check(5)
    world.launcher.there = 1
    for slot in world.staff.slots[1:]:
        slot.ready = False
        slot.connection = None
    world.check(4, waiting=3)
    with pytest.raises(SlotsLost, match="needs 3 slots, has 1"):
        world.check(2, waiting=3)


def test_slots_that_come_back_in_time_are_waited_for() -> None:
    world = World(2, gang=2).all_ready()
    for there in (2, 1, 2, 1):
        world.launcher.there = there
        world.check(4)


def test_a_gang_keeps_its_slots_and_gives_what_is_over_by_whole_gangs() -> None:
    world = World(4, gang=2).all_ready(busy=False)
    world.launcher.now = Others(active=1, waiting=1)
    world.check()
    assert len(world.dismissed) == 2
    world.launcher.now = Others(active=1, waiting=9)
    world.check()
    assert len(world.dismissed) == 2
    assert world.staff.ready == 2


@pytest.fixture
def place(request: pytest.FixtureRequest) -> str:
    """Of this test alone, as turns are those of the process."""
    return str(request.node.name)


def in_place(world: World, place: str) -> World:
    world.launcher.place = place
    return world


def some_ready(world: World, count: int) -> World:
    for slot in world.staff.slots[:count]:
        slot.connection = object()  # type: ignore[assignment]
        world.staff.came(slot)
        slot.idle_since = world.clock
    return world


def test_of_two_sweeps_with_half_their_gangs_the_second_lets_go(place: str) -> None:
    """Else both would wait for ever."""
    first, second = (some_ready(in_place(World(2, gang=2), place), 1) for _ in range(2))
    for world in (first, second):
        world.check(waiting=2)
    assert first.dismissed == []
    assert second.dismissed == [0]
    assert second.launcher.cancelled == [1], "what waits in Spark's queue would take the slot"
    some_ready(first, 2)
    first.check(waiting=0)
    second.check(waiting=2)
    assert second.launcher.launched == [0, 1, 0, 1], "its turn has come"
    second.check(60, waiting=2)  # and it is patient while the first has the slots
    first.staff.close()
    second.launcher.now = Others()
    with pytest.raises(SlotsLost, match="a gang of 2 needs as many workers, and 0 came within"):
        second.check(60, waiting=2)


def test_a_sweep_of_single_attempts_lets_a_gang_have_what_it_waits_for(place: str) -> None:
    """All of its slots where that must be; it is patient until the gang is done with them."""
    single, gang = in_place(World(2), place).all_ready(), some_ready(in_place(World(2, gang=2), place), 0)
    gang.check(waiting=2)
    single.launcher.now = Others(sweeps=1, sweeps_waiting=2)
    single.check()
    single.end_attempts()
    assert sorted(single.dismissed) == [0, 1]
    some_ready(gang, 2)
    gang.check(waiting=0)
    single.launcher.now = Others(sweeps=1)
    single.check(60)
    gang.launcher.now = Others(sweeps=1, sweeps_waiting=2)
    gang.check(waiting=0)
    assert gang.dismissed == [], "it keeps its slots until its sweep ends"
    gang.staff.close()


def test_a_gang_that_gathers_its_slots_gives_none_of_them_away(place: str) -> None:
    world = some_ready(in_place(World(3, gang=3), place), 2)
    world.launcher.now = Others(active=1, waiting=5, sweeps=2, sweeps_waiting=5)
    world.check(waiting=3)
    assert world.dismissed == []
    world.staff.close()
