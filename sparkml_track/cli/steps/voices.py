"""What commands that run steps say: to a person, to a program, or nothing."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext, redirect_stdout
from typing import TYPE_CHECKING, Annotated, Protocol

import typer
from rich.console import Console
from rich.markup import escape
from rich.rule import Rule
from rich.table import Table

from sparkml_track.api.progress.lines import JsonLines
from sparkml_track.cli.console import say
from sparkml_track.config.settings import Settings
from sparkml_track.errors import InvalidInput

if TYPE_CHECKING:
    from sparkml_track.engine.loop.progress import ProgressListener

__all__ = ["AsJson", "Quiet", "Voice", "voice_of"]

Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but warnings and errors.")]
AsJson = Annotated[bool, typer.Option("--json", help="For programs: a JSON object on each line, progress among them.")]
Facts = Mapping[str, Mapping[str, object]]


class Voice(Protocol):
    """Says what becomes of steps.

    Attributes:
        progress: how sweeps show theirs, as ``sweep`` takes it.
    """

    progress: ProgressListener | bool | None

    def aside(self) -> AbstractContextManager[object]:
        """While it lasts, prints of a project's own code are kept from between the lines."""

    def begins(self, step: str, number: int, of: int) -> None:
        """A step begins."""

    def decides(self, what: str, why: str, *, dry_run: bool) -> None:
        """Whether something is done, and why; or would be."""

    def ends(self, facts_of: Facts, settings: Settings) -> None:
        """What the steps gave, by step."""


def voice_of(*, quiet: bool, as_json: bool) -> Voice:
    """The voice that options ask for.

    Raises:
        InvalidInput: they ask for two.
    """
    if quiet and as_json:
        raise InvalidInput("--quiet and --json exclude each other: give one of them")
    if quiet:
        logging.getLogger("sparkml_track").setLevel(logging.WARNING)
        return _Silent()
    return _Json() if as_json else _Aloud()


class _Silent:
    progress: ProgressListener | bool | None = False

    def aside(self) -> AbstractContextManager[object]:
        """Nothing is kept aside."""
        return nullcontext()

    def begins(self, step: str, number: int, of: int) -> None:
        """Nothing."""

    def decides(self, what: str, why: str, *, dry_run: bool) -> None:
        """Nothing."""

    def ends(self, facts_of: Facts, settings: Settings) -> None:
        """Nothing."""


class _Json:
    def __init__(self) -> None:
        # The stream of now: a sweep's own prints go elsewhere.
        self._lines = JsonLines(sys.stdout)
        self.progress: ProgressListener | bool | None = self._lines

    def aside(self) -> AbstractContextManager[object]:
        """They go to stderr."""
        return redirect_stdout(sys.stderr)

    def begins(self, step: str, number: int, of: int) -> None:
        """One line."""
        self._lines.write("step", {"step": step, "number": number, "of": of})

    def decides(self, what: str, why: str, *, dry_run: bool) -> None:
        """One line."""
        self._lines.write("decision", {"decision": what, "why": why, "dry_run": dry_run})

    def ends(self, facts_of: Facts, settings: Settings) -> None:
        """A line for each step."""
        for step, facts in facts_of.items():
            self._lines.write("facts", {"project": settings.name, "step": step, "facts": dict(facts)})


class _Aloud:
    progress: ProgressListener | bool | None = None

    def __init__(self) -> None:
        # Paths and commands are for copying: never broken.
        self._console = Console(highlight=False, soft_wrap=True)

    def aside(self) -> AbstractContextManager[object]:
        """Nothing is kept aside."""
        return nullcontext()

    def begins(self, step: str, number: int, of: int) -> None:
        """A heading."""
        say(self._console, f"[bold]==> {step}[/bold] ({number} of {of})")

    def decides(self, what: str, why: str, *, dry_run: bool) -> None:
        """A sentence."""
        typer.echo(f"{what}{' (dry run)' if dry_run else ''}: {why}")

    def ends(self, facts_of: Facts, settings: Settings) -> None:
        """A line for each fact, a table where a fact has rows of figures."""
        console = self._console
        say(console, Rule(f"{settings.name}: summary"))
        for step, facts in facts_of.items():
            for name, fact in facts.items():
                if isinstance(fact, Mapping) and fact and all(isinstance(row, Mapping) for row in fact.values()):
                    say(console, _table(f"{step}: {name}", fact))
                else:
                    say(console, f"[bold]{step}[/bold] {name}: {_shown(fact)}")
        say(console, f"[bold]home[/bold] {settings.home.place}")
        say(console, f"[bold]MLflow's UI[/bold] sparkml-track ui --config {os.path.relpath(settings.file)}")


def _table(title: str, rows: Mapping[str, Mapping[str, object]]) -> Table:
    columns = list(dict.fromkeys(column for row in rows.values() for column in row))
    table = Table("", *columns, title=title, title_justify="left")
    for name, row in rows.items():
        table.add_row(str(name), *(_shown(row.get(column, "")) for column in columns))
    return table


def _shown(fact: object) -> str:
    if isinstance(fact, Mapping):
        return ", ".join(f"{name}={_shown(value)}" for name, value in fact.items())
    return f"{fact:.5g}" if isinstance(fact, float) else escape(str(fact))
