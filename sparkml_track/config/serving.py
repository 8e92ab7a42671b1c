"""Files of endpoints: what ``sparkml-track serve MODEL --config serving.yaml`` reads."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from sparkml_track.config.reading import read_section
from sparkml_track.config.sections.fields import Positive, Seconds, Section, Text, matching
from sparkml_track.errors import SetupError, SpecError
from sparkml_track.home import Home
from sparkml_track.serving import Limits, Recording, Serving, table_prefix

__all__ = ["EndpointFile", "EndpointSettings", "LimitSettings", "RecordSettings", "endpoint_of", "read_endpoint"]

_TABLES = r"([A-Za-z_][A-Za-z0-9_]{0,100}\.){0,2}[A-Za-z_][A-Za-z0-9_]{0,100}"
_Share = Annotated[float, Field(ge=0)]
_Kind = Literal["boolean", "integer", "long", "float", "double", "string", "datetime", "binary"]
_LARGEST_TOKEN = 10_000


class LimitSettings(Section):
    """The section ``limits``, of one process.

    Attributes:
        rows: of one request.
        bytes: of the body of one request.
        seconds: from a request to its answer.
        concurrency: requests in hand; more get 429.
        threads: that ask models.
    """

    rows: Positive = 10_000
    bytes: Positive = 10_000_000
    seconds: Seconds = 30.0
    concurrency: Positive = 64
    threads: Positive = 4


class RecordSettings(Section):
    """The section ``record``: the inference tables.

    Attributes:
        tables: what their names begin with; the model's name by default.
        sampling: the share of requests that is kept.
        every: seconds between two commits.
        most_bytes: of records on disk that are not in the tables yet.
        keep: more columns of requests, by type, that the rows have.
    """

    tables: Annotated[str, matching(_TABLES, "one to three identifiers joined by dots")] | None = None
    sampling: Annotated[float, Field(gt=0, le=1)] = 1.0
    every: Seconds = 10.0
    most_bytes: Positive = 2**30
    keep: dict[str, _Kind] = Field(default_factory=dict)


class EndpointSettings(Section):
    """A file of an endpoint. ``routes`` and ``shadow`` may change while it runs.

    Attributes:
        home: the folder of all state, relative to the file.
        tracking: the URI of the registry; the home's by default.
        code: folders from which stored models' own modules are imported, relative to the file.
        formats: in what forms stored models may be read; all but skops run code that comes from the store.
        online_store: where features are looked up.
        routes: alias, or version number, to its share of the requests.
        shadow: aliases that score each request aside.
        sticky: the header that decides the route.
        reload: seconds between two looks at aliases and file.
        host: on which it listens.
        port: on which it listens; 0 takes a free one.
        workers: processes.
        token_file: has the token that requests must bear, relative to the file.
        limits: of one process.
        record: the inference tables; ``false`` keeps nothing.
    """

    home: Text | None = None
    tracking: Text | None = None
    code: tuple[str, ...] = ()
    formats: tuple[Literal["skops", "code", "pickle", "cloudpickle", "pyfunc"], ...] = ("skops",)
    online_store: Text | None = None
    routes: Annotated[dict[str, _Share], Field(min_length=1)] = Field(default_factory=lambda: {"champion": 100.0})
    shadow: tuple[Text, ...] = ()
    sticky: Text | None = None
    reload: Seconds = 10.0
    host: Text = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 5001
    workers: Positive = 1
    token_file: Text | None = None
    limits: LimitSettings = LimitSettings()
    record: RecordSettings | Literal[False] = RecordSettings()


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
