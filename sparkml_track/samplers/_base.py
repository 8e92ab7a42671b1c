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
    a resumed or an earlier sweep): then ``number`` may be negative and ``params`` is the truth. A number is told
    once.
    Proposals differ from those that are unfinished, as long as the space has others. A sampler that is not adaptive
    proposes by the number alone, so that a resumed sweep goes on with the same points; one that is finite proposes
    each point once, and none that it was told or took note of.
    Parameters are in the shape of the space and are JSON values; the caller may keep and change them.
    Errors: none after construction, but ``SparkmlError`` for what the user can mend; ``tell`` and ``note`` raise
    ``SpaceError`` for parameters that are not of the space. Wrong spaces raise ``SpaceError`` in the constructor,
    wrong settings ``SpecError``, a library that is not installed ``SpecError``.

    Attributes:
        capabilities: see ``Capabilities``.
        size: how many points a finite sampler has at most, to be announced; None for the others.
    """

    capabilities: Capabilities
    size: int | None = None

    @abstractmethod
    def ask(self, number: int) -> Params | None:
        """Proposes the parameters of trial ``number``, shaped like the space; None if there are no more."""

    def note(self, number: int, params: Params) -> None:  # noqa: B027 - doing nothing is right for most
        """Takes note of a trial that is under way without having been asked for here.

        That is a point given by the user, or a trial of a resumed sweep that is executed again. Its end is told as
        any other's.
        """

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
