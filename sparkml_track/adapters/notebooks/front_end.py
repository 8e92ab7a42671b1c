"""Where a person sits, if anywhere: the one place that looks for Jupyter and marimo.

A notebook's library is imported by the notebook; where it is not, it is not imported here either.
"""

from __future__ import annotations

import sys
from enum import Enum

__all__ = ["FrontEnd", "front_end"]


class FrontEnd(Enum):
    """What a cell, a line or a script is run by."""

    JUPYTER = "jupyter"  # any kernel of IPython: JupyterLab, VS Code, Colab, Databricks, nbclient
    MARIMO = "marimo"
    PROMPT = "prompt"  # Python's own or IPython's, on a terminal
    SCRIPT = "script"

    @property
    def notebook(self) -> bool:
        """Whether there is a page below whose cells things are shown."""
        return self in {FrontEnd.JUPYTER, FrontEnd.MARIMO}


def front_end() -> FrontEnd:
    """The one of this thread, now."""
    if _in_marimo():
        return FrontEnd.MARIMO
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    if shell is not None:
        return FrontEnd.JUPYTER if getattr(shell, "kernel", None) is not None else FrontEnd.PROMPT
    return FrontEnd.PROMPT if hasattr(sys, "ps1") else FrontEnd.SCRIPT


def _in_marimo() -> bool:
    """Not where a notebook of marimo's is run as a script, or only imported."""
    running = getattr(sys.modules.get("marimo"), "running_in_notebook", None)
    return running is not None and bool(running())
