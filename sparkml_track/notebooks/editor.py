"""marimo's editor: whoever reaches it can do what its user can, so it listens on loopback and asks for a token.

There is no setting for either. From another machine one comes by a tunnel: ``ssh -L 2718:127.0.0.1:2718 host``.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from sparkml_track.errors import InvalidInput, SetupError
from sparkml_track.home import Home

__all__ = ["HOST", "PORT", "editor_command", "editor_environment"]

HOST, PORT = "127.0.0.1", 2718


def editor_command(place: Path, port: int = PORT, *, browser: bool = True) -> list[str]:
    """The command that opens a notebook, or the notebooks of a folder.

    Args:
        place: the file, or the folder.
        port: on loopback.
        browser: opens one.

    Raises:
        InvalidInput: there is no such file, or it is none of marimo's.
        SetupError: marimo is not installed.
    """
    if not place.exists():
        raise InvalidInput(f"there is no file {place}; `sparkml-track notebook --new explore {place}` makes one")
    if place.suffix == ".ipynb":
        made = place.with_suffix(".py")
        raise InvalidInput(f"{place} is a notebook of Jupyter; `marimo convert {place} -o {made}` makes one of marimo")
    if place.is_file() and place.suffix != ".py":
        raise InvalidInput(f"{place} is not a notebook of marimo, which ends with .py")
    if find_spec("marimo") is None:
        raise SetupError("notebooks are edited with marimo: pip install 'sparkml-track[dash]'")
    # Its dependencies are this environment's; what else it would ask the network for, it is not to.
    command = [sys.executable, "-m", "marimo", "edit", "--host", HOST, "--port", str(port), "--token"]
    command += ["--no-sandbox", "--skip-update-check", *([] if browser else ["--headless"])]
    return [*command, str(place)]


def editor_environment(home: Home, code: Sequence[str], environ: Mapping[str, str]) -> dict[str, str]:
    """The environment of its notebooks.

    Args:
        home: whose tables and sweeps they have at hand.
        code: folders that they import from.
        environ: of this process.
    """
    path = [*code, *filter(None, [environ.get("PYTHONPATH")])]
    own = {"PYTHONPATH": os.pathsep.join(path)} if path else {}
    return {**environ, "SPARKML_HOME": home.place, **own}
