"""The command ``guide``: the pages of ``guides/``, which are shipped with the package."""

from __future__ import annotations

from difflib import get_close_matches
from importlib.resources import files
from typing import Annotated

import typer
from rich.console import Console

from sparkml_track.cli.guard import guarded
from sparkml_track.errors import InvalidInput

__all__ = ["read", "register", "summary", "topics"]

_Topic = Annotated[str | None, typer.Argument(metavar="[TOPIC]", help="One of the list that no topic gives.")]


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("guide")(guarded(_guide))


def topics() -> tuple[str, ...]:
    """The names of all guides, sorted."""
    pages = (files("sparkml_track") / "guides").iterdir()
    return tuple(sorted(page.name.removesuffix(".md") for page in pages if page.name.endswith(".md")))


def read(topic: str) -> str:
    """A guide as Markdown.

    Raises:
        InvalidInput: there is none of this name.
    """
    known = topics()
    if topic not in known:
        close = get_close_matches(topic.lower(), known, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else "."
        raise InvalidInput(f"there is no guide {topic!r}{hint} The guides are: {', '.join(known)}")
    return (files("sparkml_track") / "guides" / f"{topic}.md").read_text(encoding="utf-8")


def summary(topic: str) -> str:
    """What a guide is about: the line below its heading."""
    return next(line for line in read(topic).splitlines()[1:] if line)


def _guide(topic: _Topic = None) -> None:
    """Show a guide; without a topic, list them."""
    text = _list() if topic is None else read(topic)
    console = Console()
    if topic is not None and console.is_terminal:
        from rich.markdown import Markdown

        console.print(Markdown(text))
    else:
        typer.echo(text.rstrip())


def _list() -> str:
    width = max(map(len, topics()))
    return "\n".join(f"{topic:<{width}}  {summary(topic)}" for topic in topics())
