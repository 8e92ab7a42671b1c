"""The engine "spark": Spark SQL in a session of the query's own, beside the user's in the same application."""

from __future__ import annotations

import contextlib
import threading
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from typing_extensions import override

from sparkml_track.adapters.spark.errors import check_session, first_line, translated
from sparkml_track.errors import InvalidInput, QueryError
from sparkml_track.sql._answers import answer
from sparkml_track.sql._base import Answer, Engine, Mention, Parsed, Query, View
from sparkml_track.sql._params import check_parameters, refuse_surrogates
from sparkml_track.sql._running import interruptible
from sparkml_track.sql._spark.plan import Place, known_names, places, refuse_others, words
from sparkml_track.sql._spark.text import parameters, replaced, with_markers
from sparkml_track.sql._spark.views import make_view

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["SparkEngine"]

# Spark's functions that need not give the same twice, and the expressions its parser makes of them.
_VOLATILE = frozenset(
    {
        "curdate", "current_catalog", "current_database", "current_date", "current_schema", "current_time",
        "current_timestamp", "current_timezone", "current_user", "currentdate", "currenttime", "currenttimestamp",
        "currentuser", "input_file_name", "java_method", "localtimestamp", "monotonically_increasing_id", "now",
        "rand", "randn", "random", "randstr", "reflect", "sample", "session_user", "shuffle", "spark_partition_id",
        "try_reflect", "uniform", "unix_timestamp", "user", "uuid",
    }
)  # fmt: skip


class SparkEngine(Engine):
    """Spark SQL. Its functions reach files and classes of the application: nothing confines a query.

    Args:
        spark: a classic session, which is not stopped.

    Raises:
        InvalidInput: there is no session, or it is one of Spark Connect.
        SetupError: it was stopped.
    """

    name: ClassVar[str] = "spark"
    confined: ClassVar[bool] = False

    def __init__(self, spark: SparkSession | None) -> None:
        if spark is None:
            raise InvalidInput("the SQL engine spark needs a session: open_engine('spark', spark)")
        check_session(spark)
        if not hasattr(spark, "_jsparkSession"):
            raise InvalidInput("the SQL engine spark needs a classic session; over Spark Connect ask the engine duckdb")
        self._spark = spark
        self._tag: str | None = None
        self._lock = threading.Lock()

    @property
    @override
    def version(self) -> str:
        return str(self._spark.version)

    @override
    def parse(self, text: str) -> Parsed:
        plan = self._plan(text)
        with _translated():
            mentions = dict.fromkeys(place.mention for place in places(self._jvm, plan))
            volatile = not words(self._jvm, plan).isdisjoint(_VOLATILE)
        return Parsed(tuple(mentions), parameters(text), volatile)

    @override
    def run(self, query: Query, views: Mapping[Mention, View]) -> Answer:
        check_parameters(parameters(query.text), query.params)
        plan, tag = self._plan(query.text), f"sparkml-query-{uuid.uuid4().hex}"
        with _translated():
            found, known = places(self._jvm, plan), known_names(self._jvm, plan)
        names = _view_names(tuple(views), known)
        text = replaced(with_markers(query.text), (_piece(place, names[place.mention]) for place in found))
        with self._lock:
            self._tag = tag
        try:
            return interruptible(lambda: self._answer(text, query, views, names, tag), self.interrupt, query.timeout)
        finally:
            with self._lock:
                self._tag = None

    @override
    def interrupt(self) -> None:
        with self._lock, contextlib.suppress(QueryError), _translated():
            if self._tag is not None:
                self._spark.sparkContext.cancelJobsWithTag(self._tag)

    @property
    def _jvm(self) -> Any:
        return self._spark._jvm  # noqa: SLF001  # its parser has no other door

    def _plan(self, text: str) -> Any:
        refuse_surrogates(text)
        with _translated():
            parser = self._spark._jsparkSession.sessionState().sqlParser()  # noqa: SLF001
            plan = parser.parsePlan(with_markers(text))
            refuse_others(self._jvm, plan)
        return plan

    def _answer(
        self, text: str, query: Query, views: Mapping[Mention, View], names: Mapping[Mention, str], tag: str
    ) -> Answer:
        with _translated():
            self._spark.sparkContext.addJobTag(tag)
            session = self._spark.newSession()
            session.conf.set("spark.sql.session.timeZone", "UTC")
            for mention, view in views.items():
                make_view(session, names[mention], view)
            frame = session.sql(text, args=dict(query.params))
            # Two columns of one name make Arrow of Spark fail.
            plain = frame.toDF(*(f"c{number}" for number in range(len(frame.columns))))
            rows = (plain if query.limit is None else plain.limit(query.limit + 1)).toArrow()
        rows = rows.rename_columns(frame.columns)
        cut = query.limit is not None and rows.num_rows > query.limit
        return answer(rows.slice(0, query.limit) if cut else rows, cut)


def _view_names(mentions: tuple[Mention, ...], known: frozenset[str]) -> dict[Mention, str]:
    """The last part of a table's name where that is one table's alone, so that columns can be qualified by it."""
    uses = Counter(mention.parts[-1].lower() for mention in mentions)
    return {
        mention: last if uses[last.lower()] == 1 and last.lower() not in known else f"sparkml_view_{number}"
        for number, mention in enumerate(mentions)
        for last in (mention.parts[-1],)
    }


def _piece(place: Place, name: str) -> tuple[int, int, str]:
    last = place.mention.parts[-1]
    alias = "" if place.aliased or name == last else f" AS {_quoted(last)}"
    return place.start, place.end, _quoted(name) + alias


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    """Spark's errors: what another query would mend is wrong input."""
    from pyspark.errors import AnalysisException, ParseException

    try:
        with translated("the query", QueryError):
            yield
    except QueryError as error:
        cause = error.__cause__ or error
        if isinstance(cause, AnalysisException | ParseException):
            raise InvalidInput(f"the query failed in Spark: {first_line(cause)}") from cause
        if "ParseException" in str(getattr(cause, "java_exception", "")):
            raise InvalidInput(f"the query is not SQL: {first_line(cause)}") from cause
        raise
