"""Objects of S3: a commit is a put that the store refuses where the object is there, so no table of locks is needed."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
from typing_extensions import override

from sparkml_track.adapters.objects.client import ObjectClient
from sparkml_track.adapters.objects.errors import reason, without_secrets
from sparkml_track.adapters.objects.settings import ObjectSettings
from sparkml_track.address import ObjectAddress
from sparkml_track.errors import NotBuilt, SparkmlError, TableError
from sparkml_track.tables._delta.locations._base import FoundFile, Location

# So many files are looked at one by one; more are looked for in a listing.
_FEW = 16
_CHECKED = set[tuple[str, str]]()  # endpoints and buckets that were seen to keep the condition of a put


@dataclass(frozen=True, slots=True)
class ObjectLocation(Location):
    """A prefix of keys, or an object.

    Attributes:
        address: bucket and key.
        client: of the bucket.
    """

    address: ObjectAddress
    client: ObjectClient = field(compare=False)

    @classmethod
    def parse(cls, uri: str, settings: ObjectSettings | None = None) -> ObjectLocation:
        """Read ``s3://bucket/folder``; nothing is asked of the store."""
        address = ObjectAddress.parse(uri)
        return cls(address, ObjectClient(address.bucket, TableError, settings))

    @property
    @override
    def name(self) -> str:
        return self.address.name

    @property
    @override
    def parent(self) -> ObjectLocation:
        return ObjectLocation(self.address.parent, self.client)

    @override
    def __truediv__(self, part: str) -> ObjectLocation:
        return ObjectLocation(self.address / part, self.client)

    @override
    def __str__(self) -> str:
        return str(self.address)

    @override
    def __lt__(self, other: Location) -> bool:
        return str(self) < str(other)

    @property
    @override
    def options(self) -> Mapping[str, str] | None:
        return self.client.settings.check().for_log()

    @property
    @override
    def for_tasks(self) -> Mapping[str, Any]:
        return self.client.settings.check().for_tasks()

    @property
    @override
    def path(self) -> None:
        return None

    @property
    @override
    def certain(self) -> bool:
        return False

    @override
    def check(self) -> None:
        store = (self.client.settings.endpoint, self.address.bucket)
        if store not in _CHECKED:
            self.client.check_conditional(self.address)
            _CHECKED.add(store)

    @override
    def is_file(self) -> bool:
        return self.client.found(self.address) is not None

    @override
    def all_there(self, files: Sequence[Location]) -> bool:
        if len(files) <= _FEW:
            with ThreadPoolExecutor(_FEW) as threads:
                return all(threads.map(lambda file: file.is_file(), files))
        there = {str(found.location) for found in self.walk()}
        return all(str(file) in there for file in files)

    @override
    def names(self) -> list[str]:
        return self.client.names(self.address)

    @override
    def walk(self) -> list[FoundFile]:
        return [
            FoundFile(ObjectLocation(found.address, self.client), found.size, found.modified)
            for found in self.client.walk(self.address)
        ]

    @override
    def modified(self) -> float:
        return max((found.modified for found in self.walk()), default=0.0)

    @override
    def make_folder(self) -> None:
        pass  # a folder is what its objects have in common

    @override
    def text(self) -> str | None:
        data = self.client.read(self.address)
        return None if data is None else data.decode()

    @override
    def texts(self, names: Sequence[str]) -> list[str]:
        with ThreadPoolExecutor(_FEW) as threads:
            found = threads.map(lambda name: (self / name).text(), names)
            return [text for text in found if text is not None]

    @override
    def put_new(self, text: str) -> bool:
        return self.client.put_new(self.address, text.encode())

    @override
    def source(self) -> io.RawIOBase:
        found = self.client.found(self.address)
        if found is None:
            raise FileNotFoundError(f"{self} is gone")
        return self.client.opened(self.address, found.size)

    @override
    def sink(self) -> AbstractContextManager[Any]:
        return self._sink()

    @override
    def copy_to(self, file: ObjectLocation) -> None:
        # A file is as large as what one write held in memory.
        data = self.client.read(self.address)
        if data is None:
            raise FileNotFoundError(f"{self} is gone")
        file.client.put(file.address, data)

    @override
    def delete(self) -> None:
        self.client.delete([self.address])

    @override
    def discard(self) -> None:
        with suppress(SparkmlError):
            self.client.delete([found.address for found in self.client.walk(self.address)])

    @override
    def set_aside(self, place: Location) -> None:
        raise NotBuilt(
            f"tables in object stores are not dropped, since nothing there can be renamed at once; end what uses the "
            f"table and delete what lies under {self.address} by the tools of the store"
        )

    @override
    def failure(self, error: Exception) -> SparkmlError | None:
        settings = self.client.settings
        if said := reason(error):
            at = f" ({settings.endpoint})" if settings.endpoint else ""
            return TableError(f"{self.address}{at}: {said}")
        if any(secret in str(error) for secret in settings.secrets):
            return TableError(f"{self.address}: {without_secrets(str(error), settings)}")
        return None

    @contextmanager
    def _sink(self) -> Iterator[Any]:
        """Parquet is made in memory, where its rows are, too: a file that is half written is never put."""
        out = pa.BufferOutputStream()
        yield out
        self.client.put(self.address, memoryview(out.getvalue()).cast("B"))
