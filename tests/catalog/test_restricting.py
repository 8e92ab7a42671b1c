"""Filters of rows and masks of columns: what those see who ask a server by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pyarrow as pa
import pytest

from sparkml_track.catalog.queries.ask import Catalog
from sparkml_track.catalog.stewards.granting import give
from sparkml_track.catalog.stewards.restricting import lift, restrict
from sparkml_track.catalog.stewards.tags import set_owner
from sparkml_track.dashboards import asked
from sparkml_track.dashboards.page import Page
from sparkml_track.dashboards.shipped import ACCOUNTS
from sparkml_track.errors import AccessDenied, InvalidInput, QueryError, SparkmlError, TableError
from sparkml_track.governance import grants
from sparkml_track.governance.grants import Grant, Principal, Restriction
from sparkml_track.governance.principals import owner_of
from sparkml_track.home import Home
from sparkml_track.refs import TableRef
from sparkml_track.sql._duckdb.engine import DuckdbEngine
from sparkml_track.tables import DeltaTables

ROWS = pa.table({"id": [1, 2, 3], "owner": ["eve", "bob", "eve"], "phone": ["123456", "999888", "555444"]})
EVE, ANN = Principal("eve"), Principal("ann", frozenset({"analysts"}))
FILTER = Restriction("air.calls", "", "owner = $user")
MASK = Restriction("air.calls", "phone", "left(phone, 2) || '***'", ("group:analysts",))


@pytest.fixture
def tables(here: Home) -> DeltaTables:
    made = DeltaTables(here.tables)
    made.write("air.calls", ROWS)
    return made


@pytest.fixture
def ask(here: Home, tables: DeltaTables) -> Callable[..., list[Mapping[str, object]]]:
    """The rows of a query, asked by somebody."""

    def asking(who: Principal | None, text: str = "SELECT * FROM air.calls ORDER BY id") -> list[Mapping[str, object]]:
        found: list[Mapping[str, object]] = Catalog(here, who=who).sql(text).rows.to_pylist()
        return found

    return asking


Asking = Callable[..., list[Mapping[str, object]]]


def test_rows_are_filtered_and_columns_masked_for_whoever_asks(here: Home, tables: DeltaTables, ask: Asking) -> None:
    assert len(ask(EVE)) == 3
    said = restrict(here, tables, FILTER)
    assert "sparkml-track ui --auth" in said[0]
    restrict(here, tables, MASK)
    assert ask(EVE) == [
        {"id": 1, "owner": "eve", "phone": "12***"},
        {"id": 3, "owner": "eve", "phone": "55***"},
    ]
    assert ask(ANN) == [], "the mask alone exempts analysts"
    restrict(here, tables, Restriction("air.calls", "", "owner = $user", ("ann",)))
    assert ask(ANN) == ROWS.to_pylist()
    assert ask(None) == ROWS.to_pylist(), "this process reads the files itself"
    assert [(each.table, each.column) for each in grants.load(here).restrictions] == [
        ("main.air.calls", "phone"),
        ("main.air.calls", ""),
    ]


def test_owners_see_all(here: Home, tables: DeltaTables, ask: Asking) -> None:
    restrict(here, tables, FILTER)
    assert len(ask(Principal("root", root=True))) == 3
    set_owner(here, tables, "air.calls", "ann")
    assert len(ask(ANN)) == 3


def test_old_versions_and_joins_are_restricted_too(here: Home, tables: DeltaTables, ask: Asking) -> None:
    restrict(here, tables, MASK)
    tables.write("air.calls", ROWS.slice(0, 1), mode="overwrite")
    assert ask(EVE, "SELECT max(phone) AS m FROM air.calls AT (VERSION => 0)") == [{"m": "99***"}]
    joined = "SELECT a.phone FROM air.calls a JOIN main.air.calls b USING (id)"
    assert ask(EVE, joined) == [{"phone": "12***"}]


def test_a_column_of_another_case_is_the_same_one(here: Home, tables: DeltaTables, ask: Asking) -> None:
    restrict(here, tables, Restriction("air.calls", "PHONE", "NULL"))
    restrict(here, tables, MASK)
    assert [each.column for each in grants.load(here).restrictions] == ["phone"]
    tables.write("air.calls", ROWS.rename_columns(["id", "owner", "Phone"]), mode="overwrite")
    assert ask(EVE, "SELECT max(Phone) AS m FROM air.calls") == [{"m": "99***"}]


def test_who_does_not_see_all_changes_nothing(here: Home, tables: DeltaTables) -> None:
    restrict(here, tables, MASK)
    mine = DeltaTables(here.tables, who=EVE)
    changes: list[Callable[[], object]] = [
        lambda: mine.delete("air.calls", "phone = '123456'"),
        lambda: mine.update("air.calls", None, {"owner": "phone"}),
        lambda: mine.write("air.calls", ROWS, mode="overwrite"),
        lambda: Catalog(here, who=EVE).sql("SELECT * FROM air.calls", save="air.calls"),
    ]
    for change in changes:
        with pytest.raises(AccessDenied, match="leave changes to those who see all"):
            change()
    assert tables.pin("air.calls").version == 0


def test_nothing_of_what_is_hidden_comes_out_by_another_way(here: Home, tables: DeltaTables, ask: Asking) -> None:
    restrict(here, tables, FILTER)
    restrict(here, tables, MASK)
    file = tables.files("air.calls")[0]
    for text in (
        f"SELECT * FROM read_parquet('{file}')",
        f"SELECT * FROM air.calls UNION ALL SELECT * FROM read_parquet('{file}')",
        f"SELECT content::VARCHAR FROM air.calls, read_blob('{file}')",
        f"SELECT * FROM '{file}'",
        "SELECT CAST(owner AS INTEGER) FROM air.calls WHERE id = 2",
    ):
        try:
            found = str(ask(EVE, text))
        except SparkmlError as error:
            found = str(error)
        assert "bob" not in found
        assert "999888" not in found
        assert "3456" not in found
    for read in (tables.to_arrow, tables.head, tables.data_files):
        mine = DeltaTables(here.tables, who=EVE)
        with pytest.raises(AccessDenied, match="only a query by SQL"):
            getattr(mine, read.__name__)("air.calls")
    mine = DeltaTables(here.tables, who=EVE)
    with pytest.raises(AccessDenied):
        mine.to_arrow(TableRef("another", tables.pin("air.calls").path, 0))
    assert mine.describe("air.calls").columns.keys() == set(ROWS.column_names)


def test_an_answer_that_is_kept_is_not_given_to_somebody_else(here: Home, tables: DeltaTables, ask: Asking) -> None:
    text = "SELECT phone FROM air.calls WHERE id = 1"
    assert ask(EVE, text) == [{"phone": "123456"}]
    restrict(here, tables, MASK)
    assert ask(EVE, text) == [{"phone": "12***"}]
    assert ask(ANN, text) == [{"phone": "123456"}]
    assert ask(EVE, text) == [{"phone": "12***"}]


def test_who_was_not_granted_the_table_sees_nothing_of_it(here: Home, tables: DeltaTables, ask: Asking) -> None:
    restrict(here, tables, MASK)
    give(here, tables, Grant("SELECT", "air.calls", "user:ann"))
    with pytest.raises(AccessDenied, match="eve may not read"):
        ask(EVE)


def test_an_expression_that_fails_for_a_hidden_row_does_not_say_of_which(
    here: Home, tables: DeltaTables, ask: Asking
) -> None:
    restrict(here, tables, Restriction("air.calls", "", "CAST(owner AS INTEGER) > 0"))
    with pytest.raises(QueryError, match="a filter or a mask of it fails") as caught:
        ask(EVE)
    assert "bob" not in str(caught.value) + str(caught.value.__cause__)


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (Restriction("air.call", "", "true"), "air.calls"),
        (Restriction("air.calls", "phones", "NULL"), "no column 'phones'"),
        (Restriction("air.calls", "", "ownr = 'x'"), "ownr"),
        (Restriction("air.calls", "", "owner ="), "'owner =' is no expression of SQL"),
        (Restriction("air.calls", "", "id"), None),
        (Restriction("air.calls", "", "owner = $who"), r"\$who"),
        (Restriction("air.calls", "", "id IN (SELECT id FROM air.other)"), "reads another table"),
        (Restriction("air.calls", "", "true) UNION (SELECT 1"), "columns"),
        (Restriction("air.calls", "", "true", ("nobody special",)), "is nobody"),
        (Restriction("air.calls", "phone", "max(phone)"), "GROUP BY"),
    ],
)
def test_what_cannot_be_computed_is_refused_and_changes_nothing(
    here: Home, tables: DeltaTables, wanted: Restriction, said: str | None
) -> None:
    if said is None:
        restrict(here, tables, wanted)  # a number is a condition to DuckDB
        return
    with pytest.raises(InvalidInput, match=said):
        restrict(here, tables, wanted)
    assert grants.load(here).restrictions == ()


def test_only_an_owner_restricts_and_lifts(
    here: Home, tables: DeltaTables, ask: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    restrict(here, tables, MASK)
    with pytest.raises(InvalidInput, match="are not filtered; restricted there are: phone"):
        lift(here, tables, "air.calls")
    with monkeypatch.context() as patched:
        patched.setattr(Principal, "of_process", classmethod(lambda cls: EVE))
        for change in (lambda: restrict(here, tables, FILTER), lambda: lift(here, tables, "air.calls", "phone")):
            with pytest.raises(AccessDenied):
                change()
    lift(here, tables, "air.calls", "phone")
    assert ask(EVE) == ROWS.to_pylist()
    deeds = [row["action"] for row in Catalog(here).system.rows("audit").to_pylist()]
    assert [each for each in deeds if "MASK" in each] == ["MASK", "UNMASK", "UNMASK"]


def test_what_is_restricted_and_cannot_be_read_keeps_the_table_closed(
    here: Home, tables: DeltaTables, ask: Asking
) -> None:
    restrict(here, tables, MASK)
    here.grants.write_text(here.grants.read_text().replace('"exempt"', '"exemt"'))
    with pytest.raises(TableError, match="cannot be read from"):
        ask(EVE)


def test_an_engine_that_reaches_files_is_refused(here: Home, tables: DeltaTables) -> None:
    class Wide(DuckdbEngine):
        confined = False

    restrict(here, tables, MASK)
    with pytest.raises(AccessDenied, match="ask the engine duckdb"):
        Catalog(here, Wide(), who=EVE).sql("SELECT * FROM air.calls")


def test_pages_behind_accounts_show_nothing_of_the_table_but_by_their_queries(
    here: Home, tables: DeltaTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ACCOUNTS, "1")
    restrict(here, tables, MASK)
    seen = "SELECT max(phone) AS m FROM t"
    assert asked.ask(Page("own", here, viewer=owner_of(here.root) or ""), seen, t="air.calls") == [{"m": "999888"}]
    with pytest.raises(AccessDenied, match="only a query by SQL"):
        asked.ask(Page("own", here, viewer="eve"), seen, t="air.calls")
    with pytest.raises(AccessDenied, match="only a query by SQL"):
        asked.once(Page("own", here, viewer="eve"), seen, t="air.calls")
