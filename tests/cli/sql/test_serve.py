"""``sparkml-track sql serve``: clients of JDBC and of Spark Connect while a writer commits."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from sparkml_track.adapters.spark.endpoints import Endpoints
from sparkml_track.catalog.following import Following
from sparkml_track.errors import QueryError
from sparkml_track.home import Home
from sparkml_track.sql import View
from sparkml_track.tables import DeltaTables
from sparkml_track.testing.servers import free_port
from tests.calls import caller
from tests.clusters import command, descendants, forget_connect, wait_until

# An answer of one version: its rows say which, their number too, also where the table is asked twice.
_QUESTION = """SELECT min(a.v), max(a.v), count(*), (SELECT max(v) FROM air.moving), (SELECT count(*) FROM air.moving b)
    FROM air.moving a"""
_SEEN = 4
Ask = Callable[[str], list[tuple[Any, ...]]]


def rows_of(version: int) -> pa.Table:
    return pa.table({"v": [version] * (100 + version), "k": (["a", "ü"] * (50 + version))[: 100 + version]})


class Served:
    """A server, and what it printed."""

    def __init__(self, home: Home, folder: Path) -> None:
        self.home, self.folder = home, folder
        self.jdbc, self.connect = free_port(), free_port()
        words = ["sql", "serve", "--jdbc", str(self.jdbc), "--connect", str(self.connect), "--every", "0.2s"]
        code = "from sparkml_track.cli.app import main; main()"
        with (folder / "out").open("w") as out, (folder / "err").open("w") as err:
            self.process = subprocess.Popen([sys.executable, "-c", code, *words], stdout=out, stderr=err, cwd=folder)

    @property
    def printed(self) -> str:
        return (self.folder / "out").read_text()

    @property
    def logged(self) -> str:
        return (self.folder / "err").read_text()

    def wait(self) -> None:
        wait_until(lambda: "Ctrl-C ends it" in self.printed or self.process.poll() is not None, 200)
        assert self.process.poll() is None, self.logged


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served")
    home = Home(folder / "a home, [of] {t} 'é'")
    tables = DeltaTables(home.tables)
    tables.write("air.moving", rows_of(0))
    tables.write("air.parted", rows_of(1), partition_by=["k"], description="it's parted")
    tables.write("plain", pa.table({"x-y": [1], "l": [[1, 2]]}))
    tables.write("lab.air.moving", pa.table({"v": [7]}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARKML_HOME", str(home.root))
        patch.delenv("SPARK_CONNECT_AUTHENTICATE_TOKEN", raising=False)
        found = Served(home, folder)
    try:
        found.wait()
        yield found
        java = [pid for pid in descendants(found.process.pid) if "java" in command(pid)]
        found.process.send_signal(signal.SIGTERM)
        assert found.process.wait(60) == 143
        wait_until(lambda: not any(map(command, java)), 60)
        assert [path.name for path in home.served.iterdir()] == ["lock"]
        assert "Traceback" not in found.logged, found.logged
    finally:
        found.process.kill()
        found.process.wait()
        forget_connect()


Client = Callable[[Served], AbstractContextManager[Ask]]


@contextmanager
def by_jdbc(served: Served) -> Iterator[Ask]:
    from pyhive import hive

    with hive.connect("127.0.0.1", served.jdbc, username="somebody") as connection, connection.cursor() as cursor:

        def ask(text: str) -> list[tuple[Any, ...]]:
            cursor.execute(text)
            return [tuple(row) for row in cursor.fetchall()]

        yield ask


@contextmanager
def by_connect(served: Served) -> Iterator[Ask]:
    from pyspark.sql.connect.session import SparkSession

    session = SparkSession.builder.remote(f"sc://127.0.0.1:{served.connect}").create()
    try:
        yield lambda text: [tuple(row) for row in session.sql(text).collect()]
    finally:
        session.stop()


pytestmark = [
    pytest.mark.spark,
    pytest.mark.slow,
    # PyHive looks its version up as packages no longer do.
    pytest.mark.filterwarnings("ignore::DeprecationWarning:pyhive"),
]


@pytest.mark.parametrize("client", [by_jdbc, by_connect])
def test_tables_have_their_names_and_values_and_are_not_written(served: Served, client: Client) -> None:
    with client(served) as ask:
        assert ask("SELECT k, count(*) AS n FROM air.parted WHERE k = 'ü' GROUP BY k") == [("ü", 50)]
        assert ask("SELECT `x-y` FROM spark_catalog.default.plain") == [(1,)]
        assert ask("SELECT v FROM lab__air.moving") == [(7,)]
        assert {row[1] for row in ask("SHOW TABLES IN air")} == {"moving", "parted"}
        plan = ask("EXPLAIN SELECT v FROM air.parted WHERE k = 'ü'")[0][0]
        assert "[a,ü][sparkml_part" in plan.partition("PartitionFilters: ")[2].partition("PushedFilters")[0]
        for text in ("INSERT INTO plain VALUES (2, array(3))", "INSERT OVERWRITE plain VALUES (2, array(3))",
                     "DELETE FROM plain", "TRUNCATE TABLE plain"):  # fmt: skip
            with pytest.raises(Exception, match=r"EXPECT_TABLE_NOT_VIEW|UNSUPPORTED"):
                ask(text)
        assert ask("SELECT count(*) FROM plain") == [(1,)]


class Asking(threading.Thread):
    """A client that asks again and again."""

    def __init__(self, served: Served, client: Client) -> None:
        super().__init__()
        self.served, self.client = served, client
        self.answers, self.failed, self.ended = list[tuple[Any, ...]](), list[BaseException](), threading.Event()

    def run(self) -> None:
        try:
            with self.client(self.served) as ask:
                while not self.ended.is_set():
                    self.answers += ask(_QUESTION)
        except BaseException as error:
            self.failed.append(error)

    @property
    def seen(self) -> list[int]:
        return [row[0] for row in self.answers]


def test_every_answer_is_of_one_version_while_a_writer_commits(served: Served) -> None:
    tables, asking = DeltaTables(served.home.tables), [Asking(served, client) for client in (by_jdbc, by_connect)]
    for each in asking:
        each.start()
    until, version = time.monotonic() + 150, 0
    while time.monotonic() < until and not all(each.failed or len(set(each.seen)) >= _SEEN for each in asking):
        version += 1
        tables.write("air.moving", rows_of(version), mode="overwrite")
    for each in asking:
        each.ended.set()
        each.join(60)
        assert not each.failed, each.failed
        assert len(set(each.seen)) >= _SEEN and each.seen == sorted(each.seen)
        assert not [row for row in each.answers if len({*row[:2], row[2] - 100, row[3], row[4] - 100}) > 1]


def test_a_second_server_of_a_home_and_ports_in_use_are_one_sentence(
    served: Served, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPARKML_HOME", str(served.home.root))
    call = caller("sql", capsys)
    code, _, said = call("serve", "--jdbc", str(served.jdbc), "--connect", "0")
    assert (code, said) == (1, f"error: port {served.jdbc} is in use; give another one with --jdbc")
    code, _, said = call("serve", "--jdbc", str(free_port()), "--connect", "0")
    assert code == 1 and said.startswith("error: the tables of this home are served right now, in another process")


# -- without a server


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--every", "soon"], 2, "--every 'soon' is not a time"),
        (["--every", "0s"], 2, "is not a time"),
        (["--jdbc", "0", "--connect", "0"], 2, "leave nothing to serve"),
        (["--jdbc", "15002"], 2, "--jdbc and --connect are both 15002"),
        (["--host", "0.0.0.0"], 2, "anybody on the network could run code as this user by JDBC"),
        (["--host", "nosuch.invalid", "--no-auth"], 1, "the host 'nosuch.invalid' is not known"),
        (["--jdbc", "0"], 1, "there are no tables in"),
    ],
)
def test_what_cannot_be_served_is_one_sentence(
    words: list[str], code: int, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("SPARKML_HOME", str(tmp_path / "home"))
    ports = () if "--connect" in words or "15002" in words else ("--connect", str(free_port()))
    found = caller("sql", capsys)("serve", *words, *ports)
    assert found[0] == code and said in found[2] and "Traceback" not in found[2]
    assert not (tmp_path / "home").exists()


def test_tables_of_an_object_store_are_refused_before_spark_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SPARKML_HOME", "s3://bucket/home")
    code, _, said = caller("sql", capsys)("serve", "--jdbc", str(free_port()), "--connect", "0")
    assert code == 1 and "the tables lie in s3://bucket/home/tables, and only those of a local" in said


def test_an_endpoint_is_open_to_all_unless_it_asks_for_a_password(tmp_path: Path) -> None:
    both = Endpoints("0.0.0.0", 10000, 15002, tmp_path)
    assert [text.split(" (")[0] for text in both.open_to_all({}, {})] == ["JDBC", "Spark Connect"]
    ldap = {"spark.hadoop.hive.server2.authentication": "ldap"}
    assert both.open_to_all(ldap, {"SPARK_CONNECT_AUTHENTICATE_TOKEN": "x"}) == ()
    assert Endpoints("0.0.0.0", 0, 15002, tmp_path).open_to_all({"spark.connect.authenticate.token": "x"}, {}) == ()


class _Views:
    """What a server would be asked to do."""

    def __init__(self) -> None:
        self.done = list[str]()
        self.refuse = ""

    def put(self, view: View, comment: str = "") -> None:
        if view.name == self.refuse:
            raise QueryError("Spark refused")
        self.done.append(f"{view.name} {comment}".strip())

    def drop(self, table: str) -> None:
        self.done.append(f"drop {table}")


def test_views_follow_what_becomes_of_tables(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    tables, views = DeltaTables(tmp_path), _Views()
    following = Following(tables, views)
    tables.write("t", rows_of(0), description="said")
    tables.write("u", rows_of(0))
    assert following.look() == {"main.default.t": 0, "main.default.u": 0}
    assert following.look() == {}
    (tmp_path / "t").rename(tmp_path / "gone")
    tables.write("t", rows_of(0))
    (tmp_path / "gone").rename(tmp_path / "T")
    (tmp_path / "u" / "_delta_log" / f"{1:020d}.json").write_text("no JSON")
    views.done.clear()
    with caplog.at_level("WARNING"):
        following.look()
        following.look()
    assert "it is not served: t differs from another table only in case" in caplog.messages[1]
    assert len([text for text in caplog.messages if text.startswith("it stays at the version before")]) == 1
    assert views.done == ["drop main.default.t", "main.default.T said"]
