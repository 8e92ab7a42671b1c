"""A version put to work: scores in a table, rows scored as they come, or an endpoint in the background."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

from sparkml_track.errors import ConfigError, RegistryError
from sparkml_track.governance.principals import account
from sparkml_track.pipeline.deployment import kept
from sparkml_track.pipeline.deployment.endpoint import locked
from sparkml_track.pipeline.deployment.kept import Deployment
from sparkml_track.pipeline.outcome import Facts
from sparkml_track.pipeline.project import Project
from sparkml_track.refs import ModelRef

__all__ = ["Deployed", "deploy"]

_NOTHING = "nothing has come yet"


@dataclass(frozen=True)
class Deployed:
    """What was put to work.

    Attributes:
        made: what, where, when, by whom.
        found: facts for a person.
    """

    step: ClassVar[str] = "deploy"
    made: Deployment
    found: Facts = field(default_factory=dict)

    def facts(self) -> Facts:
        """For a person."""
        made = self.made
        return {"model": f"{made.model} version {made.version} ({made.alias})", made.to: made.where, **self.found}

    def to_json(self) -> dict[str, object]:
        """All but the facts."""
        return asdict(self.made)

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Deployed:
        """The inverse."""
        return cls(Deployment(**kept))


def deploy(project: Project) -> Deployed:
    """Puts the version of the alias to work, as the config file says.

    Raises:
        ConfigError: the file lacks a section that this takes.
        RegistryError: no version has the alias.
    """
    settings = project.settings
    section = settings.deploy
    assert section is not None
    if settings.register is None:
        raise ConfigError(f"{settings.file}: there is no section 'register', which names the model; add one")
    # One at a time: what is kept as the last is what was put to work last.
    with locked(settings.home, settings.name) as folder:
        ref = _version(project)
        done = {"table": _to_table, "stream": _to_stream, "endpoint": _to_endpoint}[section.to](project, ref, folder)
        if done.made.where != _NOTHING:
            made = project.registry().version(ref.name, done.made.version)
            kept.keep(settings.home, done.made, made, project.registry())
    return done


def _version(project: Project) -> ModelRef:
    settings = project.settings
    assert settings.deploy is not None
    assert settings.register is not None
    name, alias = settings.register.model, settings.deploy.alias
    ref = project.registry().alias(name, alias)
    if ref is None:
        raise RegistryError(
            f"no version of the model {name!r} has the alias {alias!r}, so there is nothing to deploy; run the step "
            "register, or promote a version: sparkml-track models promote NAME/VERSION"
        )
    return ref


def _to_table(project: Project, ref: ModelRef, _: Path) -> Deployed:
    from sparkml_track.pipeline.steps.score import score

    scores = score(project, ref.version)
    project.keep(scores)  # the step monitor looks there
    facts = {name: fact for name, fact in scores.facts().items() if name not in ("model", "table")}
    return Deployed(_made(project, ref, str(scores.table)), facts)


def _to_stream(project: Project, ref: ModelRef, _: Path) -> Deployed:
    from sparkml_track.pipeline.steps.follow import follow

    settings = project.settings
    assert settings.deploy is not None
    (found,) = follow(settings, alias=settings.deploy.alias)
    used = found.models[-1] if found.models else ref
    where = _NOTHING if found.table is None else str(found.table)
    return Deployed(_made(project, used, where), {"rows": f"{found.rows:,}", "without a score": f"{found.bad:,}"})


def _to_endpoint(project: Project, ref: ModelRef, folder: Path) -> Deployed:
    from sparkml_track.pipeline.deployment.endpoint import put_to_work
    from sparkml_track.pipeline.deployment.settings import endpoint_for

    settings = project.settings
    assert settings.deploy is not None
    running = put_to_work(folder, endpoint_for(project), settings.deploy.alias, lambda: _version(project))
    used = project.registry().version(ref.name, running.version)  # the alias may have moved meanwhile
    facts: Facts = {
        "process": f"{running.record.pid}, {running.how}, since {running.record.since}",
        "log": running.record.log,
        "end it": f"sparkml-track deploy {settings.file} --end",
    }
    return Deployed(_made(project, used, running.url), facts)


def _made(project: Project, ref: ModelRef, where: str) -> Deployment:
    settings = project.settings
    assert settings.deploy is not None
    now = datetime.now(UTC).isoformat(timespec="seconds")
    section = settings.deploy
    return Deployment(settings.name, section.to, where, ref.name, ref.version, section.alias, now, account())
