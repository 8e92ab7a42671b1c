"""What comes of an attempt by how its ranks ended; what they exchange; what they find in their environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from sparkml_track.executors import Ended, Lost
from sparkml_track.executors._attempts.received import BadMessage
from sparkml_track.executors._gangs.gang import PORT_TAKEN, Gang
from sparkml_track.executors._gangs.gathering import Gathering
from sparkml_track.executors._gangs.torchrun import environments
from sparkml_track.slot.attempt.context import GATHER_LIMIT
from sparkml_track.slot.wire.messages import Gather, Gathered
from sparkml_track.testing.executors import attempt
from sparkml_track.trial import Attempt, Outcome, State, Trial, Unit

FINISHED = Outcome(State.FINISHED, {"loss": 1.0}, started=5.0, duration=2.0)
SIGNAL = Outcome(State.FAILED, reason="signal", message="ended by signal 9", log="last words")
ABORTED = Outcome(State.FAILED, reason="signal", message="ended by signal 6 (SIGABRT)")
EXITED = Outcome(State.FAILED, reason="exit", message="exited with status 1")
RAISED = Outcome(State.FAILED, reason="exception", message="ValueError: no")
ENDED = Outcome(State.KILLED, reason="cancelled")
TIMEOUT = Outcome(State.KILLED, reason="timeout", message="over the limit of 1 s")
PRUNED = Outcome(State.PRUNED, {"loss": 2.0}, reason="pruned")
TAKEN = Outcome(State.FAILED, reason="exception", message="OSError: [Errno 98] Address already in use")


def gang(size: int = 2) -> Gang:
    made = Gang.of(attempt(7), size, lambda *_: None)
    made.hosts, made.begun = ["a", "b", "a"][:size], True
    return made


def end(of: Gang, rank: int, outcome: Outcome | Lost) -> bool:
    return of.take(rank, outcome if isinstance(outcome, Lost) else Ended(of.ranks[rank].id, outcome))


def test_a_gang_has_the_attempt_of_its_first_rank_and_ids_for_the_others() -> None:
    made = Gang.of(Attempt(Trial(7, {}), Unit(7, 1), 3), 3, lambda *_: None)
    assert [(each.id, each.rank, each.world) for each in made.ranks] == [
        ("7.1.3", 0, 3),
        ("7.1.3.1", 1, 3),
        ("7.1.3.2", 2, 3),
    ]


@pytest.mark.parametrize(
    ("ends", "at_once"),
    [
        ([(1, SIGNAL)], True),
        ([(1, Lost("7.0.1.1", "gone"))], True),
        ([(0, TIMEOUT)], True),
        ([(0, PRUNED)], True),
        ([(1, FINISHED)], False),
        ([(1, PRUNED)], False),
        ([(1, RAISED)], False),
    ],
)
def test_what_ends_the_others_at_once(ends: list[tuple[int, Outcome | Lost]], at_once: bool) -> None:
    made = gang()
    assert [end(made, *each) for each in ends][-1] is at_once


def test_a_rank_that_raised_may_be_the_victim_of_another_for_a_moment() -> None:
    made = gang()
    assert made.due is None
    end(made, 0, RAISED)
    assert made.due is not None


@pytest.mark.parametrize(
    ("ends", "state", "message"),
    [
        ([(0, FINISHED), (1, FINISHED)], State.FINISHED, ""),
        ([(1, FINISHED), (0, PRUNED)], State.PRUNED, ""),
        ([(0, PRUNED), (1, ENDED)], State.PRUNED, ""),
        ([(0, PRUNED), (1, RAISED)], State.PRUNED, ""),
        ([(1, RAISED), (0, ENDED)], State.FAILED, "rank 1: ValueError: no"),
        ([(0, RAISED), (1, RAISED)], State.FAILED, "ValueError: no"),
        ([(0, FINISHED), (1, RAISED)], State.FAILED, "rank 1: ValueError: no"),
        ([(0, RAISED), (1, ABORTED)], State.FAILED, "ValueError: no"),
        ([(0, RAISED), (1, EXITED), (2, ENDED)], State.FAILED, "ValueError: no"),
        ([(0, RAISED), (1, TIMEOUT)], State.KILLED, "rank 1: over the limit of 1 s"),
    ],
)
def test_the_end_of_all_is_that_of_the_rank_that_caused_it(
    ends: list[tuple[int, Outcome]], state: State, message: str
) -> None:
    made = gang(len(ends))
    for each in ends:
        end(made, *each)
    verdict = made.verdict(again=True)
    assert isinstance(verdict, Ended)
    assert (verdict.attempt, verdict.outcome.state, verdict.outcome.message) == ("7.0.1", state, message)
    assert verdict.outcome.host == "a, b"
    assert verdict.outcome.metrics == (made.ends[0].outcome.metrics if state is not State.FAILED else {})  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("ends", "said", "charged"),
    [
        ([(0, RAISED), (1, SIGNAL)], "rank 1: ended by signal 9; it had printed: last words", True),
        ([(0, RAISED), (1, Lost("7.0.1.1", "worker on b: gone"))], "rank 1: worker on b: gone", True),
        ([(1, Lost("7.0.1.1", "it moves", charged=False)), (0, ENDED)], "rank 1: it moves", False),
        ([(1, SIGNAL), (0, Lost("7.0.1", "gone", charged=False))], "rank 0: gone", False),
        ([(1, ABORTED), (0, RAISED)], "rank 1: ended by signal 6 (SIGABRT)", True),
        ([(0, TAKEN), (1, RAISED)], PORT_TAKEN, False),
    ],
)
def test_a_rank_that_is_gone_loses_the_attempt(
    ends: list[tuple[int, Outcome | Lost]], said: str, charged: bool
) -> None:
    """Whoever raised for it."""
    made = gang()
    for each in ends:
        end(made, *each)
    assert made.verdict(again=True) == Lost("7.0.1", said, charged)


def test_a_port_that_is_taken_again_and_again_is_the_objectives_own_error() -> None:
    made = gang()
    end(made, 0, TAKEN)
    end(made, 1, ENDED)
    verdict = made.verdict(again=False)
    assert isinstance(verdict, Ended)
    assert verdict.outcome.state is State.FAILED


def test_what_was_stopped_is_killed_however_its_ranks_ended() -> None:
    made = gang()
    made.stopped = "cancelled"
    end(made, 0, SIGNAL)
    end(made, 1, Lost("7.0.1.1", "gone"))
    verdict = made.verdict(again=True)
    assert isinstance(verdict, Ended)
    assert (verdict.outcome.state, verdict.outcome.reason) == (State.KILLED, "cancelled")


def test_a_loss_before_the_ranks_began_is_charged_to_nobody() -> None:
    made = gang()
    made.begun = False
    end(made, 1, Lost("7.0.1.1", "gone"))
    assert made.verdict(again=True) == Lost("7.0.1", "rank 1: gone", charged=False)


def test_what_the_first_rank_left_goes_with_an_attempt_that_is_lost(tmp_path: Path) -> None:
    left = tmp_path / "left"
    left.mkdir()
    (left / "file").write_text("of an attempt that nobody accepts")
    made = gang()
    end(made, 0, Outcome(State.FINISHED, {"loss": 1.0}, artifacts=str(left)))
    end(made, 1, SIGNAL)
    assert isinstance(made.verdict(again=True), Lost)
    assert not left.exists()


def test_logs_of_others_come_behind_that_of_the_first_with_their_rank() -> None:
    made = gang(3)
    for rank, log in enumerate(["first", "second", "third" * 10_000]):
        end(made, 2 - rank, Outcome(State.FINISHED, {"loss": 1.0}, log=["first", "", log][2 - rank]))
    verdict = made.verdict(again=True)
    assert isinstance(verdict, Ended)
    assert verdict.outcome.log.startswith("first\n--- rank 2 ---\n")
    assert "rank 1" not in verdict.outcome.log
    assert len(verdict.outcome.log) < 20_000


class Exchange:
    """A gathering of two ranks, and what it sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, Gathered, bytes]] = []
        self.gathering = Gathering(["a", "b"], lambda *sent: self.sent.append(sent))

    def give(self, who: str, number: int, value: bytes) -> None:
        self.gathering.take(Gather(who, number), value)


def test_a_round_is_over_when_all_have_given() -> None:
    exchange = Exchange()
    exchange.give("b", 1, b"22")
    assert exchange.sent == []
    exchange.give("a", 1, b"1")
    assert exchange.sent == [(who, Gathered(who, 1, [1, 2]), b"122") for who in ("a", "b")]
    exchange.give("a", 2, b"")
    exchange.give("b", 2, b"")
    assert exchange.sent[-1] == ("b", Gathered("b", 2, [0, 0]), b"")


@pytest.mark.parametrize(("who", "number", "size"), [("a", 1, 1), ("b", 2, 1), ("b", 0, 1), ("b", 1, GATHER_LIMIT)])
def test_what_cannot_be_given_is_refused(who: str, number: int, size: int) -> None:
    """Twice, in another round, or too large."""
    exchange = Exchange()
    exchange.give("a", 1, b"1")
    with pytest.raises(BadMessage, match="a rank gave"):
        exchange.give(who, number, bytes(size))


def test_nobody_waits_for_a_rank_that_has_ended() -> None:
    """Neither who waits already, nor who comes later, as often as that may be."""
    exchange = Exchange()
    exchange.give("a", 1, b"1")
    exchange.gathering.ended(1)
    exchange.give("a", 2, b"1")
    assert [(who, message.number, message.sizes) for who, message, _ in exchange.sent] == [("a", 1, []), ("a", 2, [])]
    assert {message.refused for _, message, _ in exchange.sent} == {
        "rank 1 has ended, and gives nothing to the others any more"
    }


def test_ranks_are_counted_by_host_as_torchrun_does() -> None:
    ranks = Gang.of(Attempt(Trial(7, {}), Unit(7), 2), 3, lambda *_: None).ranks
    found = environments(ranks, ["a", "a", "b"], "10.0.0.1", 4321)
    names = ("RANK", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "GROUP_RANK", "ROLE_RANK")
    assert [[env[name] for name in names] for env in found] == [[0, 0, 2, 0, 0], [1, 1, 2, 0, 1], [2, 0, 1, 1, 2]]
    shared = {"WORLD_SIZE": 3, "GROUP_WORLD_SIZE": 2, "MASTER_ADDR": "10.0.0.1", "MASTER_PORT": 4321}
    shared |= {"TORCHELASTIC_RUN_ID": "7.0.2", "TORCHELASTIC_RESTART_COUNT": 1}
    assert all(shared.items() <= env.items() for env in found)
