"""A new notebook from a template."""

from __future__ import annotations

from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path

from sparkml_track.errors import InvalidInput, SetupError

__all__ = ["TEMPLATES", "write_notebook"]

#: Names, and what one finds in each.
TEMPLATES = {
    "explore": "tables and sweeps of the home: look, ask by SQL",
    "features": "feature tables, and training sets on Spark",
    "sweep": "an objective, a space, a search and what it found",
    "evaluate": "the trials of a sweep in plots and tables, registered models",
}


def write_notebook(template: str, file: Path) -> Path:
    """Writes a notebook.

    Args:
        template: one of ``TEMPLATES``.
        file: that is not there yet; ends with .py.

    Returns:
        The file.

    Raises:
        InvalidInput: there is no such template, or the file is there, or is none of Python's.
        SetupError: it cannot be written.
    """
    if template not in TEMPLATES:
        close = get_close_matches(template.lower(), TEMPLATES, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else "."
        known = "; ".join(f"{name}: {about}" for name, about in TEMPLATES.items())
        raise InvalidInput(f"there is no template {template!r}{hint} The templates are: {known}")
    if file.suffix != ".py" or not file.stem.isidentifier():
        raise InvalidInput(f"{file} cannot be a notebook: its name must end with .py and be one that Python can import")
    # Not as .py: as a module of the package it would have to be imported like one.
    text = (files("sparkml_track") / "notebooks" / "templates" / f"{template}.txt").read_text(encoding="utf-8")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("x", encoding="utf-8") as opened:
            opened.write(text)
    except FileExistsError:
        raise InvalidInput(f"{file} is there already; give another name, or open it without --new") from None
    except OSError as error:
        raise SetupError(f"{file} cannot be written: {error.strerror or error}") from error
    return file
