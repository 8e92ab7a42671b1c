"""What a template is started with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

__all__ = ["TemplateSpec"]


@dataclass(frozen=True)
class TemplateSpec:
    """What a template is started with.

    Attributes:
        work: file with the pickled work.
        path: entries for its sys.path.
        env: for its environment.
        linger: seconds it waits for another worker when the last has left.
        own: names one that is not shared; empty for that of the host.
        folder: in which it begins; empty for that of whoever starts it.
        key: names what it is made of; empty where all of the host are made of the same.
        base: names the process that it is forked from; empty for one that is started anew.
        imports: libraries that this process imports first.
    """

    work: str
    path: Sequence[str] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    linger: float = 0.0
    own: str = ""
    folder: str = ""
    key: str = ""
    base: str = ""
    imports: Sequence[str] = ()

    @property
    def name(self) -> str:
        """How its socket and its lock end."""
        return self.own + (f"-{self.key[:16]}" if self.key else "")
