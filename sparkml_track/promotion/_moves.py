"""People move the champion: they approve what waits, reject it, promote by hand, and roll back.

Each version that becomes champion has the tag ``TAG_REPLACES`` with the number of the one before it. So the way back is
in the registry itself, whoever moved the alias: the gate, an approval or a person.
"""

from __future__ import annotations

from sparkml_track.errors import InvalidInput, RegistryError
from sparkml_track.promotion._decisions import APPROVED, PENDING, REJECTED, WITHDRAWN, decided
from sparkml_track.refs import ModelRef
from sparkml_track.registries import ALIAS_CHALLENGER, ALIAS_CHAMPION, Registry
from sparkml_track.schema import TAG_APPROVAL, TAG_REPLACES, TAG_VERDICT

__all__ = ["approve", "move_champion", "promote", "reject", "rollback"]


def move_champion(registry: Registry, expected: ModelRef | None, to: ModelRef) -> bool:
    """Makes a version champion if the champion is still the expected one; the way back is recorded before."""
    if expected == to:
        return registry.alias(to.name, ALIAS_CHAMPION) == to
    registry.annotate(to, {}, {TAG_REPLACES: str(expected.version) if expected else ""})
    return registry.move_alias(to.name, ALIAS_CHAMPION, expected, to.version)


def approve(registry: Registry, ref: ModelRef, why: str = "") -> ModelRef | None:
    """Makes a version champion that came through the gate and waits.

    Args:
        registry: where it is.
        ref: the version.
        why: kept with the decision.

    Returns:
        The champion that it replaces, None where there was none.

    Raises:
        InvalidInput: it does not wait, or the champion is no longer the one that it was compared with.
    """
    tags = registry.tags(ref)
    _require_pending(ref, tags.get(TAG_APPROVAL))
    champion = registry.alias(ref.name, ALIAS_CHAMPION)
    if tags.get(TAG_REPLACES, "") != (str(champion.version) if champion else ""):
        was = f"version {tags[TAG_REPLACES]}" if tags.get(TAG_REPLACES) else "no champion"
        raise InvalidInput(
            f"{ref} was compared with {was}, and the champion is {champion or 'nobody'} by now, so the gate's verdict "
            "does not hold; register it again, or promote it by hand"
        )
    _moved(registry, champion, ref)
    registry.annotate(ref, {}, {TAG_VERDICT: ALIAS_CHAMPION})
    decided(registry, ref, APPROVED, why)
    if registry.alias(ref.name, ALIAS_CHALLENGER) == ref:
        registry.drop_alias(ref.name, ALIAS_CHALLENGER)
    return champion


def reject(registry: Registry, ref: ModelRef, why: str = "") -> None:
    """Ends the waiting of a version; it stays registered, and cannot be approved any more.

    Raises:
        InvalidInput: it does not wait.
    """
    _require_pending(ref, registry.tags(ref).get(TAG_APPROVAL))
    decided(registry, ref, REJECTED, why)


def promote(registry: Registry, ref: ModelRef, why: str = "") -> ModelRef | None:
    """Makes any version champion, without a gate; gives the one it replaces.

    Raises:
        InvalidInput: it is champion.
        RegistryError: the champion was moved meanwhile.
    """
    champion = registry.alias(ref.name, ALIAS_CHAMPION)
    if champion == ref:
        raise InvalidInput(f"{ref} is the champion already")
    _moved(registry, champion, ref)
    decided(registry, ref, APPROVED, why, "promoted")
    return champion


def rollback(registry: Registry, name: str, why: str = "") -> tuple[ModelRef, ModelRef]:
    """Makes the former champion champion again; the present one counts as withdrawn.

    Args:
        registry: where the model is.
        name: of the model.
        why: kept with the decision.

    Returns:
        The withdrawn version, and the champion of now.

    Raises:
        InvalidInput: there is no champion, or none before it.
        RegistryError: the champion was moved meanwhile.
    """
    champion = registry.alias(name, ALIAS_CHAMPION)
    if champion is None:
        raise InvalidInput(f"the model {name!r} has no champion in {registry.uri}, so there is nothing to roll back")
    former = _former(registry, champion)
    # Not ``move_champion``: the former one keeps its own predecessor, so that the next rollback goes further back.
    if not registry.move_alias(name, ALIAS_CHAMPION, champion, former.version):
        raise _elsewhere(registry, name)
    decided(registry, champion, WITHDRAWN, why)
    return champion, former


def _former(registry: Registry, champion: ModelRef) -> ModelRef:
    """The nearest predecessor that was not withdrawn."""
    seen, tags = {champion.version}, registry.tags(champion)
    while number := tags.get(TAG_REPLACES):
        former = registry.version(champion.name, int(number))
        tags = registry.tags(former)
        if former.version in seen:
            break
        if tags.get(TAG_APPROVAL) != WITHDRAWN:
            return former
        seen.add(former.version)
    raise InvalidInput(
        f"no champion before {champion} is on record that was not withdrawn; promote a version by its number instead"
    )


def _moved(registry: Registry, expected: ModelRef | None, to: ModelRef) -> None:
    if not move_champion(registry, expected, to):
        raise _elsewhere(registry, to.name)


def _elsewhere(registry: Registry, name: str) -> RegistryError:
    now = registry.alias(name, ALIAS_CHAMPION)
    return RegistryError(f"the champion of {name} was moved to {now} meanwhile; look at it and decide again")


def _require_pending(ref: ModelRef, stage: str | None) -> None:
    if stage != PENDING:
        raise InvalidInput(f"{ref} does not wait for approval: it is {stage or 'not subject to approval'}")
