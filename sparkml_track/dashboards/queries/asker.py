"""Queries of one person on one page: one at a time, each in a thread of its own, so that the page goes on.

Who asks is the account that looks at the page; without accounts it is this process. Grants count for that one.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass

from sparkml_track.catalog.queries.ask import Catalog, Result
from sparkml_track.catalog.queries.saved import parse_saved
from sparkml_track.dashboards.asked import principal
from sparkml_track.dashboards.page import Page
from sparkml_track.errors import SparkmlError
from sparkml_track.sql import open_engine

__all__ = ["LIMITS", "TIMEOUTS", "Asked", "Asker", "Outcome", "principal"]

_log = logging.getLogger(__name__)
#: Rows, and seconds, to choose from.
LIMITS = (1_000, 10_000, 100_000)
TIMEOUTS = (30, 60, 120, 300)
#: Queries of all pages of a process at one time; each takes what cores and memory there are.
_AT_ONCE = threading.BoundedSemaphore(4)
#: Seconds without a look after which nobody waits for the answer; a browser's hidden tabs look once a minute.
_ALONE = 100.0
_LOOK = 0.5


@dataclass(frozen=True)
class Asked:
    """A query as the page has it.

    Attributes:
        text: SQL.
        given: values of parameters as words; empty ones are not given.
        limit: of rows.
        timeout: seconds.
    """

    text: str
    given: Mapping[str, str]
    limit: int = LIMITS[0]
    timeout: float = TIMEOUTS[0]


@dataclass(frozen=True)
class Outcome:
    """What became of a query.

    Attributes:
        number: of the query on this page, from 1.
        asked: the query.
        result: what it gave, None if it failed.
        problem: why it failed.
    """

    number: int
    asked: Asked
    result: Result | None = None
    problem: str = ""


class Asker:
    """Asks queries of a home. Calls come from one thread.

    Args:
        page: that somebody looks at.

    Attributes:
        number: of the query that began last, from 1; 0 before the first.
        shown: of the one whose end the page has shown.
        last: the query that ended last, None before the first.
    """

    def __init__(self, page: Page) -> None:
        self._page = page
        self._catalog: Catalog | None = None
        self._began = self._seen = 0.0
        self.number = self.shown = 0
        self._stopped = ""
        self._done = threading.Event()
        self._done.set()
        self.last: Outcome | None = None

    @property
    def running(self) -> bool:
        """Whether a query is under way."""
        return not self._done.is_set()

    def begin(self, asked: Asked) -> None:
        """Begins a query; one that is under way goes on, and nothing is begun."""
        self._seen = time.monotonic()
        if self.running:
            return
        self.number += 1
        if not _AT_ONCE.acquire(blocking=False):
            self.last = Outcome(self.number, asked, problem="too many queries are under way on this server; try again")
            return
        self._began, self._stopped = time.monotonic(), ""
        self._done.clear()
        threading.Thread(target=self._work, args=(asked, self.number), name="sparkml-page-query", daemon=True).start()
        threading.Thread(target=self._watch, name="sparkml-page-watch", daemon=True).start()

    def stop(self) -> None:
        """Ends the query that is under way, if any."""
        if self.running:
            self._stopped = "the query was stopped"

    def look(self) -> float:
        """Seconds since the query began; somebody waits for it, or it is ended."""
        self._seen = time.monotonic()
        return self._seen - self._began if self.running else 0.0

    def wait(self, seconds: float) -> bool:
        """Waits for the end of the query; gives whether it has ended."""
        return self._done.wait(seconds)

    def _work(self, asked: Asked, number: int) -> None:
        try:
            self.last = self._outcome(asked, number)
        finally:
            _AT_ONCE.release()
            self._done.set()

    def _outcome(self, asked: Asked, number: int) -> Outcome:
        try:
            return Outcome(number, asked, self._answer(asked))
        except SparkmlError as error:
            return Outcome(number, asked, problem=self._stopped or str(error))
        except Exception as error:  # noqa: BLE001  # a query must not take the page with it
            _log.exception("a query of the page failed")
            return Outcome(number, asked, problem=f"the query failed: {type(error).__name__}: {error}")

    def _answer(self, asked: Asked) -> Result:
        given = {name: word for name, word in asked.given.items() if word}
        values = parse_saved("", asked.text).values(given)
        if self._catalog is None:
            self._catalog = _catalog(self._page)
        return self._catalog.sql(asked.text, values, limit=asked.limit, timeout=asked.timeout)

    def _watch(self) -> None:
        # An interrupt that comes before the query has begun is lost on it, so it comes again.
        while not self._done.wait(_LOOK):
            if not self._stopped and time.monotonic() - self._seen > _ALONE:
                self._stopped = "nobody waited for the query any more, so it was ended"
            if self._stopped and self._catalog is not None:
                self._catalog.engine.interrupt()


def _catalog(page: Page) -> Catalog:
    from sparkml_track.tables import DeltaTables

    who = principal(page)
    tables = DeltaTables(page.home.tables_root, lineage=False, who=who)
    return Catalog(page.home, open_engine("duckdb"), tables, who)
