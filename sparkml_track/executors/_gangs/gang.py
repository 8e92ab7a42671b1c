"""One attempt of several processes: how its ranks ended, and what comes of that."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile

from sparkml_track.executors._base import Ended, Lost
from sparkml_track.executors._gangs.gathering import Gathering
from sparkml_track.slot.attempt.returned import clip
from sparkml_track.slot.host.trees import remove_tree
from sparkml_track.slot.wire.messages import Gathered
from sparkml_track.trial import Attempt, Outcome, State

__all__ = ["PORT_TAKEN", "Gang"]

#: Why an attempt counts as lost that did not find its port free.
PORT_TAKEN = "another process took the port that its ranks were to meet at"

#: Seconds for which a rank that raised may be the victim of another one, whose end is not known yet.
_VICTIM = 2.0
#: Characters of the logs of ranks that are kept beside that of the first.
_LOG = 16_384
#: How an end is known that came of another process having taken the port of the gang.
_TAKEN = ("eaddrinuse", "address already in use")
#: Reasons of a process that did not say how it ended.
_DIED = ("signal", "exit")
#: Of these, what libraries do themselves when they lose a rank: NCCL's watchdog aborts its process.
_AFTER_OTHERS = "(SIGABRT)"


@dataclass(eq=False)
class Gang:
    """See the module.

    Attributes:
        attempt: as it was submitted.
        ranks: the attempts of its ranks; the first has its id.
        gathering: what they give to each other.
        hosts: where they are; empty until they have slots.
        begun: they were let begin.
        ends: of those that ended, by rank, in the order known.
        stopped: why it was stopped; empty if it was not.
        killing: the ranks that have not ended are being ended.
        due: when a rank that raised is taken for the cause; None while none is.
    """

    attempt: Attempt
    ranks: list[Attempt]
    gathering: Gathering
    hosts: Sequence[str] = ()
    begun: bool = False
    ends: dict[int, Ended | Lost] = field(default_factory=dict)
    stopped: str = ""
    killing: bool = False
    due: float | None = None

    @classmethod
    def of(cls, attempt: Attempt, size: int, send: Callable[[str, Gathered, bytes], object]) -> Gang:
        """An attempt as so many ranks."""
        ranks = [replace(attempt, rank=rank, world=size) for rank in range(size)]
        return cls(attempt, ranks, Gathering([rank.id for rank in ranks], send))

    @property
    def host(self) -> str:
        """Where it runs."""
        return clip(", ".join(dict.fromkeys(self.hosts)), 200)

    @property
    def left(self) -> list[Attempt]:
        """Ranks that have not ended."""
        return [rank for rank in self.ranks if rank.rank not in self.ends]

    def take(self, rank: int, end: Ended | Lost) -> bool:
        """Takes how a rank ended; whether the others are to be ended at once."""
        self.ends[rank] = end
        self.gathering.ended(rank)
        if isinstance(end, Lost) or end.outcome.reason in _DIED:
            return True
        state = end.outcome.state
        if state is State.FAILED:  # as it does when one of the others has died
            self.due = self.due or time.monotonic() + _VICTIM
        return state is State.KILLED or (state is State.PRUNED and rank == 0)

    # -- what comes of it

    def verdict(self, *, again: bool) -> Ended | Lost:
        """How it ended, once all ranks have.

        Args:
            again: it may be tried again where its port was taken.
        """
        lost = self._loss(again=again)
        if lost is None:
            return Ended(self.attempt.id, self._outcome())
        first = self.ends.get(0)
        if isinstance(first, Ended) and first.outcome.artifacts:  # it was handed to us, and nobody wants it
            remove_tree(first.outcome.artifacts)
        return lost

    def _loss(self, *, again: bool) -> Lost | None:
        if self.stopped:
            return None
        for rank, end in self.ends.items():
            if isinstance(end, Lost):
                charged = self.begun and any(one.charged for one in self.ends.values() if isinstance(one, Lost))
                return Lost(self.attempt.id, f"rank {rank}: {end.message}", charged)
        for rank, outcome in self._outcomes():
            if outcome.reason in _DIED and not self._died_of_others(rank, outcome):
                said = f"; it had printed: {outcome.log[-500:]}" if outcome.log else ""
                return Lost(self.attempt.id, f"rank {rank}: {outcome.message}{said}", charged=True)
        raised = dict(self._outcomes()).get(0)
        taken = (
            raised is not None
            and raised.state is State.FAILED
            and any(text in raised.message.lower() for text in _TAKEN)
        )
        if taken and again:
            return Lost(self.attempt.id, PORT_TAKEN, charged=False)
        return None

    def _died_of_others(self, rank: int, outcome: Outcome) -> bool:
        """Whether another rank had raised before, and this one left in a way that may have come of it."""
        earlier = [one for _, one in takewhile(lambda each: each[0] != rank, self._outcomes())]
        may = outcome.reason == "exit" or _AFTER_OTHERS in outcome.message
        return may and any(one.state is State.FAILED and one.reason not in _DIED for one in earlier)

    def _outcomes(self) -> list[tuple[int, Outcome]]:
        return [(rank, end.outcome) for rank, end in self.ends.items() if isinstance(end, Ended)]

    def _outcome(self) -> Outcome:
        outcomes = dict(self._outcomes())
        if not outcomes:
            return Outcome(State.KILLED, reason=self.stopped, message=f"ended before it began: {self.stopped}")
        rank = self._cause(outcomes)
        cause, first = outcomes[rank], outcomes.get(0, outcomes[rank])
        message = f"rank {rank}: {cause.message}" if rank and cause.message else cause.message
        if self.stopped:
            cause, message = Outcome(State.KILLED, reason=self.stopped), f"ended: {self.stopped}"
        began = [outcome.started for outcome in outcomes.values() if outcome.started]
        return replace(
            cause,
            message=clip(message),
            log=self._log(outcomes),
            started=min(began, default=0.0),
            duration=max(outcome.duration for outcome in outcomes.values()),
            host=self.host,
            artifacts=first.artifacts,
            in_place=first.in_place,
        )

    @staticmethod
    def _cause(outcomes: dict[int, Outcome]) -> int:
        """The rank whose end is that of all; one that was ended for another's end is not."""
        for rank, outcome in outcomes.items():
            if outcome.state is State.KILLED and outcome.reason != "cancelled":
                return rank
        for rank, outcome in outcomes.items():
            if rank == 0 and outcome.state is State.PRUNED:  # what others raise afterwards comes of that
                return 0
            if outcome.state is State.FAILED:
                return rank
        return next(iter(outcomes)) if 0 not in outcomes else 0

    @staticmethod
    def _log(outcomes: dict[int, Outcome]) -> str:
        parts = [outcomes[0].log] if 0 in outcomes else []
        for rank in sorted(outcomes.keys() - {0}):
            if log := outcomes[rank].log:
                parts.append(f"--- rank {rank} ---\n{log[-_LOG:]}")
        return "\n".join(filter(None, parts))
