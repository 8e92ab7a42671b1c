"""The alias moves to the candidate, whatever other promotions do meanwhile.

A move names the champion it replaces. If that one is gone, the candidate is compared with the new one. Stores without a
lock let another host's move come between the look and the write, so a candidate marks its version before it moves the
alias and looks for other marks afterwards: of two that passed each other at least the later one sees both, and the
better one gets the alias.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import reduce
from types import MappingProxyType
from typing import NamedTuple

from sparkml_track.errors import DataError, RegistryError
from sparkml_track.promotion._decisions import PENDING, REJECTED, WITHDRAWN
from sparkml_track.promotion._gate import decide, figures, outlasts
from sparkml_track.promotion._moves import move_champion
from sparkml_track.promotion._spec import Measured, Promotion
from sparkml_track.refs import ModelRef
from sparkml_track.registries import ALIAS_CHALLENGER, ALIAS_CHAMPION, Registry
from sparkml_track.schema import TAG_APPROVAL, TAG_REPLACES, TAG_VERDICT, TAG_VERDICT_WHY

__all__ = ["Race", "Settled"]

_TRIES = 20  # moves of the alias by others


class Settled(NamedTuple):
    """How a promotion ended."""

    champion: Measured | None
    alias: str
    reason: str


@dataclass(frozen=True, slots=True)
class Race:
    """One candidate on its way to the alias.

    Attributes:
        spec: what decides.
        registry: where versions are.
        measure: a version on the pinned test data.
        candidate: as measured.
        baselines: as measured.
        known: verdicts by version when the promotion started.
    """

    spec: Promotion
    registry: Registry
    measure: Callable[[ModelRef], Measured]
    candidate: Measured
    baselines: Sequence[Measured]
    known: Mapping[int, str]

    @property
    def own(self) -> ModelRef:
        """The candidate's version."""
        assert self.candidate.ref is not None
        return self.candidate.ref

    def run(self, champion: ModelRef | None) -> Settled:
        """Compares with the champion until the alias is where it belongs.

        Raises:
            RegistryError: the alias moved more often than anybody can follow.
        """
        for _ in range(_TRIES):
            settled = self._judged(champion)
            if settled.alias != ALIAS_CHAMPION:
                return settled
            if move_champion(self.registry, champion, self.own):
                return self._checked(settled)
            champion = self.registry.alias(self.spec.model, ALIAS_CHAMPION)
            if champion == self.own:
                return self._checked(settled)
        raise self._restless()

    def _judged(self, champion: ModelRef | None) -> Settled:
        before = None if champion is None else replace(self.measure(champion), name="champion")
        opponents = [*self.baselines, *([before] if before else [])]
        alias, reason = decide(self.spec, self.candidate, opponents)
        if alias != ALIAS_CHAMPION or not self.spec.approval:
            return self._marked(Settled(before, alias, reason))
        waits = {TAG_APPROVAL: PENDING, TAG_REPLACES: str(champion.version) if champion else ""}
        return self._marked(Settled(before, ALIAS_CHALLENGER, f"{reason}; waits for approval"), waits)

    def _marked(self, settled: Settled, more: Mapping[str, str] = MappingProxyType({})) -> Settled:
        tags = {TAG_VERDICT: settled.alias, TAG_VERDICT_WHY: settled.reason, **more}
        self.registry.annotate(self.own, figures(self.candidate, self.baselines, settled.champion), tags)
        if settled.alias == ALIAS_CHALLENGER:
            self.registry.set_alias(self.spec.model, ALIAS_CHALLENGER, self.own.version)
        return settled

    def _checked(self, settled: Settled) -> Settled:
        """Gives way to a better candidate that came through the gate at the same time, and takes back from a worse.

        The alias is taken only from versions that were compared: one that came while others were measured is compared
        first, and where a person moved it, it stays.
        """
        for _ in range(_TRIES):
            marks = self._marks()
            compared = [self.candidate, *self._measured(marks)]
            best = reduce(lambda one, other: other if outlasts(self.spec, other, one) else one, compared)
            assert best.ref is not None
            now = self.registry.alias(self.spec.model, ALIAS_CHAMPION)
            if now == best.ref:
                break
            if any(now == each.ref for each in compared):
                if move_champion(self.registry, now, best.ref):
                    now = best.ref
                    break
            elif now is None or now.version in marks or now.version not in self._marks():
                break
        else:
            raise self._restless()
        if now == self.own:
            return settled
        if best.ref == self.own:
            reason = f"the champion was moved to {now or 'no version'} meanwhile"
            return self._marked(Settled(settled.champion, ALIAS_CHALLENGER, reason))
        reason = f"{best.ref}, registered at the same time, is not beaten"
        return self._marked(Settled(replace(best, name="champion"), ALIAS_CHALLENGER, reason))

    def _restless(self) -> RegistryError:
        return RegistryError(
            f"the champion of {self.spec.model} moved {_TRIES} times during the comparison, so {self.own} got no "
            "alias; register again when no other promotion runs"
        )

    def _marks(self) -> list[int]:
        """Other versions that came through the gate since this promotion started, and that nobody took back."""
        found = self.registry.tagged(self.spec.model, TAG_VERDICT)
        said = self.registry.tagged(self.spec.model, TAG_APPROVAL)
        return [
            version
            for version, verdict in found.items()
            if verdict == ALIAS_CHAMPION != self.known.get(version)
            and version != self.own.version
            and said.get(version) not in (REJECTED, WITHDRAWN)
        ]

    def _measured(self, versions: Iterable[int]) -> Iterator[Measured]:
        for version in versions:
            # One that cannot be measured on this data cannot be compared, and stays where it is.
            with suppress(DataError):
                yield self.measure(self.registry.version(self.spec.model, version))
