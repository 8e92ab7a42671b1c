"""Asking, with slow samplers whose proposals the test lets through one at a time."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence

import pytest

import sparkml_track as st
from sparkml_track.engine.loop.asker import SLOW, Asker
from sparkml_track.engine.loop.sampler_thread import Aside, Pace
from sparkml_track.engine.spec.seeds import trial_seed
from sparkml_track.errors import SpaceError
from sparkml_track.samplers import Capabilities, Sampler, build
from sparkml_track.space import parse
from sparkml_track.trial import Params, State, Trial

LONG = 10.0  # seconds, for what takes milliseconds


class Recording(Sampler):
    """Proposes x = number; keeps each call with its thread. Its proposals take ``seconds``, or wait for ``gate``."""

    def __init__(self, seconds: float = 0.0, adaptive: bool = True) -> None:
        self.capabilities = Capabilities(adaptive=adaptive)
        self.calls: list[str] = []
        self.threads: list[str] = []
        self.gate: threading.Semaphore | None = None
        self.error: Exception | None = None
        self._seconds = seconds

    def ask(self, number: int) -> Params | None:
        self._note(f"ask {number}")
        if self.gate is not None:
            assert self.gate.acquire(timeout=LONG)
        elif self._seconds:
            time.sleep(self._seconds)
        if self.error is not None:
            raise self.error
        return {"x": float(number)}

    def note(self, number: int, params: Params) -> None:
        self._note(f"note {number}")

    def tell(self, number: int, params: Params, state: State, values: Sequence[float]) -> None:
        self._note(f"tell {number}")

    def _note(self, call: str) -> None:
        self.calls.append(call)
        self.threads.append(threading.current_thread().name)


def slow(**more: object) -> tuple[Recording, Asker]:
    """An asker that has found its sampler slow, by trial 0."""
    sampler = Recording(seconds=5 * SLOW)
    asker = Asker(sampler, (), more.pop("limit", 100), 0, **more)  # type: ignore[arg-type]
    assert until_there(asker).number == 0
    return sampler, asker


def until_there(asker: Asker) -> Trial:
    """The next trial, waited for as the loop does when nothing runs."""
    deadline = time.monotonic() + LONG
    while (trial := asker.next()) is None:
        assert not asker.exhausted and time.monotonic() < deadline
        asker.pause(LONG, idle=True)
    return trial


def test_what_costs_nothing_is_asked_on_the_thread_of_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sparkml_track.engine.loop.asker.SLOW", LONG)  # another process may hold the core for some time
    sampler = Recording()
    asker = Asker(sampler, (), 100, 0)
    assert [until_there(asker).number for _ in range(100)] == list(range(100))
    assert asker.next() is None and asker.exhausted
    assert set(sampler.threads) == {threading.current_thread().name}


def test_what_does_not_adapt_stays_there_however_slow() -> None:
    sampler = Recording(seconds=5 * SLOW, adaptive=False)
    asker = Asker(sampler, (), 3, 0)
    assert [until_there(asker).number for _ in range(3)] == [0, 1, 2]
    assert set(sampler.threads) == {threading.current_thread().name}


def test_a_slow_sampler_does_not_hold_the_loop() -> None:
    sampler, asker = slow()
    sampler.gate = threading.Semaphore(0)
    assert asker.next() is None, "and this came back while the gate is shut"
    assert asker.pause(5.0, idle=False) < 0.01, "a slot waits, so the loop looks again soon"
    sampler.gate.release()
    assert until_there(asker).number == 1
    assert asker.pause(5.0, idle=False) == 5.0
    assert sampler.threads[-1] == "sampler"
    asker.close()


def test_results_reach_a_slow_sampler_in_order_and_before_the_next_proposal() -> None:
    sampler, asker = slow()
    sampler.gate = threading.Semaphore(100)
    trials = [until_there(asker) for _ in range(4)]
    for trial in trials:
        asker.ended(trial, State.FINISHED, (1.0,))
    until_there(asker)
    asker.close()
    assert sampler.calls[-5:] == ["tell 1", "tell 2", "tell 3", "tell 4", "ask 5"]
    assert set(sampler.threads[1:]) == {"sampler"}, "one thread at a time: the loop's calls nothing any more"


def test_one_trial_at_most_is_asked_ahead() -> None:
    sampler, asker = slow()
    for _ in range(5):
        until_there(asker)
    assert sampler.calls[-1] == "ask 5"
    for _ in range(10):
        asker.ahead(4)
    sampler.gate = threading.Semaphore(100)
    until_there(asker)
    asker.close()
    assert sampler.calls[-1] == "ask 6"


def test_with_one_slot_nothing_is_asked_ahead() -> None:
    sampler, asker = slow()
    for _ in range(5):
        until_there(asker)
    asker.ahead(1)
    asker.close()
    assert sampler.calls[-1] == "ask 5"


def test_long_trials_are_not_asked_ahead() -> None:
    pace = Pace()
    for _ in range(5):
        pace.asked(0.02)
        pace.handed_out()
    pace.ask, pace.cycle = 0.02, 0.11
    assert not pace.worth_asking_ahead(4), "of 0.44 s a trial, 0.02 s are less than a twentieth"
    pace.cycle = 0.09
    assert pace.worth_asking_ahead(4)


def test_it_is_told_once_when_slots_wait_for_the_sampler(caplog: pytest.LogCaptureFixture) -> None:
    _, asker = slow()
    with caplog.at_level(logging.WARNING):
        for _ in range(30):
            until_there(asker)
    asker.close()
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 1
    assert "the sampler cannot keep up: a proposal takes" in said[0]


@pytest.mark.parametrize("call", ["next", "ahead", "ended"])
def test_an_exception_of_the_samplers_thread_is_raised_by_whatever_comes_next(call: str) -> None:
    sampler, asker = slow()
    sampler.gate, sampler.error = threading.Semaphore(0), SpaceError("no such corner")
    assert asker.next() is None
    sampler.gate.release()
    asker.pause(LONG, idle=True)
    calls: dict[str, Callable[[], object]] = {
        "next": asker.next,
        "ahead": lambda: asker.ahead(2),
        "ended": lambda: asker.ended(Trial(0, {"x": 0.0}), State.FINISHED, (1.0,)),
    }
    with pytest.raises(SpaceError, match="no such corner"):
        calls[call]()
    asker.close()


def test_closing_ends_the_thread_and_what_ends_later_is_told_to_nobody() -> None:
    sampler, asker = slow()
    until_there(asker)
    asker.close()
    calls = list(sampler.calls)
    asker.ended(Trial(1, {"x": 1.0}), State.KILLED, ())
    assert sampler.calls == calls
    assert "sampler" not in {thread.name for thread in threading.enumerate()}


def test_a_slow_sampler_ends_with_the_limit() -> None:
    sampler, asker = slow(limit=3)
    assert [until_there(asker).number for _ in range(2)] == [1, 2]
    asker.ahead(8)
    assert asker.next() is None and asker.exhausted
    asker.close()
    assert sampler.calls == ["ask 0", "ask 1", "ask 2"]


@pytest.mark.parametrize("ahead", [False, True])
@pytest.mark.parametrize("seconds", [0.0, 5 * SLOW])
def test_deterministic_calls_are_the_same_on_either_thread(seconds: float, ahead: bool) -> None:
    sampler = Recording(seconds)
    asker = Asker(sampler, (), 6, 0, behind=2)
    trials: list[Trial] = []
    for number in range(6):
        trials.append(until_there(asker))
        if number % 2:
            # The later one ends first.
            asker.ended(trials[number], State.FINISHED, (1.0,))
            asker.ended(trials[number - 1], State.FINISHED, (1.0,))
        if ahead:
            asker.ahead(2)
    asker.close()
    expected = ["ask 0", "ask 1", "tell 0", "ask 2", "tell 1", "ask 3", "tell 2", "ask 4", "tell 3", "ask 5"]
    assert sampler.calls == expected


def test_the_users_points_come_first_on_either_thread() -> None:
    sampler = Recording(5 * SLOW)
    asker = Asker(sampler, ({"x": 50.0}, {"x": 60.0}), 4, 0)
    assert [until_there(asker).params["x"] for _ in range(4)] == [50.0, 60.0, 2.0, 3.0]
    asker.close()
    assert sampler.calls == ["note 0", "note 1", "ask 2", "ask 3"]


def test_tpe_proposes_the_same_on_its_own_thread_as_on_the_loops(monkeypatch: pytest.MonkeyPatch) -> None:
    """One slot: each proposal knows all results, so threads must not show."""

    def search(threshold: float) -> list[Params]:
        monkeypatch.setattr("sparkml_track.engine.loop.asker.SLOW", threshold)
        space = parse({"x": st.uniform(-3, 3), "kind": st.choice("a", "b")})
        asker = Asker(build({"tpe": {"startup": 5}}, space, seed=7), (), 12, 7)
        made = []
        for _ in range(12):
            trial = until_there(asker)
            made.append(trial.params)
            asker.ended(trial, State.FINISHED, (float(trial.params["x"]) ** 2,))  # type: ignore[arg-type]
        asker.close()
        return made

    assert search(threshold=0.0) == search(threshold=LONG)


def test_calls_after_one_that_raised_are_not_made() -> None:
    aside, made = Aside(), []

    def fail(number: int) -> Params:
        raise ValueError(f"no trial {number}")

    aside.ask(3, fail)
    aside.call(lambda: made.append(1))
    aside.wait(LONG)
    with pytest.raises(ValueError, match="no trial 3"):
        aside.check()
    aside.close()
    assert not made


def test_a_trials_seed_is_a_function_of_the_sweeps_seed_and_its_number() -> None:
    assert trial_seed(1, 2) == trial_seed(1, 2)
    assert len({trial_seed(seed, number) for seed in range(20) for number in range(20)}) == 400
    assert all(0 <= trial_seed(7, number) < 2**31 for number in range(100))
