"""What pages ask the tables of a home: a SELECT over their latest versions, which leaves nothing in the history."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Hashable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from sparkml_track.dashboards.kept import Kept
from sparkml_track.dashboards.page import Page
from sparkml_track.dashboards.shipped import ACCOUNTS
from sparkml_track.dashboards.stamps import Kind, Stamp
from sparkml_track.errors import AccessDenied, SparkmlError
from sparkml_track.governance import grants
from sparkml_track.governance.grants import Principal

if TYPE_CHECKING:
    import pyarrow as pa

    from sparkml_track.sql import Engine
    from sparkml_track.tables import Tables

__all__ = ["Rows", "arrow", "ask", "check", "lake", "once", "or_else", "principal", "remembered", "there", "written"]

_T = TypeVar("_T")
Rows = list[dict[str, Any]]
_SECONDS = 20.0  # for one answer: nobody waits longer for a page
_ANSWERS = 200  # that are kept, of tables and of others that are asked
_ENGINES = 16  # likewise, each with the connection that it asked last


def lake(page: Page) -> Tables:
    """The tables of the home, which remember what they read of versions."""
    from sparkml_track.tables import DeltaTables

    return page.kept.get("tables", (), lambda: DeltaTables(page.home.tables_root, lineage=False))


def there(page: Page, *names: str) -> bool:
    """Whether all of these tables are there."""
    return all(map(lake(page).exists, names))


def written(page: Page, *names: str) -> Stamp:
    """When these tables were last written."""
    return tuple(number for name in names for number in page.stamp(Kind.TABLES, of=name))


def remembered(page: Page, key: Hashable, stamp: Stamp, make: Callable[[], _T]) -> _T:
    """As ``page.kept.get``, for the many small things that a page is made of: they do not push each other out."""
    return page.kept.get("answers", (), lambda: Kept(_ANSWERS)).get(key, stamp, make)


def or_else(make: Callable[[], _T], otherwise: _T) -> _T:
    """For what somebody may choose from: where it cannot be read, less; the parts of the page say why."""
    try:
        return make()
    except SparkmlError:
        return otherwise


def principal(page: Page) -> Principal | None:
    """Who asks: the account that looks at the page, None for this process where there are no accounts.

    An account of the server has no groups and is never the machine's administrator.

    Raises:
        AccessDenied: there are accounts, and this page does not know whose it is.
    """
    if not os.environ.get(ACCOUNTS):
        return None
    if page.viewer:
        return Principal(page.viewer)
    raise AccessDenied(
        "this server has accounts, and the page does not know which of them is looking, so it asks nothing in its own "
        "name; log in, or ask by: sparkml-track sql"
    )


def arrow(page: Page, text: str, params: Mapping[str, object] | None = None, /, **tables: str) -> pa.Table:
    """As ``ask``, for many rows: an Arrow table."""
    return _kept(page, "arrow", text, params, tables, lambda answer: answer)


def ask(page: Page, text: str, params: Mapping[str, object] | None = None, /, **tables: str) -> Rows:
    """The answer to a query, asked again only after one of its tables was written.

    Args:
        page: whose home; whoever looks must be granted the tables.
        text: names tables by the keywords.
        params: a value for each ``$name``.
        tables: keyword to the name of a table that is there.

    Raises:
        AccessDenied: the viewer may not read one of them, or is not known where there are accounts.
        QueryError: it took too long.
        SetupError: DuckDB is not installed.
        TableError: a table cannot be read.
    """
    found: Rows = _kept(page, "rows", text, params, tables, lambda answer: answer.to_pylist())
    return found


def once(page: Page, text: str, params: Mapping[str, object] | None = None, /, **tables: str) -> pa.Table:
    """As ``arrow``, of which nothing is kept: for rows of which something small is made, and that is kept."""
    check(page, *tables.values())
    return _answered(page, text, dict(params or {}), tables)


def check(page: Page, *names: str) -> None:
    """Asks the grants for the viewer; the tables themselves ask for this process, which is the server's.

    Raises:
        AccessDenied: the viewer may not read one of them or does not see all of it, or is not known where there are
            accounts.
    """
    who = Principal(page.viewer) if page.viewer else principal(page)
    if who is not None:
        owner: Any = getattr(lake(page), "owner", lambda _: None)
        for name in names:
            grants.check_whole(page.home, "SELECT", name, partial(owner, name), who)


def _kept(  # a query, and what is made of its answer
    page: Page,
    kind: str,
    text: str,
    params: Mapping[str, object] | None,
    tables: Mapping[str, str],
    made: Callable[[pa.Table], Any],
) -> Any:
    given = dict(params or {})
    check(page, *tables.values())
    asked = (*sorted(tables.items()), *sorted((name, repr(value)) for name, value in given.items()))
    key: Hashable = (kind, text, *asked)
    return remembered(page, key, written(page, *tables.values()), lambda: made(_answered(page, text, given, tables)))


def _answered(page: Page, text: str, params: Mapping[str, object], tables: Mapping[str, str]) -> pa.Table:
    from sparkml_track.catalog.snapshot import view_of
    from sparkml_track.sql import Mention, Query

    known = lake(page)
    views = {Mention((alias,)): view_of(known.describe(name), known) for alias, name in tables.items()}
    engine, alone = _engine(page, tables)
    with alone:
        return engine.run(Query(text, dict(params), timeout=_SECONDS), views).rows


def _engine(page: Page, tables: Mapping[str, str]) -> tuple[Engine, threading.Lock]:
    """One for these tables: it answers one query at a time, and goes on with its connection if they are as before."""
    from sparkml_track.sql import open_engine

    engines = page.kept.get("engines", (), lambda: Kept(_ENGINES))
    return engines.get(tuple(sorted(tables.items())), (), lambda: (open_engine(), threading.Lock()))
