"""What the commands of jobs share: options, parameters as words, and how a run ends a command."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from sparkml_track.cli.console import say
from sparkml_track.config.settings import load
from sparkml_track.errors import InvalidInput
from sparkml_track.home import Home

if TYPE_CHECKING:
    from sparkml_track.jobs.records.views import Run

__all__ = [
    "AnyConfig",
    "Config",
    "Json",
    "MaxParallel",
    "Param",
    "date_of",
    "home_of",
    "hung_up",
    "shown",
    "told",
    "values_of",
]

Config = Annotated[Path, typer.Option("--config", "-c", metavar="FILE", help="The config file.")]
AnyConfig = Annotated[Path | None, typer.Option("--config", "-c", metavar="FILE", help="Names the home.")]
Param = Annotated[
    list[str] | None, typer.Option("--param", "-p", metavar="NAME=VALUE", help="Of a parameter of the job.")
]
MaxParallel = Annotated[
    int | None, typer.Option("--max-parallel", min=1, help="Tasks at one time; what the file says by default.")
]
Json = Annotated[bool, typer.Option("--json", help="For programs.")]


def told(line: str) -> None:
    """Prints a line, as long as it is."""
    say(Console(highlight=False, soft_wrap=True), line, markup=False)


def home_of(config: Path | None) -> Home:
    """The home that a config file names, else that of ``SPARKML_HOME``."""
    return load(config).home if config else Home.find()


def values_of(words: Sequence[str]) -> dict[str, str]:
    """``name=value`` as a mapping.

    Raises:
        InvalidInput: a word has no ``=`` or no name, or a name comes twice.
    """
    values = dict[str, str]()
    for word in words:
        name, sign, value = word.partition("=")
        if not sign or not name:
            raise InvalidInput(f"-p {word!r} is not name=value, such as -p day=2013-11-01")
        if name in values:
            raise InvalidInput(f"-p {name} is given twice; give it once")
        values[name] = value
    return values


def date_of(word: str, option: str) -> date:
    """A date.

    Raises:
        InvalidInput: it is none.
    """
    try:
        found = date.fromisoformat(word)
    except ValueError:
        found = date.min
    if not 1900 <= found.year <= 2200:
        raise InvalidInput(f"{option} {word!r} is not a date such as 2013-11-01, from 1900 to 2200")
    return found


def shown(run: Run, lines: int = 10) -> None:
    """Prints the page of a run."""
    from sparkml_track.jobs.shown import page

    for line in page(run, lines):
        told(line)


@contextmanager
def hung_up() -> Iterator[None]:
    """A terminal that goes away ends what runs, as SIGTERM does; under nohup it does not."""
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        yield
        return
    before = signal.signal(signal.SIGHUP, _ended)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)


def _ended(number: int, _: object) -> None:
    raise SystemExit(128 + number)
