"""Files of endpoints: what ``sparkml-track serve MODEL --config serving.yaml`` reads."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sparkml_track.config.reading import read_section
from sparkml_track.config.sections.fields import Text
from sparkml_track.config.sections.serving import LimitSettings, RecordSettings, ServedSettings
from sparkml_track.errors import SetupError, SpecError
from sparkml_track.home import Home
from sparkml_track.serving import Limits, Recording, Serving, table_prefix

__all__ = ["EndpointFile", "EndpointSettings", "LimitSettings", "RecordSettings", "endpoint_of", "read_endpoint"]

_LARGEST_TOKEN = 10_000


class EndpointSettings(ServedSettings):
    """A file of an endpoint.

    Attributes:
        home: the folder of all state, relative to the file.
        tracking: the URI of the registry; the home's by default.
        code: folders from which stored models' own modules are imported, relative to the file.
        formats: in what forms stored models may be read; all but skops run code that comes from the store.
    """

    home: Text | None = None
    tracking: Text | None = None
    code: tuple[str, ...] = ()
    formats: tuple[Literal["skops", "code", "pickle", "cloudpickle", "pyfunc"], ...] = ("skops",)


@dataclass(frozen=True, slots=True)
class EndpointFile:
    """A file of an endpoint, read.

    Attributes:
        settings: what it says.
        folder: that its paths are relative to.
    """

    settings: EndpointSettings
    folder: Path

    @property
    def home(self) -> Home:
        """Where state lies."""
        given = self.settings.home
        return Home.find(None if given is None else self.folder / Path(given).expanduser())

    @property
    def online_store(self) -> str | Path:
        """Where features are looked up: an address, or a folder; that of the home by default."""
        given = self.settings.online_store
        if given is None or given == "sqlite":
            return self.home.online
        return given if ":" in given else self.folder / given

    @property
    def code(self) -> tuple[str, ...]:
        """Folders of modules."""
        return tuple(os.path.normpath(self.folder / each) for each in self.settings.code)


def read_endpoint(file: Path | None) -> EndpointFile:
    """Reads a file of an endpoint.

    Args:
        file: None for the defaults.

    Raises:
        ConfigError: it is wrong; one sentence for each problem, with file, line and key.
    """
    if file is None:
        return EndpointFile(EndpointSettings(), Path())
    # A file of comments alone says nothing, which is what the defaults are for.
    return EndpointFile(read_section(file, EndpointSettings, {}), file.absolute().parent)


def endpoint_of(model: str, found: EndpointFile) -> Serving:
    """What an endpoint serves.

    Raises:
        SpecError: what the file says does not go together, or the token file has no token.
    """
    said = found.settings
    recording = None
    if said.record:
        tables = said.record.tables or table_prefix(model)
        given = said.record.model_dump(exclude={"tables"})
        recording = Recording(tables=tables, folder=found.home.inference(tables), **given)
    return Serving(
        model=model,
        routes=said.routes,
        shadow=said.shadow,
        sticky=said.sticky,
        reload=said.reload,
        host=said.host,
        port=said.port,
        token=None if said.token_file is None else _token(found.folder / said.token_file),
        limits=Limits(**said.limits.model_dump()),
        recording=recording,
    )


def _token(file: Path) -> str:
    try:
        with file.open(encoding="utf-8") as text:
            found = text.read(_LARGEST_TOKEN).strip()
    except (OSError, ValueError) as error:
        raise SetupError(f"the token file {file} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if not found:
        raise SpecError(f"the token file {file} is empty; write the token into it")
    return found
