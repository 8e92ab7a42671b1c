"""Versions side by side: what is different about them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from sparkml_track.registries import Registry, Signature, VersionFacts

__all__ = ["Compared", "compare_versions"]

_T = TypeVar("_T")
Row = tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class Compared:
    """Versions side by side; each row has one value for each version, None where it has none.

    Attributes:
        versions: in the order asked.
        metrics: of the candidates on their test rows ("test.NAME"), all of them.
        params: those that differ.
        data: table versions that differ, by data name.
        inputs: columns whose types differ, or that not all have.
    """

    versions: tuple[int, ...]
    metrics: Mapping[str, tuple[float | None, ...]] = field(default_factory=dict)
    params: Mapping[str, Row] = field(default_factory=dict)
    data: Mapping[str, Row] = field(default_factory=dict)
    inputs: Mapping[str, Row] = field(default_factory=dict)


def compare_versions(registry: Registry, name: str, versions: Sequence[int]) -> Compared:
    """Compares versions of a model.

    Raises:
        RegistryError: one is not there, or its files are not those that were registered.
    """
    facts = [registry.facts(registry.version(name, each)) for each in versions]
    signatures = [registry.signature(each.ref) for each in facts]
    return Compared(
        versions=tuple(versions),
        metrics=_metrics(facts),
        params=_different(facts, lambda each: each.params),
        data=_different(facts, lambda each: each.data),
        inputs=_different(signatures, _types),
    )


def _metrics(facts: Sequence[VersionFacts]) -> dict[str, tuple[float | None, ...]]:
    names = sorted({name for each in facts for name in each.metrics if name.startswith("test.")})
    return {name.removeprefix("test."): tuple(each.metrics.get(name) for each in facts) for name in names}


def _types(signature: Signature) -> Mapping[str, str]:
    return {each.name: each.type for each in signature.inputs}


def _different(things: Sequence[_T], part: Callable[[_T], Mapping[str, str]]) -> dict[str, Row]:
    parts = [part(each) for each in things]
    names = dict.fromkeys(name for each in parts for name in each)
    rows = {name: tuple(each.get(name) for each in parts) for name in names}
    return {name: row for name, row in sorted(rows.items()) if len(set(row)) > 1}
