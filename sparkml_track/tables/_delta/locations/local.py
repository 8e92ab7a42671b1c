"""Folders of a local or mounted file system."""

from __future__ import annotations

import errno
import os
import re
import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from typing_extensions import override

from sparkml_track.errors import NotBuilt, SparkmlError, TableError
from sparkml_track.tables._delta.locations._base import FoundFile, Location

_LINKLESS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK)
_ESCAPE = re.compile("%[0-9A-Fa-f]{2}")


@dataclass(frozen=True, slots=True)
class LocalLocation(Location):
    """A path that the driver and all Spark executors share.

    Attributes:
        path: absolute.
    """

    path: Path

    @classmethod
    def parse(cls, place: str | Path) -> LocalLocation:
        """See that a path can be one of tables."""
        if "://" in str(place):
            raise NotBuilt(f"tables under {place} are not supported; allowed are local and mounted paths, and s3://...")
        path = Path(place).absolute()
        if _ESCAPE.search(str(path)):
            # delta-rs takes local paths for percent-encoded ones.
            raise TableError(f"tables cannot lie under {place}: a folder there has % and two digits in its name")
        return cls(path)

    @property
    @override
    def name(self) -> str:
        return self.path.name

    @property
    @override
    def parent(self) -> LocalLocation:
        return LocalLocation(self.path.parent)

    @override
    def __truediv__(self, part: str) -> LocalLocation:
        return LocalLocation(self.path / part)

    @override
    def __str__(self) -> str:
        return str(self.path)

    @override
    def __lt__(self, other: Location) -> bool:
        return str(self) < str(other)

    @property
    @override
    def options(self) -> Mapping[str, str] | None:
        return None

    @property
    @override
    def for_tasks(self) -> None:
        return None

    @property
    @override
    def certain(self) -> bool:
        return True

    @override
    def check(self) -> None:
        pass  # a commit that finds no hard links says so

    @override
    def is_file(self) -> bool:
        return self.path.exists()

    @override
    def names(self) -> list[str]:
        try:
            return sorted(entry.name for entry in os.scandir(self.path))
        except (FileNotFoundError, NotADirectoryError):
            return []

    @override
    def walk(self) -> list[FoundFile]:
        found = []
        for path in sorted(self.path.rglob("*")):
            with suppress(FileNotFoundError):
                if path.is_file():
                    stat = path.stat()
                    found.append(FoundFile(LocalLocation(path), stat.st_size, stat.st_mtime))
        return found

    @override
    def modified(self) -> float:
        return self.path.stat().st_mtime

    @override
    def make_folder(self) -> None:
        self.path.mkdir(parents=True)

    @override
    def text(self) -> str | None:
        try:
            return self.path.read_text()
        except FileNotFoundError:
            return None

    @override
    def texts(self, names: Sequence[str]) -> list[str]:
        return [text for name in names if (text := (self / name).text()) is not None]

    @override
    def put_new(self, text: str) -> bool:
        temporary = self.path.parent / f"_commit_{uuid.uuid4().hex}.json.tmp"
        try:
            _write_through(temporary, text)
            return _link(temporary, self.path)
        finally:
            temporary.unlink(missing_ok=True)

    @override
    def source(self) -> str:
        return str(self.path)

    @override
    def sink(self) -> AbstractContextManager[str]:
        return self._sink()

    @override
    def copy_to(self, file: LocalLocation) -> None:
        try:
            os.link(self.path, file.path)
        except OSError:  # another file system, or one without links; what is really wrong is said by the copy
            shutil.copyfile(self.path, file.path)

    @override
    def delete(self) -> None:
        self.path.unlink(missing_ok=True)

    @override
    def discard(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)

    @override
    def set_aside(self, place: LocalLocation) -> None:
        place.path.parent.mkdir(exist_ok=True)
        self.path.rename(place.path)

    @override
    def failure(self, error: Exception) -> SparkmlError | None:
        return None

    @contextmanager
    def _sink(self) -> Iterator[str]:
        yield str(self.path)


def _link(temporary: Path, file: Path) -> bool:
    try:
        os.link(temporary, file)
    except OSError as error:
        if temporary.stat().st_nlink > 1:
            return True  # NFS repeats a request whose answer was lost, and then says that the file is there
        if isinstance(error, FileExistsError):
            return False
        if error.errno in _LINKLESS:
            path = file.parent.parent
            raise TableError(
                f"table {path.name}: the file system under {path} has no hard links, by which a commit is made once; "
                "put the tables on another one"
            ) from error
        raise
    return True


def _write_through(file: Path, text: str) -> None:
    with file.open("w") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
