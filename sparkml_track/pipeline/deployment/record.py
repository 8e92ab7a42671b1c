"""Which process is the endpoint of a project. It is written before the process runs, so one that runs is known."""

from __future__ import annotations

import json
import socket
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from sparkml_track.errors import SetupError
from sparkml_track.journals import alive, here
from sparkml_track.pipeline.files import write_whole

__all__ = ["EndpointRecord", "read_record", "write_record"]


@dataclass(frozen=True)
class EndpointRecord:
    """A process that serves.

    Attributes:
        pid: its id.
        start: when it started, in the kernel's own count.
        host: on which it runs.
        boot: the kernel's id of that start of the machine.
        pids: the namespace of its id.
        model: the registered name.
        digest: of all that it was started with.
        log: what it prints.
        since: when it was started, with a time zone.
        by: the account.
        grace: seconds that it has to end.
    """

    pid: int
    start: str
    host: str
    boot: str
    pids: str
    model: str
    digest: str
    log: str
    since: str
    by: str
    grace: float

    @property
    def state(self) -> Literal["alive", "gone", "elsewhere"]:
        """Whether it lives; "elsewhere" where only another machine or container can say."""
        place = here()
        if self.host != place.host:
            return "elsewhere"
        if self.boot != place.boot:  # this machine was started again since
            return "gone"
        if self.pids != place.pids:
            return "elsewhere"
        return "alive" if alive(self.pid, self.start) else "gone"

    @property
    def where(self) -> str:
        """The process, as a person looks for it."""
        return f"process {self.pid}" + ("" if self.host == socket.gethostname() else f" on {self.host}")


def read_record(path: Path) -> EndpointRecord | None:
    """The endpoint that was started last, None if none was, or it was ended.

    Raises:
        SetupError: the file cannot be read.
    """
    try:
        plain: dict[str, object] = json.loads(path.read_text("utf-8"))
        pid, grace = plain.pop("pid"), plain.pop("grace")
        texts = {name: text for name, text in plain.items() if isinstance(text, str)}
        if not isinstance(pid, int) or pid < 1 or not isinstance(grace, int | float) or len(texts) < len(plain):
            raise ValueError("it has another form")
        return EndpointRecord(pid=pid, grace=grace, **texts)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise SetupError(
            f"{path}, the record of the endpoint, cannot be read ({type(error).__name__}: {error}); end the endpoint "
            "if one runs (`ps` shows it as `sparkml_track.cli serve`), and delete this file"
        ) from None


def write_record(path: Path, record: EndpointRecord) -> None:
    """Takes the place of the last one, whole or not at all.

    Raises:
        SetupError: it cannot be written.
    """
    try:
        write_whole(path, json.dumps(asdict(record), indent=1))
    except OSError as error:
        raise SetupError(f"{path} cannot be written ({error.strerror or error}), so no endpoint was started") from error
