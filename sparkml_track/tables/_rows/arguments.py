"""What callers give: refused in one sentence before anything is looked at."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import get_args

from sparkml_track.errors import TableError
from sparkml_track.tables._values import Mode, Moment, TransactionId


def check_transaction(transaction: TransactionId | None) -> TransactionId | None:
    """Give a transaction back if it can be one.

    Raises:
        TableError: not a name and a number from 0.
    """
    match transaction:
        case None | (str(), int()) if transaction is None or (transaction[0] and transaction[1] >= 0):
            return transaction
    raise TableError(f"the transaction {transaction!r} is not a pair of an application's name and a number from 0")


def check_mode(name: str, mode: str) -> None:
    """Refuse a mode that is not one."""
    if mode not in get_args(Mode):
        raise TableError(f"table {name}: there is no mode {mode!r}; there are {', '.join(get_args(Mode))}")


def check_moment(name: str, at: Moment | None) -> None:
    """Refuse what names no version."""
    version = isinstance(at, int) and not isinstance(at, bool) and at >= 0
    if not (at is None or version or isinstance(at, datetime)):
        raise TableError(f"table {name}: a version is a number from 0 or a datetime with a time zone, not {at!r}")


def check_where(name: str, where: object) -> None:
    """Refuse a condition that is not text."""
    if not isinstance(where, str):
        raise TableError(f'table {name}: a condition is SQL in text, not {where!r}; "true" takes every row')


def column_list(name: str, argument: str, columns: Sequence[str]) -> tuple[str, ...]:
    """Give columns as a tuple; text alone is a mistake, since its letters would be taken for columns."""
    if isinstance(columns, str):
        raise TableError(f"table {name}: {argument} is a list of columns, not the text {columns!r}: [{columns!r}]")
    return tuple(columns)


def check_size(name: str, size: int) -> None:
    """Refuse a size of files that is none."""
    if size < 1:
        raise TableError(f"table {name}: the size of a file is bytes from 1, not {size!r}")


def check_keep(name: str, keep: timedelta) -> None:
    """Refuse to look into the future."""
    if keep < timedelta(0):
        raise TableError(f"table {name}: keep is a time from 0, not {keep}")
