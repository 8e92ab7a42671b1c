"""The contract of samplers: ask and tell."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from sparkml_track.trial import Params, State

__all__ = ["Capabilities", "Sampler"]


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a sampler can do; the loop and the conformance case select by these.

    Attributes:
        adaptive: suggestions depend on what was told; others may be asked ahead without loss.
        repeatable: the same seed and the same order of asks and tells give the same suggestions.
        finite: it ends by itself (grid).
        multi_objective: takes more than one value.
    """

    adaptive: bool
    repeatable: bool = True
    finite: bool = False
    multi_objective: bool = False


class Sampler(ABC):
    """Proposes parameters.

    Ownership: one sweep. Threads: one thread at a time, not always the same one; no thread of its own.
    Order: ``ask`` is called with rising numbers; ``tell`` once for each asked trial, in any order, after any number
    of further asks. A told trial may also be one that this sampler was never asked for (a point given by the user,
    a resumed or an earlier sweep): then ``number`` may be negative and ``params`` is the truth.
    Proposals while earlier ones are unfinished must differ.
    Errors: none after construction, but ``SparkmlError`` for what the user can mend. Wrong spaces raise
    ``SpaceError`` in the constructor.

    Attributes:
        capabilities: see ``Capabilities``.
    """

    capabilities: Capabilities

    @abstractmethod
    def ask(self, number: int) -> Params | None:
        """Proposes the parameters of trial ``number``, shaped like the space; None if there are no more."""

    @abstractmethod
    def tell(self, number: int, params: Params, state: State, values: Sequence[float]) -> None:
        """Takes the end of a trial.

        Args:
            number: the trial's.
            params: as it was executed.
            state: FINISHED, PRUNED, FAILED or KILLED.
            values: one for each objective, lower is better (the loop turns "maximize" round); for PRUNED the last
                reported one; empty if there is none. Never nan.
        """
