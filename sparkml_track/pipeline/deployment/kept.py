"""What was put to work where: in a file of the home, in a tag of the version, in the audit."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sparkml_track.errors import RegistryError
from sparkml_track.governance.audit import Deed, audited
from sparkml_track.home import Home
from sparkml_track.refs import ModelRef
from sparkml_track.registries import Registry
from sparkml_track.schema import TAG_DEPLOYED

__all__ = ["Deployment", "deployed_at", "deployments", "ended", "keep"]

_log = logging.getLogger(__name__)
_TAGGED = 10  # places that the tag of a version has
_SHOWN = 1_000_000  # bytes of the file that are read


@dataclass(frozen=True)
class Deployment:
    """A version that was put to work.

    Attributes:
        project: of the config file.
        to: "table", "stream" or "endpoint".
        where: table and version, or address.
        model: the registered name.
        version: of it.
        alias: that it had.
        at: when, with a time zone.
        by: the account.
    """

    project: str
    to: str
    where: str
    model: str
    version: int
    alias: str
    at: str
    by: str

    def is_as(self, other: Deployment | None) -> bool:
        """Whether the other one is the same version at the same place."""
        mine, others = asdict(self), {} if other is None else asdict(other)
        return all(mine[name] == others.get(name) for name in ("to", "where", "model", "version", "alias"))


def keep(home: Home, made: Deployment, ref: ModelRef, registry: Registry) -> None:
    """Keeps a deployment. What was put to work stays so if that fails, and the log says what is not kept.

    Args:
        home: of the project.
        made: what was done.
        ref: the version.
        registry: where it is.
    """
    # Of its kind: a project may put one version into a table and another one behind an endpoint.
    last = next((each for each in reversed(deployments(home, made.project)) if each.to == made.to), None)
    if made.is_as(last):
        return
    request = {"to": made.to, "alias": made.alias, "project": made.project}
    with audited(home.system, Deed("DEPLOY", f"models:/{ref.name}/{ref.version}", request)) as deed:
        deed.result = f"{ref} is at {made.where}"
    try:
        _append(_file(home, made.project), made)
    except OSError as error:
        _log.warning("the deployment of %s is not in %s: %s", ref, _file(home, made.project), error)
    try:
        place = (made.project, made.to)
        others = [each for each in deployed_at(registry.tags(ref)) if (each.project, each.to) != place]
        _tag(registry, ref, [*others, made])
        if last is not None and (last.model, last.version) != (made.model, made.version):
            _leave(registry, last)
    except RegistryError as error:
        _log.warning("the deployment of %s is not among its tags: %s", ref, error)


def ended(home: Home, project: str, where: str) -> None:
    """Keeps in the audit that an endpoint was ended."""
    with audited(home.system, Deed("DEPLOY", f"deployments/{project}", {"to": "endpoint", "end": True})) as deed:
        deed.result = f"{where} is ended"


def _leave(registry: Registry, last: Deployment) -> None:
    """Takes a place out of the tags of the version that was there before."""
    ref = registry.version(last.model, last.version)
    _tag(registry, ref, [each for each in deployed_at(registry.tags(ref)) if each.where != last.where])


def _tag(registry: Registry, ref: ModelRef, made: list[Deployment]) -> None:
    text = json.dumps([asdict(each) for each in made[-_TAGGED:]], ensure_ascii=False)
    registry.annotate(ref, {}, {TAG_DEPLOYED: text})


def deployments(home: Home, project: str) -> list[Deployment]:
    """The last deployments of a project, oldest first; lines that cannot be read are left out."""
    try:
        with _file(home, project).open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _SHOWN))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return []
    return [found for line in lines if (found := _read(line)) is not None]


def deployed_at(tags: Mapping[str, str]) -> list[Deployment]:
    """Where the tags of a version say that it was put to work, oldest first."""
    try:
        given = json.loads(tags.get(TAG_DEPLOYED, "[]"))
        return [Deployment(**each) for each in given]
    except (ValueError, TypeError):
        return []


def _read(line: str) -> Deployment | None:
    try:
        plain: Any = json.loads(line)
        return Deployment(**plain)
    except (ValueError, TypeError):
        return None


def _append(path: Path, made: Deployment) -> None:
    # A line that was cut short by a full disk or a death must not swallow this one.
    line = "\n" + json.dumps(asdict(made), ensure_ascii=False) + "\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        os.write(handle, line.encode())
        os.fsync(handle)
    finally:
        os.close(handle)


def _file(home: Home, project: str) -> Path:
    return home.deployment(project) / "history.jsonl"
