"""What has become of the deployments of a project."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from sparkml_track.config.settings import Settings
from sparkml_track.pipeline.deployment.endpoint import record_of
from sparkml_track.pipeline.deployment.health import Health, address_in, end_of, health_of
from sparkml_track.pipeline.deployment.kept import Deployment, deployments
from sparkml_track.pipeline.deployment.record import EndpointRecord
from sparkml_track.pipeline.outcome import Facts

__all__ = ["Standing", "standing_of"]


@dataclass(frozen=True)
class Standing:
    """Where a project stands.

    Attributes:
        file: the config file.
        last: the last deployment.
        endpoint: the one that was started last and not ended.
        state: of its process.
        url: where it answers.
        health: what it says; None where it does not answer.
    """

    file: Path
    last: Deployment | None
    endpoint: EndpointRecord | None
    state: str = "none"
    url: str = ""
    health: Health | None = None

    @property
    def dead(self) -> str:
        """What a dead endpoint left; empty where none is dead."""
        if self.endpoint is None or self.state != "gone":
            return ""
        again = f"start another one: sparkml-track deploy {self.file}"
        return f"the endpoint ({self.endpoint.where}) is gone; {again}; {end_of(Path(self.endpoint.log))}"

    def facts(self) -> Facts:
        """For a person."""
        made, facts = self.last, Facts()
        facts["last"] = "nothing was deployed yet"
        if made is not None:
            what = f"{made.model} version {made.version} ({made.alias}) to the {made.to} {made.where}"
            facts["last"] = f"{what}, at {made.at} by {made.by}"
        if self.endpoint is None:
            return facts
        return facts | self._of_endpoint(self.endpoint)

    def _of_endpoint(self, record: EndpointRecord) -> Facts:
        facts: Facts = {"endpoint": f"{record.where}, since {record.since} by {record.by}, {self.state}"}
        if self.state == "alive":
            facts["address"] = self.url or "it does not answer yet"
            facts["serves"] = dict(self.health.versions) if self.health else "it does not answer"
            if self.health and self.health.problems:
                facts["problems"] = dict(self.health.problems)
        facts["log"] = record.log
        return facts | {"end it": f"sparkml-track deploy {self.file} --end"}

    def to_json(self) -> dict[str, object]:
        """For programs."""
        last = None if self.last is None else asdict(self.last)
        if self.endpoint is None:
            return {"last": last, "endpoint": None}
        health = {} if self.health is None else asdict(self.health)
        of_process = {name: getattr(self.endpoint, name) for name in ("pid", "host", "since", "by", "log", "model")}
        return {"last": last, "endpoint": {**of_process, "state": self.state, "url": self.url, **health}}


def standing_of(settings: Settings) -> Standing:
    """Looks; starts and ends nothing.

    Raises:
        SetupError: the record of the endpoint cannot be read.
    """
    last = next(iter(deployments(settings.home, settings.name)[-1:]), None)
    record = record_of(settings.home, settings.name)
    if record is None or record.state != "alive":
        return Standing(settings.file, last, record, "none" if record is None else record.state)
    url = address_in(Path(record.log))
    return Standing(settings.file, last, record, "alive", url, health_of(url, _token(settings)) if url else None)


def _token(settings: Settings) -> str | None:
    """None where there is none, or where it cannot be read: then the endpoint only says that it lives."""
    from sparkml_track.errors import SparkmlError
    from sparkml_track.pipeline.deployment.settings import endpoint_for
    from sparkml_track.pipeline.project import Project

    try:
        return endpoint_for(Project(settings)).spec.token
    except SparkmlError:
        return None
