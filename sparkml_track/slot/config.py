"""What a worker is given."""

from __future__ import annotations

from dataclasses import dataclass

from .wire.frames import Address

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
        slot: numbers this worker.
        gpus: addresses of the slot's accelerators, the only ones an attempt sees.
        certificate: of the broker, in PEM, where connections to it are encrypted; empty where not.
        linger: seconds for which the template waits for another worker when the last has left.
        connect_timeout: seconds on an idle machine.
        artifacts: folder on shared storage for what attempts leave; empty where that is sent.
        folder: that of the driver, in which attempts begin; empty where slots have another file system.
    """

    address: Address
    secret: bytes
    token: str
    work: str
    data: tuple[str, ...] = ()
    path: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    fresh: bool = False
    slot: int = 0
    code: tuple[str, ...] = ()
    linger: float = 0.0
    gpus: str = ""
    certificate: str = ""
    connect_timeout: float = 10.0
    artifacts: str = ""
    folder: str = ""
