"""What the last monitoring run said, as it is kept for whoever acts on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

__all__ = ["Standing"]


@dataclass(frozen=True)
class Standing:
    """Where columns and limits stand.

    Attributes:
        run: id of the monitoring job, in its tables.
        score: the column of the scores.
        drifted: column to a sentence about it.
        calm: the other columns that could be judged.
        passed: limit of the quality that is passed, to a sentence about it.
        kept: the other limits that could be judged.
    """

    run: str
    score: str
    drifted: Mapping[str, str] = field(default_factory=dict)
    calm: tuple[str, ...] = ()
    passed: Mapping[str, str] = field(default_factory=dict)
    kept: tuple[str, ...] = ()

    def to_json(self) -> dict[str, object]:
        """Plain values."""
        return asdict(self) | {"calm": list(self.calm), "kept": list(self.kept)}

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Standing:
        """The inverse."""
        return cls(**(dict(plain) | {name: tuple(plain[name]) for name in ("calm", "kept")}))
