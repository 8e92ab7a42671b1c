"""A template and its values to a page, by Jinja2."""

from __future__ import annotations

import secrets
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["load", "render", "text_of"]

_TEMPLATES = Path(__file__).parent / "templates"


@lru_cache(maxsize=1)
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    loader = FileSystemLoader(_TEMPLATES)
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, auto_reload=False)


def load(name: str) -> None:
    """Compiles a template ahead of time, so that its first page costs no more than others."""
    _environment().get_template(f"{name}.html")


def render(name: str, library: Path | None = None, **values: object) -> tuple[bytes | Path, ...]:
    """Makes a page.

    Args:
        name: of a template.
        library: a file with the script that its figures need; it goes into the page by file, never through memory.
        values: what the template shows; ``title`` and ``plots`` (a sequence of ``Plotted``) always.

    Returns:
        Pieces in UTF-8; a path stands for what that file holds.
    """
    # Nobody can guess where the library goes, so nothing that is shown can be taken for it.
    mark = f"library-{secrets.token_hex(16)}" if library is not None else ""
    page = _environment().get_template(f"{name}.html").render(**{"kind": "", **values}, library=mark)
    if library is None:
        return (page.encode("utf-8", "replace"),)
    start, rest = page.split(mark)
    return (start.encode("utf-8", "replace"), library, rest.encode("utf-8", "replace"))


def text_of(page: tuple[bytes | Path, ...]) -> str:
    """A page as text, the library included."""
    return b"".join(piece if isinstance(piece, bytes) else piece.read_bytes() for piece in page).decode()
