"""The commands ``catalog grant``, ``revoke``, ``grants``, ``enforce``, ``filter`` and ``mask``."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer
from rich.table import Table

from sparkml_track.cli.catalog.looking import AsJson, Config, home_in, tables_in
from sparkml_track.cli.console import print_table
from sparkml_track.errors import InvalidInput

if TYPE_CHECKING:
    from sparkml_track.governance.grants import Grant

__all__ = ["enforce", "filter_rows", "grant", "grants", "mask", "revoke"]

_Words = Annotated[list[str], typer.Argument(metavar="PRIVILEGE on THING to PRINCIPAL")]


def grant(words: _Words, config: Config = None) -> None:
    """Grant a privilege: SELECT on main.air.flights to group:analysts.

    Privileges are SELECT, MODIFY and ALL; a thing is a table, a schema or a catalog; a principal is user:NAME,
    group:NAME or everyone. The first grant on a thing closes it to all others.
    """
    from sparkml_track.catalog.stewards.granting import give

    _say(give(home_in(config), tables_in(config), _grant(words, "to")))


def revoke(words: Annotated[list[str], typer.Argument(metavar="PRIVILEGE on THING from PRINCIPAL")],
           config: Config = None) -> None:  # fmt: skip
    """Revoke a privilege: SELECT on main.air.flights from group:analysts."""
    from sparkml_track.catalog.stewards.granting import take

    _say(take(home_in(config), tables_in(config), _grant(words, "from")))


def grants(
    thing: Annotated[str, typer.Argument(metavar="[THING]", help="Those that count for it alone.")] = "",
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Show what is granted, and whether files are guarded too."""
    from sparkml_track.catalog.stewards.things import securable
    from sparkml_track.governance.grants import load

    found = load(home_in(config))
    name = securable(thing, tables_in(config)) if thing else ""
    rows = [row for row in found.rows if row.granted and (not name or f"{name}.".startswith(f"{row.object}."))]
    seen = [each for each in found.restrictions if not name or f"{each.table}.".startswith(f"{name}.")]
    if as_json:
        kept = [{key: value for key, value in asdict(row).items() if key != "granted"} for row in rows]
        said = {"enforce": found.enforce, "grants": kept, "restrictions": list(map(asdict, seen))}
        typer.echo(json.dumps(said, indent=1))
        return
    typer.echo(f"grants are {found.enforce}" + ("" if rows else "; nothing is granted"))
    shown = Table("privilege", "on", "to", box=None)
    for row in rows:
        shown.add_row(row.privilege, row.object, row.principal)
    if rows:
        print_table(shown)
    for each in seen:
        what = f"column {each.column} of {each.table} shows" if each.column else f"{each.table} shows rows where"
        but = f", but to {', '.join(each.exempt)}" if each.exempt else ""
        typer.echo(f"{what} {each.expression}{but}")


_Except = Annotated[list[str] | None, typer.Option("--except", metavar="PRINCIPAL", help="Sees all; may be repeated.")]
_Off = Annotated[bool, typer.Option("--off", help="Takes it away.")]


def filter_rows(
    table: Annotated[str, typer.Argument(metavar="TABLE")],
    condition: Annotated[str, typer.Argument(help="SQL over its columns; $user is who asks.")] = "",
    exempt: _Except = None,
    off: _Off = False,
    config: Config = None,
) -> None:
    """Show only some rows of a table to those who ask a server: "carrier = 'AA' or owner = $user"."""
    _restrict(Restricted(table, "", condition, tuple(exempt or ())), off, config)


def mask(
    table: Annotated[str, typer.Argument(metavar="TABLE")],
    column: Annotated[str, typer.Argument()],
    expression: Annotated[str, typer.Argument(help="SQL over its columns: what is shown instead.")] = "",
    exempt: _Except = None,
    off: _Off = False,
    config: Config = None,
) -> None:
    """Show something else than a column to those who ask a server: "left(phone, 3) || '...'", or NULL."""
    _restrict(Restricted(table, column, expression, tuple(exempt or ())), off, config)


class Restricted(NamedTuple):
    """What a command asks for."""

    table: str
    column: str
    expression: str
    exempt: tuple[str, ...]


def _restrict(asked: Restricted, off: bool, config: Config) -> None:
    from sparkml_track.catalog.stewards import restricting
    from sparkml_track.governance.grants import Restriction

    home, tables = home_in(config), tables_in(config)
    if off and (asked.expression or asked.exempt):
        raise InvalidInput("--off takes a filter or a mask away; give no expression and no --except with it")
    if off:
        restricting.lift(home, tables, asked.table, asked.column)
    elif asked.expression.strip():
        _say(restricting.restrict(home, tables, Restriction(*asked)))
    else:
        raise InvalidInput("give the expression, or --off to take it away")


def enforce(
    how: Annotated[str, typer.Argument(metavar="posix|advisory", help="posix guards the files too.")],
    config: Config = None,
) -> None:
    """Guard the folders of tables with grants by access lists, or no longer."""
    from sparkml_track.catalog.stewards import granting

    _say(granting.enforce(home_in(config), tables_in(config), how))


def _grant(words: list[str], joint: str) -> Grant:
    from sparkml_track.governance.grants import Grant

    if len(words) != 5 or [words[1].lower(), words[3].lower()] != ["on", joint]:
        raise InvalidInput(
            f"{' '.join(words)!r} is not PRIVILEGE on THING {joint} PRINCIPAL, such as: SELECT on main.air.flights "
            f"{joint} group:analysts"
        )
    return Grant(words[0], words[2], words[4])


def _say(sentences: tuple[str, ...]) -> None:
    for sentence in sentences:
        typer.echo(f"note: {sentence}", err=True)
