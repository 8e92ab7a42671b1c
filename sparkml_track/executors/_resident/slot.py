"""The places of workers, and the bounds of waiting for them."""

from __future__ import annotations

import os
import socket
import ssl
import time
from collections import deque
from dataclasses import dataclass, field

from sparkml_track.errors import SetupError
from sparkml_track.executors._resident.broker import Broker, Connection
from sparkml_track.trial import Attempt

__all__ = ["Limits", "ListenAddress", "Slot", "open_broker", "own_address"]


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of waiting, in seconds.

    Attributes:
        first: until the first worker is there.
        silent: without a sign of life, after which a worker counts as lost.
        load: the same, while it fetches data and loads the objective.
        none: without any worker, after which the executor gives up.
        check: between looks at the launcher.
        look: between looks at what else the Spark application does.
        idle: without work, after which a worker gives its slot back.
        leave: for workers to leave at the end before they are ended by force.
        stay: for which workers wait for another sweep.
        few: with fewer slots than a gang needs, where more may come, after which the executor gives up.
    """

    first: float = 120.0
    silent: float = 15.0
    load: float = 120.0
    none: float = 60.0
    check: float = 0.25
    look: float = 1.0
    idle: float = 5.0
    leave: float = 3.0
    stay: float = 0.0
    few: float = 30.0


@dataclass(frozen=True, slots=True)
class ListenAddress:
    """Where the broker listens.

    Attributes:
        bind: address of this host.
        port: 0 for any free one.
        advertise: name or address that slots connect to, if not ``bind``.
        tls: connections are encrypted, with a certificate that is made for this one broker.
    """

    bind: str
    port: int = 0
    advertise: str | None = None
    tls: bool = False


@dataclass(eq=False)
class Slot:
    """One worker's place.

    Attributes:
        connection: of the worker that is there.
        ready: it has loaded the objective.
        leaving: it is given nothing more, and goes when its last attempt has ended.
        rests: it went because there was nothing to do; nobody is started until there is.
        ahead: attempts it was given, the first one runs.
        launches: starts in a row without a worker that became ready.
        idle_since: by the monotonic clock.
        moving: it goes for no fault of its attempt, as when Spark decommissions its executor; a loss is not charged.
        standby: another worker for this slot, and its host; not welcomed yet.
    """

    number: int
    connection: Connection | None = None
    host: str = ""
    ready: bool = False
    leaving: bool = False
    rests: bool = False
    ahead: deque[Attempt] = field(default_factory=deque)
    launches: int = 0
    moving: bool = False
    standby: tuple[Connection, str] | None = None
    idle_since: float = 0.0

    def begin(self) -> None:
        """Another executor begins; a worker that is there has not loaded its work yet."""
        self.ready = self.leaving = self.moving = self.rests = False
        self.launches, self.idle_since = 0, time.monotonic()
        if self.connection is not None:
            self.connection.heard = time.monotonic()

    @property
    def stands_by(self) -> bool:
        """Whether another worker waits for this slot."""
        return self.standby is not None and not self.standby[0].closed

    @property
    def takes(self) -> bool:
        """Whether it can be given attempts."""
        return self.ready and not self.leaving


def open_broker(
    secret: bytes, listen: ListenAddress | None, *, shared_host: bool, folder: str | None = None
) -> tuple[Broker, str]:
    """Opens the broker: on a Unix socket, in ``folder``, where all slots share the driver's host, else on TCP.

    Returns:
        The broker, and the certificate (PEM) that its workers are given; empty without TLS.

    Raises:
        SetupError: the address is taken or is not of this host, or what TLS needs is missing.
    """
    if listen is None and shared_host:
        return Broker(secret, folder=folder), ""
    listen = listen or ListenAddress(own_address())
    tls, certificate = _certificate() if listen.tls else (None, "")
    try:
        return Broker(secret, listen.bind, listen.port, listen.advertise, tls=tls), certificate
    except OSError as error:
        raise SetupError(
            f"the broker cannot listen on {listen.bind}:{listen.port}: {error.strerror or error}; set "
            "spark.sparkml.broker.port to a free port, or to 0 for any, and spark.driver.bindAddress to an address of "
            "this host"
        ) from None


def _certificate() -> tuple[ssl.SSLContext, str]:
    try:
        from sparkml_track.executors._resident.certificate import own_certificate
    except ImportError as error:
        raise SetupError(
            f"spark.sparkml.broker.tls is true, and the certificate cannot be made: {error}; install the package "
            "cryptography on the driver, or set it to false"
        ) from None
    return own_certificate()


def own_address() -> str:
    """The address by which other hosts reach this one, as Spark would choose it."""
    chosen = os.environ.get("SPARK_LOCAL_IP")
    if chosen:
        return chosen
    try:
        return socket.gethostbyname(socket.gethostname())
    except OSError:
        return "127.0.0.1"
