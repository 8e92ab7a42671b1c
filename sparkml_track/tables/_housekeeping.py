"""The part of the contract of tables that keeps them quick, small and right."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from datetime import timedelta

from sparkml_track.refs import TableRef
from sparkml_track.tables._values import FILE_SIZE, Moment


class Housekeeping(ABC):
    """What can be done to a table beside changing its rows; raises as ``Tables``."""

    @abstractmethod
    def clone(self, name: str, target: str, at: Moment | None = None) -> TableRef:
        """Make a new table with the rows, columns, keys, partitions, properties and constraints of a version.

        Files never change, so they are linked where the storage can and copied elsewhere: a clone costs next to no
        space, and neither table minds what becomes of the other, a ``vacuum`` of it or its end.

        Args:
            name: of the table that is there.
            target: of the new one.
            at: the version, as in ``pin``.

        Returns:
            Version 0 of the new table.

        Raises:
            TableError: also when there is a table of the new name.
        """

    @abstractmethod
    def drop(self, name: str) -> str:
        """Take a table away, with all its versions.

        Its folder is set aside whole, by one rename: whoever reads meanwhile finds the table or no table, and moving
        the folder back undoes it. It may be deleted to free the space.

        Args:
            name: of the table.

        Returns:
            Where the folder lies now; nothing where the versions were in memory and are gone.

        Raises:
            NotBuilt: tables in an object store, where there is no rename.
        """

    @abstractmethod
    def optimize(self, name: str, *, by: Sequence[str] = (), size: int = FILE_SIZE) -> TableRef:
        """Make small files into larger ones, so that reads open fewer; the rows stay.

        Other writers go on meanwhile. With a session it is a Spark job, otherwise the process does it.

        Args:
            name: of the table.
            by: columns to sort by, so that rows that are near lie in the same file and reads skip the others. Every
                file is rewritten then, in memory where there is no session; without, only small ones.
            size: bytes that a file should have.

        Returns:
            The version that this call made; the latest one where there was nothing to do.
        """

    @abstractmethod
    def set_properties(self, name: str, properties: Mapping[str, str]) -> TableRef:
        """Set properties, such as ``{"delta.appendOnly": "true"}`` or keys of your own.

        Returns:
            The version that this call made.

        Raises:
            TableError: also for a property of Delta's that asks for what this package does not do.
        """

    @abstractmethod
    def comment(self, name: str, text: str, column: str | None = None) -> TableRef:
        """Say what a table, or a column of it, is.

        Returns:
            The version that this call made.
        """

    @abstractmethod
    def add_constraints(self, name: str, rules: Mapping[str, str]) -> TableRef:
        """Add CHECK constraints: conditions that must be true for every row, in the SQL of ``MergeRule``.

        Args:
            name: of the table.
            rules: name to condition; the rows that are there meet them.

        Returns:
            The version that this call made. Every write checks them from then on.
        """

    @abstractmethod
    def drop_constraint(self, name: str, constraint: str) -> TableRef:
        """Drop a constraint.

        Returns:
            The version that this call made.
        """

    @abstractmethod
    def vacuum(self, name: str, keep: timedelta = timedelta(days=7), *, dry_run: bool = False) -> tuple[str, ...]:
        """Delete files that no version of the last ``keep`` needs, and what killed writers left before it.

        Older versions can no longer be read afterwards. A ``keep`` shorter than the longest write takes the files of
        writers at work.

        Args:
            name: of the table.
            keep: rounded up to whole hours where the log counts so.
            dry_run: only list.

        Returns:
            The files that were deleted, or would be, relative to the table.
        """
