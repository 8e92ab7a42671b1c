"""What the process of an endpoint reads: a file of an endpoint, made of the section ``deploy``."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path

from sparkml_track.config.serving import EndpointFile, EndpointSettings, endpoint_of
from sparkml_track.pipeline.project import Project
from sparkml_track.serving import Serving

__all__ = ["Endpoint", "endpoint_for"]

#: What a running endpoint takes from its file by itself.
_FOLLOWED = ("routes", "shadow")


@dataclass(frozen=True)
class Endpoint:
    """An endpoint as it is asked for.

    Attributes:
        model: the registered name.
        file: what its process reads.
        store: the URI of the registry, which may have a password: it goes to the process by its environment.
    """

    model: str
    file: EndpointFile
    store: str

    @cached_property
    def spec(self) -> Serving:
        """What it serves.

        Raises:
            SpecError: it does not go together.
            SetupError: the token file cannot be read.
        """
        return endpoint_of(self.model, self.file)

    @property
    def text(self) -> str:
        """The file; JSON is YAML."""
        return self.file.settings.model_dump_json(indent=1)

    @property
    def digest(self) -> str:
        """Of all that needs a new process where it changes."""
        plain = json.loads(self.text)
        fixed = {name: value for name, value in plain.items() if name not in _FOLLOWED}
        # Of the token its digest: a file with another one needs a process that has read it.
        token = hashlib.sha256((self.spec.token or "").encode()).hexdigest()
        whole = [self.model, self.store, version("sparkml-track"), fixed, token]
        return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()

    def command(self, file: Path) -> list[str]:
        """Of its process.

        Args:
            file: with the text.
        """
        # -P: the folder that one happens to be in is not where modules come from.
        return [sys.executable, "-P", "-m", "sparkml_track.cli", "serve", self.model, "--config", str(file)]

    @property
    def environ(self) -> Mapping[str, str]:
        """Of its process."""
        return {**os.environ, "MLFLOW_TRACKING_URI": self.store, "PYTHONUNBUFFERED": "1"}


def endpoint_for(project: Project) -> Endpoint:
    """The endpoint that a config file asks for; its paths no longer depend on where that file is."""
    settings = project.settings
    assert settings.deploy is not None
    assert settings.register is not None
    folder, said = settings.file.absolute().parent, settings.deploy.served
    given = said.model_dump() | {
        "home": str(settings.home.root),
        "code": settings.code,
        "formats": settings.register.formats,
        "token_file": None if said.token_file is None else str(folder / said.token_file),
        "online_store": _store(said.online_store, folder),
    }
    file = EndpointFile(EndpointSettings(**given), settings.home.deployment(settings.name))
    return Endpoint(settings.register.model, file, project.uri)


def _store(given: str | None, folder: Path) -> str | None:
    """An address, the name of the home's own, or the path of a folder."""
    return given if given is None or given == "sqlite" or ":" in given else str(folder / given)
