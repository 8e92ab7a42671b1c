"""Of which columns of files something is made; of a struct, of which each of its fields is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

__all__ = ["NOTHING", "Source", "Sources", "Struct", "all_of_them", "merged", "with_more"]


class Source(NamedTuple):
    """A column of files.

    Attributes:
        path: one of the files, or their folder.
        column: its name.
    """

    path: str
    column: str


Sources: TypeAlias = frozenset[Source]
NOTHING: Sources = frozenset()


class Struct(frozenset[Source]):
    """All that a struct is made of; what is done with the set forgets its fields.

    Attributes:
        fields: of what each is.
        own: what decides which struct it is.
    """

    fields: tuple[Sources, ...]
    own: Sources

    @classmethod
    def of(cls, fields: Sequence[Sources], own: Sources = NOTHING) -> Struct:
        """Of what it is, field by field."""
        made = cls(own.union(*fields))
        made.fields, made.own = tuple(fields), own
        return made

    def field(self, place: int) -> Sources:
        """Of what one field is."""
        return with_more(self.fields[place], self.own)


def all_of_them(each: Sequence[Sources]) -> Sources:
    """Of what some things are together."""
    return NOTHING.union(*each)


def with_more(made: Sources, more: Sources) -> Sources:
    """The same, by a choice that more decides."""
    return Struct.of(made.fields, made.own | more) if isinstance(made, Struct) else made | more


def merged(parts: Sequence[Sources]) -> Sources:
    """One of some things, whichever; something that is no struct is a null in its place."""
    structs = [part for part in parts if isinstance(part, Struct)]
    if len({len(each.fields) for each in structs}) != 1:
        return all_of_them(parts)
    others = [part for part in parts if not isinstance(part, Struct)]
    fields = [merged(same) for same in zip(*(each.fields for each in structs), strict=True)]
    return Struct.of(fields, all_of_them([each.own for each in structs] + others))
