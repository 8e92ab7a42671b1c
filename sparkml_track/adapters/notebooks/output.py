"""HTML below a cell, changed while the cell runs."""

from __future__ import annotations

from typing import Any, Protocol

from sparkml_track.adapters.notebooks.front_end import FrontEnd

__all__ = ["Output", "output_of"]


class Output(Protocol):
    """What is below the cell that runs now. One thread uses it; it raises what the notebook's library raises."""

    #: How a person ends what the cell does, in words; empty where nobody can. Neither Jupyter's nor marimo's kernel
    #: hears of a click before the cell has ended; see ``StopButton``.
    way_to_end: str

    def show(self, html: str, text: str) -> None:
        """Puts this in the place of what was shown before.

        Args:
            html: self-contained.
            text: for who cannot show that.
        """


def output_of(front_end: FrontEnd) -> Output:
    """The output of a notebook's cell."""
    return _Marimo() if front_end is FrontEnd.MARIMO else _Jupyter()


class _Jupyter:
    way_to_end = "interrupt the kernel (■) to end it"

    def __init__(self) -> None:
        self._handle: Any = None

    def show(self, html: str, text: str) -> None:
        from IPython.display import display

        bundle = {"text/html": html, "text/plain": text}
        if self._handle is None:
            self._handle = display(bundle, raw=True, display_id=True)
        else:
            self._handle.update(bundle, raw=True)


class _Marimo:
    def __init__(self) -> None:
        import marimo

        # An app is not interrupted, only left.
        editing = marimo.app_meta().mode == "edit"
        self.way_to_end = "interrupt the cell (■) to end it" if editing else ""

    def show(self, html: str, text: str) -> None:  # noqa: ARG002  # its output is a page, always
        import marimo

        marimo.output.replace(marimo.Html(html))
