"""Exceptions of objectives, which come from slots as names and texts: nothing is unpickled."""

from __future__ import annotations

import builtins
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sparkml_track.errors import SparkmlError

__all__ = ["Failure", "failure_of"]

_MOST = 50


@dataclass(frozen=True, slots=True)
class Failure:
    """What is known of an exception.

    Attributes:
        names: ``module.class`` of its type and of its bases, in the order of resolution.
        text: its own.
        trace: the traceback in the slot.
    """

    names: tuple[str, ...]
    text: str
    trace: str = ""

    @property
    def name(self) -> str:
        """Of its class."""
        return self.names[0].removeprefix("builtins.") if self.names else "Exception"

    def is_one_of(self, kinds: Iterable[type[BaseException]]) -> bool:
        """As ``isinstance``, by name."""
        return any(f"{kind.__module__}.{kind.__qualname__}" in self.names for kind in kinds)

    def exception(self, number: int) -> Exception:
        """One that can be raised: of its class if that is built into Python, else of its nearest base that is.

        Args:
            number: of the trial.

        Returns:
            A ``SparkmlError`` where there is no such base but ``Exception``.
        """
        error = self._built()
        if error is None:
            error = SparkmlError(
                f"the objective of trial {number} raised {self.name}: {self.text}; its class cannot be made anew "
                "here, so `except` takes SparkmlError; `catch` takes the class itself"
            )
        error.add_note(f"trial {number}, in a slot:\n{self.trace}")
        return error

    def _built(self) -> Exception | None:
        for name in self.names:
            kind = getattr(builtins, name.removeprefix("builtins."), None) if name.startswith("builtins.") else None
            if not isinstance(kind, type) or not issubclass(kind, Exception):
                continue
            if kind is Exception and name != self.names[0]:
                return None
            try:
                return kind(self.text if name == self.names[0] else f"{self.name}: {self.text}")
            except Exception:  # noqa: BLE001, S112 - UnicodeDecodeError takes five arguments
                continue
        return None


def failure_of(said: object) -> Failure:
    """What a slot said of an exception, taken for what it may be."""
    said = said if isinstance(said, Mapping) else {}
    names = said.get("names")
    names = names[:_MOST] if isinstance(names, list) else []
    texts = [said.get(key) for key in ("text", "trace")]
    text, trace = (one if isinstance(one, str) else "" for one in texts)
    return Failure(tuple(name for name in names if isinstance(name, str)), text, trace)
