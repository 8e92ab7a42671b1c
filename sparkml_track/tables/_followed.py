"""The part of the contract by which others follow a table: what came to it since, and how far an application is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


class Followed(ABC):
    """What was appended between two versions, and the counts of applications that write."""

    @abstractmethod
    def appended(self, name: str, after: int, to: int, *, skip_changes: bool = False) -> DataFrame:
        """Give the rows that were appended in the versions after one and up to another.

        Versions in which rows only moved (``optimize``) or that changed no rows add nothing.

        Args:
            name: of the table.
            after: the version whose rows are known already.
            to: the last version to look at; its columns are those of the rows.
            skip_changes: pass over versions that deleted or changed rows instead of raising.

        Raises:
            TableError: a version deleted or changed rows, is no longer in the log, or its files were vacuumed; also
                when this member has no session.
        """

    @abstractmethod
    def done(self, name: str, application: str) -> int | None:
        """Give the last count of an application that the table has, as ``transaction`` gave it; None for none."""
