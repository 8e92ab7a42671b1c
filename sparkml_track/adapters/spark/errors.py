"""What pyspark, py4j and grpc raise, as errors of this package: one sentence, with the first line of theirs.

pyspark   PySparkException and all below it, classic and Connect
py4j      Py4JError and all below it: the JVM raised, or is gone
grpc      RpcError, FutureTimeoutError, FutureCancelledError: the Connect server is away
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sparkml_track.errors import SetupError, SparkmlError

__all__ = ["check_session", "first_line", "is_spark_error", "translated"]

_LIBRARIES = frozenset({"pyspark", "py4j", "grpc"})
_LONGEST = 500


@contextmanager
def translated(action: str, kind: type[SparkmlError], way_out: str = "") -> Iterator[None]:
    """Raises an error of ours for one of Spark's.

    Args:
        action: what was done, as the subject of the sentence.
        kind: what is raised.
        way_out: comes last in the sentence.

    Raises:
        SparkmlError: of the kind.
    """
    try:
        yield
    except Exception as error:
        if not is_spark_error(error):
            raise
        line, end = first_line(error), f"; {way_out}" if way_out else ""
        raise kind(f"{action} failed in Spark: {line.rstrip('.') if end else line}{end}") from error


def is_spark_error(error: BaseException) -> bool:
    """Whether it is of one of the three libraries, or of a class derived from theirs."""
    return any(base.__module__.split(".")[0] in _LIBRARIES for base in type(error).__mro__)


def first_line(error: BaseException) -> str:
    """What a person can use of it: its first line, without the name of a Java class."""
    try:
        java = getattr(error, "java_exception", None)
        text = str(java.getMessage() if java is not None else error).strip()
    except Exception:  # noqa: BLE001  # the JVM that has the message may be gone
        text = ""
    return text.splitlines()[0][:_LONGEST] if text else type(error).__name__


def check_session(session: object, argument: str = "spark") -> None:
    """Looks whether a session can still be used; asks nobody.

    Args:
        session: as given.
        argument: what the caller calls it.

    Raises:
        SetupError: it was stopped.
    """
    context = getattr(session, "_sc", None)
    stopped = context is not None and getattr(context, "_jsc", None) is None
    if stopped or getattr(session, "is_stopped", False) is True:
        raise SetupError(
            f"the Spark session given as {argument}= was stopped; build a new one with "
            f"SparkSession.builder.getOrCreate(), or leave {argument}= out"
        )
