"""The contract of locations: folders and files of tables, wherever they lie."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sparkml_track.errors import SparkmlError

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file in a listing.

    Attributes:
        location: where it lies.
        size: bytes.
        modified: seconds since the epoch.
    """

    location: Location
    size: int
    modified: float


class Location(ABC):
    """A folder or a file; like a path, it is joined by ``/``, compared and hashed, and need not be there.

    Files are never changed and never renamed. Threads: any number. Errors: what ``translated`` of the log translates;
    a member for which that is not enough raises ``TableError`` itself.
    """

    __slots__ = ()

    @property
    @abstractmethod
    def name(self) -> str:
        """The last part."""

    @property
    @abstractmethod
    def parent(self) -> Location:
        """The folder it lies in."""

    @abstractmethod
    def __truediv__(self, part: str) -> Location:
        """What lies in it under a relative path."""

    @abstractmethod
    def __str__(self) -> str:
        """The absolute path, or the address."""

    @abstractmethod
    def __lt__(self, other: Location) -> bool:
        """Order by text."""

    @property
    @abstractmethod
    def options(self) -> Mapping[str, str] | None:
        """How delta-rs gets there; None where it needs nothing."""

    @property
    @abstractmethod
    def for_tasks(self) -> Mapping[str, Any] | None:
        """How tasks of Spark get there by pyarrow; None where Spark does by itself."""

    @property
    @abstractmethod
    def path(self) -> Path | None:
        """For Spark and for renames: a path on the driver and the executors; None where there is none."""

    @property
    @abstractmethod
    def certain(self) -> bool:
        """Whether a commit that failed was surely not made; else the answer to one that was made may be lost."""

    def below(self, folder: Location) -> str:
        """The path relative to a folder that it lies in."""
        return str(self)[len(str(folder)) + 1 :]

    @abstractmethod
    def check(self) -> None:
        """See, before a write, that a commit can be made once there.

        Raises:
            TableError: it cannot.
        """

    @abstractmethod
    def is_file(self) -> bool:
        """Whether a file is there."""

    def all_there(self, files: Sequence[Location]) -> bool:
        """Whether all these files, which lie in this folder, are there."""
        return all(file.is_file() for file in files)

    @abstractmethod
    def names(self) -> list[str]:
        """What lies directly in this folder, sorted; nothing where there is no folder."""

    @abstractmethod
    def walk(self) -> list[FoundFile]:
        """All files in this folder and those in it, sorted."""

    @abstractmethod
    def modified(self) -> float:
        """When something was last put into this folder, seconds since the epoch."""

    @abstractmethod
    def make_folder(self) -> None:
        """Make a folder that is not there, where there are such things."""

    @abstractmethod
    def text(self) -> str | None:
        """What the file says; None where there is none."""

    @abstractmethod
    def texts(self, names: Sequence[str]) -> list[str]:
        """What files of this folder say; those that are gone say nothing."""

    @abstractmethod
    def put_new(self, text: str) -> bool:
        """Make a file that is there whole or not at all, durable on return; False if another is there."""

    @abstractmethod
    def source(self) -> Any:
        """What ``pyarrow.parquet`` reads the file from."""

    @abstractmethod
    def sink(self) -> AbstractContextManager[Any]:
        """What ``pyarrow.parquet`` writes the file to; it is there once the context has been left."""

    @abstractmethod
    def copy_to(self, file: Any) -> None:
        """Give the file a second name, a location of the same kind; by a link where there are such things."""

    @abstractmethod
    def delete(self) -> None:
        """Delete a file."""

    @abstractmethod
    def discard(self) -> None:
        """Delete a folder and everything in it. What cannot be deleted is left to ``vacuum``."""

    @abstractmethod
    def set_aside(self, place: Any) -> None:
        """Give a folder the name of another location of the same kind, with everything in it and at once.

        Raises:
            NotBuilt: there is no such thing here.
        """

    @abstractmethod
    def failure(self, error: Exception) -> SparkmlError | None:
        """What a foreign error means here, if that is known; it is raised without its cause."""
