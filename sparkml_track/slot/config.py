"""What a worker is given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from .wire.frames import PAYLOAD_LIMIT, Address

__all__ = ["Config"]


@dataclass(frozen=True)
class Config:
    """What a worker is given in the task's closure.

    Attributes:
        address: of the broker.
        secret: shared with it.
        token: names the executor instance; the host's folder is called so.
        work: digest of the blob with the objective.
        data: digests of the files it reads.
        path: entries for sys.path, where slots share the driver's file system.
        code: digests of zips that go on sys.path, where they do not.
        env: for the template: thread caps.
        fresh: a new child for each attempt.
        kept: no child is replaced for the time that it has worked.
        slot: numbers this worker.
        gpus: addresses of the slot's accelerators, the only ones an attempt sees.
        certificate: of the broker, in PEM, where connections to it are encrypted; empty where not.
        linger: seconds for which the template waits for another worker when the last has left.
        connect_timeout: seconds on an idle machine.
        artifacts: folder on shared storage for what attempts leave; empty where that is sent.
        payload_limit: bytes that an attempt may give back.
        folder: that of the driver, in which attempts begin; empty where slots have another file system.
        key: names all that the template is made of, so that another sweep may go on with it; empty where none will.
        base: the same, without what is of this sweep alone: names the process that templates are forked from.
        imports: libraries that it imports for them.
    """

    address: Address
    secret: bytes
    token: str
    work: str
    data: tuple[str, ...] = ()
    path: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    fresh: bool = False
    kept: bool = False
    slot: int = 0
    code: tuple[str, ...] = ()
    linger: float = 0.0
    gpus: str = ""
    certificate: str = ""
    connect_timeout: float = 10.0
    artifacts: str = ""
    payload_limit: int = PAYLOAD_LIMIT
    folder: str = ""
    key: str = ""
    base: str = ""
    imports: tuple[str, ...] = ()

    @property
    def digests(self) -> tuple[str, ...]:
        """Of all blobs that its host must have."""
        return (self.work, *self.code, *self.data)

    def fields(self) -> dict[str, object]:
        """What is of one sweep, for a worker that was started for another."""
        return {name: getattr(self, name) for name in _OF_A_SWEEP}

    def taken_over(self, fields: Mapping[str, object]) -> Config:
        """The same worker, for the sweep with these ``fields``."""
        known = {name: fields[name] for name in _OF_A_SWEEP}
        return replace(self, **{name: _tuples(value) for name, value in known.items()})  # type: ignore[arg-type]


_OF_A_SWEEP = (
    *("work", "data", "path", "env", "fresh", "kept", "code", "artifacts", "payload_limit", "folder"),
    *("key", "base", "imports"),
)


def _tuples(value: object) -> object:
    """JSON has lists only."""
    return tuple(map(_tuples, value)) if isinstance(value, list | tuple) else value
