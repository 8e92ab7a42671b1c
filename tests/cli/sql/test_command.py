"""``sparkml-track sql``: one query to every format, wrong input as one sentence, and the prompt."""

from __future__ import annotations

import io
import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sparkml_track.catalog import Catalog
from sparkml_track.cli.sql.asking import Asked
from sparkml_track.cli.sql.command import summary
from sparkml_track.cli.sql.prompt import Prompt
from sparkml_track.home import Home
from sparkml_track.sql import open_engine
from sparkml_track.tables import DeltaTables
from tests.calls import Call, caller


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SPARKML_HOME", str(tmp_path / "home"))
    found = Home.find()
    tables = DeltaTables(found.tables)
    tables.write("air.flights", pa.table({"k": ["a", None], "v": [1.5, float("nan")]}), description="delays")
    tables.write("air.flights", pa.table({"k": ["[c]"], "v": [float("inf")]}), mode="append")
    return found


@pytest.fixture
def call(home: Home, capsys: pytest.CaptureFixture[str]) -> Call:
    return caller("sql", capsys)


def test_rows_are_a_table_for_a_person(call: Call) -> None:
    code, out, err = call("SELECT * FROM air.flights ORDER BY v")
    assert code == 0
    assert [line.split() for line in out.splitlines()] == [["k", "v"], ["a", "1.5"], ["[c]", "inf"], ["null", "null"]]
    assert err.startswith("3 rows in ")
    assert err.endswith("from air.flights@1")


def test_rows_are_csv_and_json_for_a_program(call: Call) -> None:
    text = "SELECT k, v, [1, 2] AS l, DATE '2013-11-01' AS d FROM air.flights WHERE k IS NOT NULL ORDER BY v"
    assert call(text, "--format", "csv")[1] == 'k,v,l,d\na,1.5,"[1, 2]",2013-11-01\n[c],inf,"[1, 2]",2013-11-01\n'
    rows = json.loads(call("SELECT * FROM air.flights ORDER BY v", "--format", "json")[1])
    assert rows == [{"k": "a", "v": 1.5}, {"k": "[c]", "v": "inf"}, {"k": None, "v": None}]


def test_the_end_of_a_file_says_its_format(call: Call, tmp_path: Path) -> None:
    for name in ("rows.parquet", "rows.csv", "rows.json"):
        assert call("SELECT k FROM air.flights ORDER BY k NULLS LAST", "-o", name)[:2] == (0, "")
    assert pq.read_table(tmp_path / "rows.parquet").to_pydict() == {"k": ["[c]", "a", None]}
    assert (tmp_path / "rows.csv").read_text() == 'k\n[c]\na\n""\n'
    assert json.loads((tmp_path / "rows.json").read_text())[0] == {"k": "[c]"}


def test_long_values_are_cut_for_a_person_alone(call: Call) -> None:
    text = "SELECT repeat('x', 1000) AS x"
    assert call(text)[1].splitlines()[1].strip() == "x" * 199 + "…"
    assert call(text, "--format", "csv")[1] == f"x\n{'x' * 1000}\n"


def test_a_saved_query_gets_its_defaults_and_types(call: Call, tmp_path: Path) -> None:
    (tmp_path / "late.sql").write_text("-- params: k string = a, more long = 1\nSELECT $k AS k, $more + 1 AS n\n")
    assert call("late.sql", "--format", "csv")[1] == "k,n\na,2\n"
    assert call("late.sql", "--format", "csv", "-p", "k=007", "-p", "more=41")[1] == "k,n\n007,42\n"


def test_versions_limits_and_saving(call: Call, home: Home) -> None:
    assert call("SELECT count(*) AS n FROM air.flights", "--at", "air.flights@0", "--format", "csv")[1] == "n\n2\n"
    assert "1 row in " in call("FROM air.flights", "--limit", "1")[2]
    assert "cut by the limit" in call("FROM air.flights", "--limit", "1")[2]
    code, out, err = call("SELECT k FROM air.flights", "--save", "air.k")
    assert (code, out) == (0, "")
    assert err.endswith("from air.flights@1; saved as air.k@0")
    assert DeltaTables(home.tables).to_arrow("air.k").num_rows == 3


def test_a_query_comes_from_a_pipe(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("SELECT 1 AS one;\n"))
    assert call("--format", "csv")[:2] == (0, "one\n1\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["SELEC 1"], "the query is not SQL at character 1"),
        (["FROM air.flighs"], "no table air.flighs. Did you mean main.air.flights?"),
        (["SELECT x FROM air.flights"], 'column "x" not found'),
        (["SELECT $x"], "the parameter $x, and no value was given"),
        (["SELECT 1", "-p", "x=1"], "has no parameter 'x'; it has none"),
        (["SELECT 1", "-p", "x"], "'x' is not name=value"),
        (["SELECT $x", "-p", "x:date=1"], "'x' is '1', which is not a date"),
        (["FROM air.flights", "--at", "air.flights"], "write table@version"),
        (["FROM air.flights", "--at", "air.flights@7"], "no version 7; the latest is 1"),
        (["SELECT 1", "--format", "xml"], "no format 'xml'; allowed are table, csv, json, parquet"),
        (["SELECT 1", "--format", "parquet"], "name a file with --output"),
        (["SELECT 1", "--engine", "presto"], "the engines are: duckdb, spark"),
        (["SELECT 1", "--save", "system.x"], "choose another, like air.x"),
        (["none.sql"], "none.sql cannot be read: No such file"),
        (["COPY (SELECT 1) TO 'x.csv'"], "allowed is one SELECT"),
        (["FROM read_csv('/etc/passwd')"], "a query reads the tables it names and nothing else"),
        ([""], "holds 0 statements"),
    ],
)
def test_wrong_input_is_one_sentence_and_exit_2(call: Call, arguments: list[str], said: str) -> None:
    code, out, err = call(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert said in err


def test_what_fails_while_it_runs_is_exit_1(call: Call, tmp_path: Path) -> None:
    assert call("SELECT CAST(k AS INT) FROM air.flights")[0] == 1
    assert call("SELECT count(*) FROM range(10000000000000)", "--timeout", "0.3")[0] == 1
    code, _, err = call("SELECT 1 AS one", "-o", "nowhere/x.csv")
    assert code == 1
    assert "nowhere/x.csv cannot be written: No such file" in err


# ---------------------------------------------------------------------------------------------------- the prompt


def test_the_prompt_asks_one_statement_after_another(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    def typing() -> Iterator[str | None]:
        yield from ("SELECT k", "FROM air.flights WHERE v < 2;", r"\d", r"\d air.flights", r"\d nothing", r"\p")
        yield from ("SELECT thrown away", None, r"\p least=1", r"\p", "SELECT $least AS least;", "SELEC 1;", ";")
        yield from (r"\x", "SELECT 2 AS two; ", r"\q", "SELECT 3 AS three;")

    Prompt(Catalog(home, open_engine()), Asked({}, {}, None, None), summary).run(typing())
    out, err = capsys.readouterr()
    lines = [line.split() for line in out.splitlines()]
    assert lines[:2] == [["k"], ["a"]]
    assert ["air.flights", "1", "delays"] in lines
    assert ["v", "double"] in lines
    assert out.count("no parameters") == 1
    assert ["least", "=", "1"] in lines
    assert "two" in out
    assert "three" not in out
    assert "thrown away" not in err
    assert "there is no table nothing" in err
    assert "the query is not SQL" in err


@pytest.mark.slow
def test_ctrl_c_at_the_prompt_ends_the_query_and_not_the_prompt(home: Home, tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    code = "from sparkml_track.cli.app import main; main(['sql'])"
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    )
    os.close(theirs)
    said = b""

    def until(text: bytes) -> None:
        nonlocal said
        while text not in said:
            said += os.read(ours, 4096)
        said = said.partition(text)[2]

    try:
        until(b"sql> ")
        heard, until_when = b"", time.monotonic() + 120
        while b"interrupted" not in heard:
            assert time.monotonic() < until_when
            # Ctrl-C before it runs throws the line away and shows the prompt: it is asked again then.
            os.write(ours, b"SELECT count(*) FROM range(10000000000000);\n")
            until(b"10000000000000);")
            heard = b""
            while b"sql> " not in heard and time.monotonic() < until_when:
                process.send_signal(signal.SIGINT)
                while select.select([ours], [], [], 0.2)[0]:
                    heard += os.read(ours, 4096)
        os.write(ours, b"SELECT 40 + 2 AS answer;\n")
        until(b"42")
        os.write(ours, b"\\q\n")
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    assert "range(10000000000000)" in (tmp_path / "home" / "sql_history").read_text()


def test_a_query_imports_no_pandas_and_no_pyspark(home: Home) -> None:
    code = (
        "import sys; from sparkml_track.cli.app import main\ntry: main()\nexcept SystemExit as end: print(end.code)\n"
    )
    code += "print(sorted({'pandas', 'pyspark', 'mlflow'} & sys.modules.keys()))"
    words = [sys.executable, "-c", code, "sql", "SELECT count(*) AS n FROM air.flights", "--format", "csv"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["n", "3", "0", "[]"], done.stderr
