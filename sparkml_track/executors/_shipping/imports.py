"""Which modules a pickle needs, read from its instructions without loading it."""

from __future__ import annotations

import pickletools
from collections.abc import Iterator
from itertools import islice

__all__ = ["modules_of"]

#: Instructions that are looked at; a pickle of many small objects has millions.
_MOST = 50_000


def modules_of(pickled: bytes) -> Iterator[str]:
    """Names of modules, of globals that are loaded by their names; those at the beginning of a long pickle."""
    texts: list[str] = []
    for opcode, argument, _ in islice(pickletools.genops(pickled), _MOST):
        if opcode.name == "GLOBAL":
            yield str(argument).partition(" ")[0]
        elif opcode.name == "STACK_GLOBAL" and len(texts) > 1:
            yield texts[-2]
        elif isinstance(argument, str):
            texts = [*texts[-1:], argument]
