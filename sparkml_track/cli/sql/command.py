"""The command ``sql``: one query, or the prompt where none is given and somebody sits there; and ``sql serve``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup
from typing_extensions import override

from sparkml_track.cli.guard import guarded
from sparkml_track.cli.sql.asking import Asked, open_catalog, pins_of, query_of, values_of
from sparkml_track.cli.sql.output import format_of, write
from sparkml_track.cli.sql.serve import serve
from sparkml_track.errors import InvalidInput

if TYPE_CHECKING:
    from sparkml_track.catalog import Result

__all__ = ["register"]

#: What is asked without a command.
_QUERY = "query"
#: A person reads no more; files and pipes get all.
_SHOWN = 1000


class _QueryOrCommand(TyperGroup):
    """Takes what does not begin with the name of a command for a query and its options."""

    # The context is click's, which typer has inside or beside it.
    @override
    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, args if args and args[0] in self.commands else [_QUERY, *args])


def register(app: typer.Typer) -> None:
    """Adds the command."""
    group = typer.Typer(cls=_QueryOrCommand, help="Ask the tables of the home by SQL, or serve them.")
    group.command(_QUERY)(guarded(sql))
    group.command()(guarded(serve))
    app.add_typer(group, name="sql")


def sql(  # noqa: PLR0913  # options of a command
    query: Annotated[
        str | None, typer.Argument(metavar="[QUERY]", help="One SELECT, or a file that ends with .sql.")
    ] = None,
    param: Annotated[
        list[str] | None, typer.Option("--param", "-p", metavar="NAME=VALUE", help="For $NAME; NAME:TYPE=VALUE too.")
    ] = None,
    at: Annotated[
        list[str] | None, typer.Option("--at", metavar="TABLE@VERSION", help="Of a table; the latest by default.")
    ] = None,
    output_format: Annotated[
        str | None, typer.Option("--format", metavar="FORMAT", help="table, csv, json or parquet.")
    ] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="Where rows go.")] = None,
    save: Annotated[
        str | None, typer.Option("--save", metavar="TABLE", help="Write the rows as a version of a table.")
    ] = None,
    engine: Annotated[str, typer.Option("--engine", metavar="ENGINE", help="duckdb or spark.")] = "duckdb",
    limit: Annotated[int | None, typer.Option("--limit", min=0, help="At most so many rows.")] = None,
    timeout: Annotated[float | None, typer.Option("--timeout", min=0.001, help="Seconds.")] = None,
    config: Annotated[Path | None, typer.Option("--config", "-c", metavar="FILE", help="Names the home.")] = None,
) -> None:
    """Ask the tables of the home by SQL; without a query, a prompt.

    Names are catalog.schema.table, where main and default may be left out. A query reads the versions that are the
    latest when it begins, or those of --at, and nothing else; it writes by --save alone.

    sparkml-track sql serve serves the tables to clients of JDBC, ODBC and Spark Connect (see its --help).
    """
    asked = Asked(values_of(param or ()), pins_of(at or ()), limit, timeout)
    name = format_of(output_format, output)
    if query is None:
        if sys.stdin is not None and sys.stdin.isatty():
            if save or output or at:
                raise InvalidInput("--save, --output and --at are for one query; give it")
            _prompt(asked, engine, config)
            return
        query = sys.stdin.read() if sys.stdin is not None else ""
    _ask(query, asked, _Answered(name, output, save), engine, config)


class _Answered:
    """Where an answer goes."""

    def __init__(self, name: str, output: Path | None, save: str | None) -> None:
        self.name = name
        self.output = output
        self.save = save


def _ask(given: str, asked: Asked, into: _Answered, engine: str, config: Path | None) -> None:
    query = query_of(given)
    values = query.values(asked.params)
    catalog = open_catalog(config, engine)
    to_person = into.name == "table" and into.output is None and into.save is None
    limit = asked.limit if asked.limit is not None or not to_person else _SHOWN
    result = catalog.sql(query.text, values, at=asked.at, limit=limit, timeout=asked.timeout, save=into.save)
    if into.save is None or into.output is not None:
        write(result.rows, into.name, into.output)
    typer.echo(summary(result), err=True)


def summary(result: Result) -> str:
    """What a person wants to know of an answer, in a line."""
    rows = f"{result.rows.num_rows:,} row{'' if result.rows.num_rows == 1 else 's'}"
    more = ", cut by the limit (--limit)" if result.more else ""
    tables = ", ".join(f"{ref.name}@{ref.version}" for ref in result.tables)
    source = f" from {tables}" if tables else ""
    cached = ", from the cache" if result.cached else ""
    saved = f"; saved as {result.saved.name}@{result.saved.version}" if result.saved else ""
    return f"{rows} in {result.seconds:.2f} s{source}{cached}{more}{saved}"


def _prompt(asked: Asked, engine: str, config: Path | None) -> None:
    from sparkml_track.cli.sql.prompt import Prompt, typed

    catalog = open_catalog(config, engine)
    with typed(catalog.home.prompt) as lines:
        Prompt(catalog, asked, summary).run(lines)
