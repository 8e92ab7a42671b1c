"""Grants: who may read and change which tables, advisory and by access lists of the folders."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from sparkml_track.catalog.queries.ask import Catalog
from sparkml_track.catalog.stewards.granting import enforce, give, principal, privilege, take
from sparkml_track.catalog.stewards.tags import set_owner
from sparkml_track.catalog.stewards.things import securable
from sparkml_track.errors import AccessDenied, InvalidInput, TableError
from sparkml_track.governance import grants, posix
from sparkml_track.governance.grants import Grant, Principal
from sparkml_track.home import Home
from sparkml_track.tables import DeltaTables

ROWS = pa.table({"k": [1, 2]})
BOB, ANN = Principal("bob", frozenset({"guests"})), Principal("ann", frozenset({"analysts"}))


@pytest.fixture
def tables(here: Home) -> DeltaTables:
    found = DeltaTables(here.tables)
    found.write("air.flights", ROWS)
    found.write("air.weather", ROWS)
    found.write("t", ROWS)
    return found


@pytest.fixture
def become(monkeypatch: pytest.MonkeyPatch) -> Callable[[Principal], None]:
    def becoming(who: Principal) -> None:
        monkeypatch.setattr(Principal, "of_process", classmethod(lambda cls: who))

    return becoming


def test_a_table_without_grants_is_open_to_all(
    here: Home, tables: DeltaTables, become: Callable[[Principal], None]
) -> None:
    become(BOB)
    assert tables.to_arrow("air.flights").num_rows == 2
    tables.delete("air.flights", "k = 1")


def test_the_first_grant_closes_a_table_to_all_others(
    here: Home, tables: DeltaTables, become: Callable[[Principal], None]
) -> None:
    give(here, tables, Grant("select", "air.flights", "group:analysts"))
    become(ANN)
    assert tables.to_arrow("air.flights").num_rows == 2
    with pytest.raises(AccessDenied, match=r"ann may not change main\.air\.flights: MODIFY is granted to nobody"):
        tables.delete("air.flights", "k = 1")
    become(BOB)
    ref = tables.pin("air.flights")
    for what in (
        lambda: tables.read("air.flights"),
        lambda: tables.to_arrow("air.flights"),
        lambda: tables.to_arrow(ref),
        lambda: tables.files("air.flights"),
        lambda: tables.data_files(ref),
        lambda: tables.diff("air.flights", 0, 0),
        lambda: tables.appended("air.flights", 0, 0),
        lambda: tables.changes("air.flights", 0),
        lambda: tables.clone("air.flights", "air.copy"),
    ):
        with pytest.raises(AccessDenied, match=r"bob may not read main\.air\.flights: SELECT is granted to group:anal"):
            what()
    with pytest.raises(AccessDenied, match="user:bob"):
        Catalog(here).sql("SELECT * FROM air.flights")
    assert tables.to_arrow("air.weather").num_rows == 2
    assert tables.describe("air.flights").columns == {"k": "long"}


def test_a_grant_on_a_schema_or_a_catalog_counts_below_it(
    here: Home, tables: DeltaTables, become: Callable[[Principal], None]
) -> None:
    give(here, tables, Grant("ALL", "air", "user:ann"))
    become(BOB)
    with pytest.raises(AccessDenied):
        tables.to_arrow("air.weather")
    with pytest.raises(AccessDenied, match=r"may not change main\.air\.new"):
        tables.write("air.new", ROWS)
    assert tables.to_arrow("t").num_rows == 2
    become(ANN)
    tables.write("air.new", ROWS)
    with pytest.raises(AccessDenied, match=r"ann may not say who owns or uses main"):
        give(here, tables, Grant("SELECT", "main", "everyone"))


def test_what_was_revoked_stays_closed_and_can_be_granted_again(
    here: Home, tables: DeltaTables, become: Callable[[Principal], None]
) -> None:
    give(here, tables, Grant("SELECT", "t", "ann"))
    take(here, tables, Grant("SELECT", "t", "user:ann"))
    become(ANN)
    with pytest.raises(AccessDenied, match="granted to nobody"):
        tables.to_arrow("t")
    become(Principal("root", frozenset(), root=True))
    with pytest.raises(InvalidInput, match=r"SELECT on main\.default\.t is not granted to user:bob"):
        take(here, tables, Grant("SELECT", "t", "bob"))
    give(here, tables, Grant("SELECT", "t", "everyone"))
    become(ANN)
    assert tables.to_arrow("t").num_rows == 2
    kept = Catalog(here).system.rows("grants").to_pylist()
    assert [(row["principal"], row["granted"]) for row in sorted(kept, key=lambda row: row["event_time"])] == [
        ("user:ann", True), ("user:ann", False), ("everyone", True)
    ]  # fmt: skip


def test_an_owner_may_everything_with_the_own_table_and_nobody_takes_it(
    here: Home, tables: DeltaTables, become: Callable[[Principal], None]
) -> None:
    set_owner(here, tables, "t", "ann")
    give(here, tables, Grant("SELECT", "t", "group:guests"))
    become(ANN)
    tables.delete("t", "k = 1")
    give(here, tables, Grant("MODIFY", "t", "group:guests"))
    become(BOB)
    tables.delete("t", "k = 2")
    with pytest.raises(AccessDenied, match="bob may not say who owns or uses"):
        set_owner(here, tables, "t", "bob")
    with pytest.raises(AccessDenied):
        give(here, tables, Grant("ALL", "t", "bob"))
    results = [row["result"] for row in Catalog(here).system.rows("audit").to_pylist()]
    assert sum(result.startswith("denied: bob") for result in results) == 2


def test_grants_that_cannot_be_read_allow_nothing(here: Home, tables: DeltaTables) -> None:
    give(here, tables, Grant("SELECT", "t", "ann"))
    here.grants.write_text("{")
    with pytest.raises(TableError, match="no table of the home is read or written"):
        tables.to_arrow("t")
    here.grants.write_text(json.dumps({"enforce": "sometimes", "grants": []}))
    with pytest.raises(TableError, match="enforce is 'sometimes'"):
        tables.to_arrow("air.weather")


def test_privileges_of_tables_are_a_table_of_information_schema(here: Home, tables: DeltaTables) -> None:
    give(here, tables, Grant("SELECT", "main.air", "group:analysts"))
    give(here, tables, Grant("MODIFY", "air.flights", "ann"))
    found = Catalog(here).sql(
        "SELECT grantee, table_name, privilege_type, inherited_from FROM information_schema.table_privileges"
    )
    assert {tuple(row.values()) for row in found.rows.to_pylist()} == {
        ("group:analysts", "flights", "SELECT", "main.air"), ("group:analysts", "weather", "SELECT", "main.air"),
        ("user:ann", "flights", "MODIFY", None)
    }  # fmt: skip


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda tables: privilege("SELEC"), "'SELEC' is not a privilege; there are SELECT, MODIFY, ALL. Did you mean"),
        (lambda tables: principal("role:x"), "'role:x' is nobody; write user:NAME, group:NAME or everyone"),
        (lambda tables: principal("group:"), "is nobody"),
        (lambda tables: securable("air.flihts", tables), "Did you mean main.air.flights?"),
        (lambda tables: securable("", tables), "no table, schema or catalog ''"),
        (lambda tables: securable("a.b.c.d", tables), "no table, schema or catalog 'a.b.c.d'"),
        (lambda tables: enforce(Home.find(), tables, "strictly"), "allowed are advisory and posix"),
        (
            lambda tables: enforce(Home.find("s3://bucket/home"), tables, "posix"),
            "keep others out by the store's own policies",
        ),
    ],
)
def test_wrong_words_are_wrong_input(tables: DeltaTables, call: Callable[[DeltaTables], object], said: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        call(tables)
    assert said in str(caught.value)


def test_a_name_is_a_table_before_it_is_a_schema(tables: DeltaTables) -> None:
    assert [securable(name, tables) for name in ("main", "air", "main.air", "air.flights", "t")] == [
        "main", "main.air", "main.air", "main.air.flights", "main.default.t"
    ]  # fmt: skip


# ------------------------------------------------------------------------------------------------- access lists

READER, WRITER, STRANGER = 60301, 60302, 60303


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    """A home that other accounts can enter."""
    if os.geteuid() != 0:
        pytest.skip("NOT CHECKED: only root can become two other accounts to test access lists")
    folder = Path(tempfile.mkdtemp(prefix="sparkml-acl-"))
    folder.chmod(0o755)
    monkeypatch.setenv("SPARKML_HOME", str(folder / "home"))
    probe = folder / "probe"
    probe.mkdir()
    try:
        posix.guard(probe, posix.Access((), ()))
    except TableError as error:
        shutil.rmtree(folder)
        pytest.skip(f"NOT CHECKED: {error}")
    yield Home.find()
    shutil.rmtree(folder)


def as_account(number: int, what: Callable[[], object]) -> str:
    """What a call comes to in a process of another account: "" or the error's name."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.setgroups([])
            os.setgid(number)
            os.setuid(number)
            what()
            os.write(write, b"ok")
        except BaseException as error:
            os.write(write, type(error).__name__.encode())
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        said = pipe.read().decode()
    os.waitpid(child, 0)
    return said


def read_all(folder: Path) -> Callable[[], object]:
    return lambda: os.listdir(folder) and [path.read_bytes() for path in folder.rglob("*") if path.is_file()]


def test_access_lists_are_a_boundary_that_the_kernel_keeps(shared: Home) -> None:
    tables = DeltaTables(shared.tables)
    tables.write("air.flights", ROWS)
    flights, new = shared.tables / "air.flights", shared.tables / "air.new"
    give(shared, tables, Grant("SELECT", "air", f"user:{READER}"))
    assert as_account(STRANGER, read_all(flights)) == "ok"  # advisory: the files are as they were
    enforce(shared, tables, "posix")
    give(shared, tables, Grant("MODIFY", "air.flights", f"user:{WRITER}"))

    tables.write("air.flights", ROWS, mode="append")  # new files inherit
    tables.write("air.new", ROWS)  # a new table is guarded from its first file on
    for folder in (flights, new):
        assert as_account(READER, read_all(folder)) == "ok"
        assert as_account(STRANGER, read_all(folder)) == "PermissionError"
    assert as_account(READER, lambda: (flights / "x").write_text("x")) == "PermissionError"
    assert as_account(WRITER, lambda: (flights / "_delta_log" / "x").write_text("x")) == "ok"
    assert (flights / "_delta_log" / "x").read_text() == "x"
    (flights / "_delta_log" / "x").unlink()
    assert posix.readable_by(flights) == f"user root, user {READER}, user {WRITER}"

    take(shared, tables, Grant("SELECT", "air", f"user:{READER}"))
    assert as_account(READER, read_all(flights)) == "PermissionError"
    enforce(shared, tables, "advisory")
    assert as_account(STRANGER, read_all(flights)) == "ok"


def test_an_account_that_is_not_there_cannot_be_guarded_for(shared: Home) -> None:
    tables = DeltaTables(shared.tables)
    tables.write("t", ROWS)
    assert give(shared, tables, Grant("SELECT", "t", "nobody_here")) == ("this machine knows no user nobody_here yet",)
    with pytest.raises(InvalidInput, match="knows no user nobody_here, so its files cannot be guarded"):
        enforce(shared, tables, "posix")
    assert grants.load(shared).enforce == "advisory"
