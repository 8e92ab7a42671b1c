"""The endpoint of a project: a process that serves in the background, one for a project, known to the home."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sparkml_track.errors import RegistryError, SetupError
from sparkml_track.governance.principals import account
from sparkml_track.home import Home
from sparkml_track.journals import here
from sparkml_track.pipeline.deployment import process
from sparkml_track.pipeline.deployment.health import Health, address_in, end_of, health_of
from sparkml_track.pipeline.deployment.record import EndpointRecord, read_record, write_record
from sparkml_track.pipeline.deployment.settings import Endpoint
from sparkml_track.pipeline.files import write_whole
from sparkml_track.refs import ModelRef
from sparkml_track.serving import bind
from sparkml_track.slot.host.lock import exclusive_lock

__all__ = ["Running", "end", "locked", "put_to_work", "record_of"]

_log = logging.getLogger(__name__)
_LOOK = 0.2
_ANSWERS = 300.0  # seconds in which it must answer, and take a new version
_GRACE = 40.0  # seconds beyond those of a request, in which the records go into the tables


@dataclass(frozen=True)
class Running:
    """An endpoint that answers.

    Attributes:
        record: of its process.
        url: where it answers.
        version: that the alias has there.
        how: "started", "restarted" or "found running".
    """

    record: EndpointRecord
    url: str
    version: int
    how: str


@contextmanager
def locked(home: Home, project: str) -> Iterator[Path]:
    """One deployment of a project at a time; gives the folder that it is kept in.

    Raises:
        SetupError: the folder cannot be written.
    """
    folder = home.deployment(project)
    said = f"another deployment of project {project!r} is under way, and this one waits for its end"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = exclusive_lock(folder / "deploy.lock", lambda: _log.info(said))
        with lock:
            yield folder
    except OSError as error:
        raise SetupError(f"the folder {folder} cannot be used: {error.strerror or error}") from error


def record_of(home: Home, project: str) -> EndpointRecord | None:
    """The endpoint that was started last and not ended.

    Raises:
        SetupError: the record cannot be read.
    """
    return read_record(_file(home.deployment(project)))


def put_to_work(folder: Path, endpoint: Endpoint, alias: str, wanted: Callable[[], ModelRef]) -> Running:
    """Finds the endpoint running, or starts it, and waits until the alias has its version there.

    One that runs with other settings is ended, and started with those of now. Routes and shadows are no such settings:
    it takes them from its file by itself.

    Args:
        folder: of the project's deployments, locked.
        endpoint: as asked for.
        alias: whose version is put to work.
        wanted: gives the version that the alias has now.

    Raises:
        SetupError: it cannot be started, does not answer, or runs on another machine.
        RegistryError: it refuses the version.
        SpecError: the settings do not go together.
    """
    before = read_record(_file(folder))
    if before is not None and before.state == "elsewhere":
        raise _elsewhere(before, folder)
    _check(endpoint, before)
    write_whole(folder / "endpoint.yaml", endpoint.text)
    how, record = "started", before
    if before is not None and before.state == "gone":
        _log.warning("the endpoint that was started at %s is gone; %s", before.since, end_of(Path(before.log)))
        record = None
    elif before is not None and before.digest != endpoint.digest:
        how, record = "restarted", None
        process.end(before.pid, before.start, before.grace)
    if record is not None:
        return _answering(folder, record, endpoint, alias, wanted, "found running")
    record = _started(folder, endpoint)
    try:
        return _answering(folder, record, endpoint, alias, wanted, how)
    except BaseException:
        end(folder)
        raise


def end(folder: Path) -> EndpointRecord | None:
    """Ends the endpoint; gives what it was, None where there was none.

    Args:
        folder: of the project's deployments, locked.

    Raises:
        SetupError: it runs on another machine, or cannot be ended.
    """
    record = read_record(_file(folder))
    if record is None:
        return None
    if record.state == "elsewhere":
        raise _elsewhere(record, folder)
    if record.state == "alive":
        process.end(record.pid, record.start, record.grace)
    _file(folder).unlink(missing_ok=True)
    return record


def _check(endpoint: Endpoint, before: EndpointRecord | None) -> None:
    """What is wrong with an endpoint is said before the former one ends.

    Raises:
        SetupError: another process has the port, or the token file cannot be read.
        SpecError: the settings do not go together.
    """
    spec = endpoint.spec
    has_it = before is not None and before.state == "alive" and address_in(Path(before.log)).endswith(f":{spec.port}")
    if spec.port and not has_it:
        bind(spec.host, spec.port).close()


def _started(folder: Path, endpoint: Endpoint) -> EndpointRecord:
    log = folder / "endpoint.log"
    if log.exists():
        log.replace(folder / "endpoint.log.old")
    made: list[EndpointRecord] = []

    def record(pid: int, start: str) -> None:
        place = here()
        now = datetime.now(UTC).isoformat(timespec="seconds")
        grace = endpoint.spec.limits.seconds + _GRACE
        of_place = (place.host, place.boot, place.pids)
        made.append(
            EndpointRecord(pid, start, *of_place, endpoint.model, endpoint.digest, str(log), now, account(), grace)
        )
        write_record(_file(folder), made[0])

    process.start(endpoint.command(folder / "endpoint.yaml"), log, endpoint.environ, record)
    return made[0]


def _answering(
    folder: Path, record: EndpointRecord, endpoint: Endpoint, alias: str, wanted: Callable[[], ModelRef], how: str
) -> Running:
    """Waits until the endpoint answers with the version that is wanted."""
    log, until = Path(record.log), time.monotonic() + _ANSWERS
    while time.monotonic() < until:
        if record.state != "alive":
            _file(folder).unlink(missing_ok=True)
            raise SetupError(f"the endpoint ended before it answered; {end_of(log)}")
        url = address_in(log)
        health = health_of(url, endpoint.spec.token) if url else None
        if health is not None and (version := _taken(health, alias, wanted())) is not None:
            return Running(record, url, version, how)
        time.sleep(_LOOK)
    raise SetupError(f"the endpoint ({record.where}) did not answer with {wanted()} in {_ANSWERS:g} s; {end_of(log)}")


def _taken(health: Health, alias: str, wanted: ModelRef) -> int | None:
    """The version that the endpoint has, if it is the one that is wanted.

    Raises:
        RegistryError: it is refused.
    """
    found = health.versions.get(alias)
    if found == wanted.version:
        return found
    refused = health.problems.get(alias, "")
    if refused.startswith(f"version {wanted.version} is refused"):
        on = "nothing" if found is None else f"version {found}"
        raise RegistryError(f"the endpoint goes on with {on} of {wanted.name}: {refused}")
    return None


def _file(folder: Path) -> Path:
    return folder / "endpoint.json"


def _elsewhere(record: EndpointRecord, folder: Path) -> SetupError:
    return SetupError(
        f"the endpoint was started on {record.host} by {record.by} ({record.where}, since {record.since}), where this "
        f"machine or container cannot look: end it there, or delete {_file(folder)} if that is gone"
    )
