"""Objects put, read, listed and deleted, through obstore: the one place that knows it."""

from __future__ import annotations

import io
import uuid
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sparkml_track.adapters.objects.errors import translated
from sparkml_track.adapters.objects.settings import ObjectSettings
from sparkml_track.address import ObjectAddress
from sparkml_track.errors import SetupError, SparkmlError

__all__ = ["FoundObject", "ObjectClient"]

# S3 deletes so many in one request.
_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class FoundObject:
    """An object in a listing.

    Attributes:
        address: where it lies.
        size: bytes.
        modified: by the store's clock, seconds since the epoch.
    """

    address: ObjectAddress
    size: int
    modified: float


class ObjectClient:
    """One bucket. Any number of threads may use it.

    Args:
        bucket: its name.
        kind: of the errors that are raised.
        settings: those of the environment by default.

    Raises:
        SetupError: the package obstore is missing.
    """

    def __init__(self, bucket: str, kind: type[SparkmlError], settings: ObjectSettings | None = None) -> None:
        self.bucket, self.settings, self._kind = bucket, settings or ObjectSettings.find(), kind

    @cached_property
    def _store(self) -> Any:
        try:
            from obstore.store import S3Store
        except ImportError:
            raise SetupError(
                "addresses in S3 need the package obstore: pip install 'sparkml-track[s3]', or use a folder"
            ) from None
        with self._asking("opening", ObjectAddress(self.bucket)):
            return S3Store(self.bucket, **self.settings.check().for_client())

    def put_new(self, at: ObjectAddress, data: bytes | memoryview) -> bool:
        """Puts an object if there is none (``If-None-Match: *``); it is there whole or not at all.

        Returns:
            False if there is another one. A put that was answered twice finds its own, which is the same as success.
        """
        from obstore.exceptions import AlreadyExistsError

        with self._asking("writing", at):
            try:
                # One request whatever the size: the parts of a larger upload cannot be put on a condition.
                self._store.put(at.key, data, mode="create", use_multipart=False)
            except AlreadyExistsError:
                return self.read(at) == bytes(data)
        return True

    def put(self, at: ObjectAddress, data: bytes | memoryview) -> None:
        """Puts an object over whatever is there."""
        with self._asking("writing", at):
            self._store.put(at.key, data)

    def read(self, at: ObjectAddress, limit: int | None = None) -> bytes | None:
        """An object, or its first ``limit`` bytes; None if it is not there."""
        with self._asking("reading", at):
            try:
                if limit is None:
                    return bytes(self._store.get(at.key).bytes())
                return bytes(self._store.get_range(at.key, start=0, length=limit)) if limit else b""
            except FileNotFoundError as error:
                if "NoSuchBucket" in str(error):
                    raise
                return None

    def found(self, at: ObjectAddress) -> FoundObject | None:
        """Size and time of an object; None if it is not there."""
        with self._asking("looking at", at):
            try:
                return self._found(self._store.head(at.key))
            except FileNotFoundError:
                return None

    def names(self, folder: ObjectAddress) -> list[str]:
        """What lies directly in a folder: objects and folders, by the last part of their names."""
        import obstore

        with self._asking("listing", folder):
            listed = obstore.list_with_delimiter(self._store, folder.key or None)
        paths = [*listed["common_prefixes"], *(each["path"] for each in listed["objects"])]
        return sorted(path.rstrip("/").rpartition("/")[2] for path in paths)

    def walk(self, folder: ObjectAddress, after: str | None = None) -> Iterator[FoundObject]:
        """All objects under a folder, sorted; only those whose key is later than ``after``."""
        import obstore

        with self._asking("listing", folder):
            for chunk in obstore.list(self._store, folder.key or None, offset=after):
                yield from map(self._found, chunk)

    def delete(self, objects: Iterable[ObjectAddress]) -> None:
        """Deletes objects; those that are gone do not matter."""
        import obstore

        keys = [each.key for each in objects]
        for start in range(0, len(keys), _AT_ONCE):
            with self._asking("deleting", ObjectAddress(self.bucket, keys[start])):
                obstore.delete(self._store, keys[start : start + _AT_ONCE])

    def opened(self, at: ObjectAddress, size: int) -> io.RawIOBase:
        """An object as a file that is read in ranges, as Parquet wants it."""
        return _Ranges(self, at, size)

    def check_conditional(self, folder: ObjectAddress) -> None:
        """Sees that the store refuses to put what is there; some ignore the condition, and writers would overwrite.

        Args:
            folder: where a probe is put, and deleted.

        Raises:
            SparkmlError: it does not.
        """
        probe = folder / f"_probe-{uuid.uuid4().hex}"
        try:
            kept = self.put_new(probe, b"first") and not self.put_new(probe, b"second")
        finally:
            self.delete([probe])
        if not kept:
            raise self._kind(
                f"the store of {folder} ignores the condition of a put (If-None-Match), so two writers would overwrite "
                "each other: use one that keeps it (Amazon S3, and MinIO, Ceph and R2 of today), or a folder"
            )

    def range(self, at: ObjectAddress, start: int, length: int) -> bytes:
        """Some bytes of an object."""
        with self._asking("reading", at):
            return bytes(self._store.get_range(at.key, start=start, length=length))

    def _found(self, meta: Any) -> FoundObject:
        at = ObjectAddress(self.bucket, str(meta["path"]))
        return FoundObject(at, int(meta["size"]), meta["last_modified"].timestamp())

    def _asking(self, action: str, at: ObjectAddress) -> AbstractContextManager[None]:
        return translated(f"{action} {at}", self._kind, self.settings)


class _Ranges(io.RawIOBase):
    """Reads an object in ranges."""

    def __init__(self, client: ObjectClient, at: ObjectAddress, size: int) -> None:
        self._client, self._address, self._size, self._position = client, at, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = base + offset
        return self._position

    def readinto(self, buffer: Any) -> int:
        length = min(len(buffer), self._size - self._position)
        if length <= 0:
            return 0
        buffer[:length] = self._client.range(self._address, self._position, length)
        self._position += length
        return length
