r"""The prompt: statements that end with ``;``, and commands that begin with ``\``.

\d            tables
\d air.t      columns of a table
\p            parameters
\p day=...    set one
\q            quit
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.console import Console

from sparkml_track.cli.console import say
from sparkml_track.cli.sql.asking import Asked, query_of, values_of
from sparkml_track.cli.sql.output import show
from sparkml_track.errors import SparkmlError

if TYPE_CHECKING:
    from sparkml_track.catalog import Catalog, Result

__all__ = ["Prompt", "typed"]

_SHOWN = 1000
_HELP = r"\d tables, \d TABLE its columns, \p parameters, \p NAME=VALUE sets one, \q quits; a query ends with ;"
_TABLES = """SELECT table_schema || '.' || table_name AS "table", version, coalesce(problem, description) AS description
    FROM information_schema.tables ORDER BY 1"""


class Prompt:
    """Asks what is typed, one statement after another.

    Args:
        catalog: that is asked.
        asked: bounds, and the parameters to begin with.
        summary: of an answer, in a line.
    """

    def __init__(self, catalog: Catalog, asked: Asked, summary: Callable[[Result], str]) -> None:
        self._catalog = catalog
        self._asked = asked
        self._params = dict(asked.params)
        self._summary = summary

    def run(self, lines: Iterator[str | None]) -> None:
        r"""Reads lines until they end or say ``\q``.

        Args:
            lines: as they are typed; None where Ctrl-C threw away what was begun.
        """
        say(Console(stderr=True), _HELP, markup=False)
        begun, ended = list[str](), False
        while not ended:
            try:
                line = next(lines, "\\q")
                begun, ended = self._typed(begun, line)
            except KeyboardInterrupt:  # between two statements
                begun = []

    def _typed(self, begun: list[str], line: str | None) -> tuple[list[str], bool]:
        """Takes a line; gives what is begun and not asked yet, and whether this was the last one."""
        if line is None:
            return [], False
        if not begun and line.strip().startswith("\\"):
            if line.strip() in ("\\q", "\\quit"):
                return [], True
            self._guarded(self._command, line.strip())
            return [], False
        if line.strip() == "\\q":
            return [], True
        begun = [*begun, line]
        if not line.rstrip().endswith(";"):
            return begun, False
        self._guarded(self._ask, "\n".join(begun))
        return [], False

    def _guarded(self, what: Callable[[str], None], line: str) -> None:
        """An error costs one statement, not the prompt; so does Ctrl-C."""
        console = Console(stderr=True, soft_wrap=True, highlight=False)
        try:
            if line.strip(" \n;"):
                what(line)
        except SparkmlError as error:
            say(console, f"error: {error}", markup=False, style="red")
        except KeyboardInterrupt:
            say(console, "interrupted")

    def _ask(self, text: str) -> None:
        query = query_of(text.rstrip().rstrip(";"))
        asked = {name: value for name, value in self._params.items() if _mentions(query.text, name)}
        limit = _SHOWN if self._asked.limit is None else self._asked.limit
        result = self._catalog.sql(query.text, query.values(asked), limit=limit, timeout=self._asked.timeout)
        show(result.rows)
        typer.echo(self._summary(result), err=True)

    def _command(self, line: str) -> None:
        command, _, rest = line.partition(" ")
        if command == "\\d":
            self._describe(rest.strip())
        elif command == "\\p":
            self._params |= values_of([rest.strip()] if rest.strip() else [])
            typer.echo("\n".join(f"{name} = {value}" for name, value in self._params.items()) or "no parameters")
        else:
            typer.echo(_HELP, err=True)

    def _describe(self, name: str) -> None:
        from sparkml_track.governance.names import find

        if not name:
            show(self._catalog.sql(_TABLES).rows)
            return
        tables = self._catalog.tables
        info = tables.describe(find(name.split("."), tables.names()))
        typer.echo(f"{info.ref.name}@{info.ref.version}  {info.description}".rstrip())
        width = max(map(len, info.columns), default=0)
        for column, kind in info.columns.items():
            typer.echo(f"  {column:<{width}}  {kind}  {info.roles.get(column, '')}".rstrip())


def _mentions(text: str, name: str) -> bool:
    """Parameters stay for the next query, which need not have them all."""
    return f"${name.partition(':')[0]}" in text


@contextlib.contextmanager
def typed(history: Path) -> Iterator[Iterator[str | None]]:
    """Lines from the terminal, with the history of earlier prompts.

    Args:
        history: the file it is kept in.
    """
    try:
        import readline
    except ImportError:  # a Python without it
        yield _Lines()
        return
    with contextlib.suppress(OSError):
        readline.read_history_file(history)
    readline.set_history_length(5000)
    try:
        yield _Lines()
    finally:
        with contextlib.suppress(OSError):
            history.parent.mkdir(parents=True, exist_ok=True)
            readline.write_history_file(history)


class _Lines(Iterator[str | None]):
    """What is typed. No generator, which an interrupt would end."""

    def __next__(self) -> str | None:
        try:
            return input("sql> ")
        except EOFError:
            raise StopIteration from None
        except KeyboardInterrupt:
            typer.echo(err=True)
            return None
