"""The pages that come with the package, in the order in which they are offered."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["SHIPPED", "PageSpec", "page_named"]

_PAGES = Path(__file__).parent / "pages"


@dataclass(frozen=True, slots=True)
class PageSpec:
    """One page.

    Attributes:
        name: in its address.
        title: for people.
        about: what it shows, in one sentence.
        room: the folder of ``pages`` that has its file.
        listed: whether it is offered; others are reached from one that is.
    """

    name: str
    title: str
    about: str
    room: str
    listed: bool = True

    @property
    def file(self) -> Path:
        """The marimo file."""
        return _PAGES / self.room / f"{self.name}.py"


SHIPPED = (PageSpec("home", "Home", "What runs now, what failed, what drifted.", "runs"),)


def page_named(name: str) -> PageSpec:
    """A page by its name.

    Raises:
        KeyError: there is none.
    """
    return {page.name: page for page in SHIPPED}[name]
