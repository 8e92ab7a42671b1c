"""What is served, how traffic is split, what is refused and what is kept."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sparkml_track.errors import SpecError
from sparkml_track.registries import ALIAS_CHAMPION

__all__ = ["KINDS", "LOOPBACK", "Limits", "Recording", "Serving", "table_prefix"]

#: The types of columns that a request may have, by the names of MLflow's.
KINDS = ("boolean", "integer", "long", "float", "double", "string", "datetime", "binary")
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_SHORTEST_TOKEN = 16
_HEADER = re.compile(r"[A-Za-z0-9-]{1,64}")
_PREFIX = re.compile(r"([A-Za-z_]\w{0,100}\.){0,2}[A-Za-z_]\w{0,100}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Limits:
    """What one process takes.

    Attributes:
        rows: of one request.
        bytes: of the body of one request.
        seconds: from the first byte of a request to its answer.
        concurrency: requests in hand; more are sent away with 429.
        threads: that ask models.
        together: requests that one thread may answer at once, where they waited for it; 1 asks for each alone.
    """

    rows: int = 10_000
    bytes: int = 10_000_000
    seconds: float = 30.0
    concurrency: int = 64
    threads: int = 4
    together: int = 32

    def __post_init__(self) -> None:
        names = ("rows", "bytes", "concurrency", "threads", "together")
        counts: dict[str, int] = {name: getattr(self, name) for name in names}
        wrong = [f"limits.{name} is {value}, it must be at least 1" for name, value in counts.items() if value < 1]
        if not (math.isfinite(self.seconds) and self.seconds > 0):
            wrong.append(f"limits.seconds is {self.seconds}, it must be more than 0")
        if wrong:
            raise SpecError(*wrong)


@dataclass(frozen=True, slots=True)
class Recording:
    """What is kept of requests, in the inference tables.

    Attributes:
        tables: the prefix of their names: ``<tables>_payload``, ``<tables>_rows``, ``<tables>_shadow``.
        folder: where records lie until they are in the tables; on a disk that survives a restart.
        sampling: the share of requests that is kept.
        every: seconds between two commits.
        most_bytes: of records that wait; more are dropped and counted.
        keep: more columns of requests, by type, that the rows have; null where a request lacks them.
    """

    tables: str
    folder: Path
    sampling: float = 1.0
    every: float = 10.0
    most_bytes: int = 2**30
    keep: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        wrong = []
        if not _PREFIX.fullmatch(self.tables):
            wrong.append(
                f"the inference tables' name is {self.tables!r}, it must be one to three identifiers with dots"
            )
        if not 0 < self.sampling <= 1:
            wrong.append(f"sampling is {self.sampling}, it must be more than 0 and at most 1")
        if not (math.isfinite(self.every) and self.every > 0):
            wrong.append(f"every is {self.every}, it must be more than 0 seconds")
        if self.most_bytes < 1:
            wrong.append(f"most_bytes is {self.most_bytes}, it must be at least 1")
        wrong += [
            f"keep.{name} is {kind!r}, it must be one of {', '.join(KINDS)}"
            for name, kind in self.keep.items()
            if kind not in KINDS
        ]
        if wrong:
            raise SpecError(*wrong)


@dataclass(frozen=True, slots=True)
class Serving:
    """One endpoint.

    Attributes:
        model: the registered name.
        routes: alias (or version number, as text) to its share of the requests; shares need not sum to 100. An alias
            that points to no version gives its share to the others.
        shadow: aliases whose versions score each request aside that another version answered, and never answer.
        sticky: the header whose value decides the route, so that one client stays on one; None spreads requests.
        reload: seconds between two looks at the aliases.
        host: on which it listens.
        port: on which it listens; 0 takes a free one.
        token: that requests must bear; needed beyond loopback.
        limits: what one process takes.
        recording: None keeps nothing.
    """

    model: str
    routes: Mapping[str, float] = field(default_factory=lambda: {ALIAS_CHAMPION: 100.0})
    shadow: tuple[str, ...] = ()
    sticky: str | None = None
    reload: float = 10.0
    host: str = "127.0.0.1"
    port: int = 0
    token: str | None = field(default=None, repr=False)
    limits: Limits = field(default_factory=Limits)
    recording: Recording | None = None

    def __post_init__(self) -> None:
        wrong = list(self._wrong())
        if wrong:
            raise SpecError(*wrong)

    def _wrong(self) -> Iterator[str]:
        for alias, share in self.routes.items():
            if not (math.isfinite(share) and share >= 0):
                yield f"routes.{alias} is {share}, it must be a number from 0"
        if not any(self.routes.values()):
            yield f"routes are {dict(self.routes)}, one alias at least must have a share above 0"
        if self.sticky is not None and not _HEADER.fullmatch(self.sticky):
            yield f"sticky is {self.sticky!r}, it must be the name of a header such as x-client"
        if not (math.isfinite(self.reload) and self.reload > 0):
            yield f"reload is {self.reload}, it must be more than 0 seconds"
        if self.token is not None and (len(self.token) < _SHORTEST_TOKEN or not self.token.isascii()):
            yield f"the token must have at least {_SHORTEST_TOKEN} characters, all of them ASCII"
        if self.token is None and self.host not in LOOPBACK:
            yield (
                f"on {self.host} anybody on the network could ask the model: give a token file, or listen on 127.0.0.1"
            )


def table_prefix(model: str) -> str:
    """A name that tables may have, made of that of a model."""
    name = re.sub(r"\W", "_", model, flags=re.ASCII)[:100]
    return name if re.match(r"[A-Za-z_]", name) else f"m_{name}"
