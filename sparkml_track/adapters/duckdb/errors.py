"""What duckdb raises, as errors of this package: one sentence, with the first line of its own.

What the query's author can mend by other words is ``InvalidInput``; what only its data or the machine made fail is
``QueryError``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from sparkml_track.errors import InvalidInput, QueryError, SparkmlError

__all__ = ["KINDS", "first_line", "translated"]

_LIBRARIES = frozenset({"duckdb", "_duckdb"})
_LONGEST = 500
_PREFIX = re.compile(r"^[A-Z][A-Za-z ]* (?:Error|ERROR): ")

#: Every exception class of duckdb by its name.
KINDS: Mapping[str, type[SparkmlError]] = {
    "BinderException": InvalidInput,
    "CatalogException": InvalidInput,
    "ConnectionException": QueryError,
    "ConstraintException": QueryError,
    "ConversionException": QueryError,
    "DataError": QueryError,
    "DatabaseError": QueryError,
    "DependencyException": QueryError,
    "Error": QueryError,
    "FatalException": QueryError,
    "HTTPException": QueryError,
    "IOException": QueryError,
    "IntegrityError": QueryError,
    "InternalError": QueryError,
    "InternalException": QueryError,
    "InterruptException": QueryError,
    "InvalidInputException": InvalidInput,
    "InvalidTypeException": InvalidInput,
    "NotImplementedException": InvalidInput,
    "NotSupportedError": InvalidInput,
    "OperationalError": QueryError,
    "OutOfMemoryException": QueryError,
    "OutOfRangeException": QueryError,
    "ParserException": InvalidInput,
    "PermissionException": InvalidInput,
    "ProgrammingError": InvalidInput,
    "SequenceException": QueryError,
    "SerializationException": QueryError,
    "SyntaxException": InvalidInput,
    "TransactionException": QueryError,
    "TypeMismatchException": InvalidInput,
    "Warning": QueryError,
}
_WAYS_OUT = {
    "PermissionException": "a query reads the tables it names and nothing else: no files, no settings, no extensions",
    "OutOfMemoryException": "ask for fewer rows or columns, or close what else uses this machine's memory",
    "IOException": "see whether the files of the table are there and the disk is not full",
}


@contextmanager
def translated(action: str) -> Iterator[None]:
    """Raises an error of ours for one of DuckDB's.

    Args:
        action: what was done, as the subject of the sentence.

    Raises:
        InvalidInput: the query is wrong.
        QueryError: it failed while it was executed.
    """
    try:
        yield
    except Exception as error:
        name = _known(error)
        if name is None:
            raise
        way_out = f"; {_WAYS_OUT[name]}" if name in _WAYS_OUT else ""
        raise KINDS[name](f"{action} failed in DuckDB: {first_line(error)}{way_out}") from error


def _known(error: BaseException) -> str | None:
    """The nearest class of duckdb that an error is of."""
    classes = (each for each in type(error).__mro__ if each.__module__.split(".")[0] in _LIBRARIES)
    return next((each.__name__ for each in classes if each.__name__ in KINDS), None)


def first_line(error: BaseException) -> str:
    """What a person can use of it: its first lines, without the name of its class and the picture of the text."""
    text = str(error).partition("\n\nLINE ")[0].strip()
    said = " ".join(line.strip() for line in _PREFIX.sub("", text).splitlines() if line.strip())
    return said[:_LONGEST].rstrip(".") or type(error).__name__
