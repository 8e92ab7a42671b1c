"""The home that a folder of tables belongs to."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from sparkml_track.address import is_address
from sparkml_track.errors import SetupError
from sparkml_track.home import Home
from sparkml_track.refs import TableRef

__all__ = ["home_of", "home_of_ref"]


def home_of(root: str | Path) -> Home | None:
    """The home whose tables lie in a folder; None for a folder of tables that is in no home.

    Args:
        root: the folder of all tables, or its address in an object store.
    """
    if is_address(root):
        with suppress(SetupError):
            found = Home.find()
            return found if found.tables_root == str(root) else None
        return None
    path = Path(root).absolute()
    home = Home(path.parent)
    if home.tables != path:
        return None
    is_home = home.root == _current() or home.system.is_dir() or home.journal.is_dir()
    return home if is_home else None


def home_of_ref(ref: TableRef) -> Home | None:
    """The home that a table lies in; None for tables that are elsewhere."""
    return home_of(ref.path.rpartition("/")[0])


def _current() -> Path | None:
    with suppress(SetupError):
        return Home.find().root
    return None
