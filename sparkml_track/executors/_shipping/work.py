"""What is sent to slots once: the pickled objective, and data and code as files, all named by digest."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sparkml_track.errors import ObjectiveError
from sparkml_track.executors._base import Work
from sparkml_track.executors._shipping.artifacts import places_of
from sparkml_track.executors._shipping.by_value import by_value, zip_folder
from sparkml_track.executors._shipping.data import Entry, place_all, place_bytes
from sparkml_track.executors._shipping.imports import modules_of
from sparkml_track.executors._shipping.script import dumps_work
from sparkml_track.slot.preload import safe_imports

__all__ = ["Packed", "pack_work"]


@dataclass(frozen=True, slots=True)
class Packed:
    """What a slot fetches.

    Attributes:
        work: digest of the pickled work.
        entries: of the data, by name.
        code: digests of zips for sys.path.
        imports: modules of well-known libraries that the objective needs.
    """

    work: str
    entries: Mapping[str, Entry]
    code: tuple[str, ...] = ()
    imports: tuple[str, ...] = ()

    @property
    def digests(self) -> tuple[str, ...]:
        """Of all files."""
        return (self.work, *self.code, *self.data)

    @property
    def data(self) -> tuple[str, ...]:
        """Digests of the data."""
        return tuple(digest for digest, _ in self.entries.values())


def pack_work(work: Work, folder: str, remote: bool = False) -> Packed:
    """Puts the objective and its data into the folder of this host.

    Args:
        work: of the sweep.
        folder: takes the files, each under its digest.
        remote: slots cannot read the driver's files: folders of code go along as zips, and what is defined in other
            modules that are not installed (a script, a notebook, a file beside it) is pickled by value.

    Raises:
        ObjectiveError: it cannot be pickled; names what holds it back.
        DataError: data that cannot be sent.
        PreflightError: folders that are to be on shared storage cannot be made.
    """
    with by_value(work.code if remote else None):
        entries = place_all(work.data, folder)
    fields: dict[str, object] = {"objective": work.objective, "data": entries, "metric": tuple(work.metric)}
    fields |= {"memory": work.resources.memory, "payload_limit": work.payload_limit, "tracked": work.tracked}
    places = places_of(work, folder)
    fields["roots"] = (places.checkpoints, places.artifacts)
    try:
        with by_value(work.code if remote else None):
            blob = dumps_work(fields)
    except Exception as error:
        raise ObjectiveError(_why_not(work.objective, error)) from None
    code = tuple(place_bytes(zip_folder(each), folder) for each in work.code) if remote else ()
    return Packed(place_bytes(blob, folder), entries, code, tuple(safe_imports(work.objective, *modules_of(blob))))


def _why_not(objective: Callable[..., object], error: Exception) -> str:
    held = [name for name, value in _captured(objective) if not _pickles(value)]
    what = f"it captures {', '.join(map(repr, held))}, which cannot be pickled" if held else f"{error}"
    name = getattr(objective, "__qualname__", type(objective).__name__)
    last = "".join(traceback.format_exception_only(error)).strip().splitlines()[-1]
    return (
        f"objective {name} cannot be sent to slots: {what} ({last[:200]}); "
        "create such objects inside the objective, or pass data through data={...}"
    )


def _captured(objective: Callable[..., object]) -> list[tuple[str, object]]:
    code = getattr(objective, "__code__", None)
    cells = getattr(objective, "__closure__", None) or ()
    free = [] if code is None else list(zip(code.co_freevars, (cell.cell_contents for cell in cells), strict=False))
    names = () if code is None else code.co_names
    spread = getattr(objective, "__globals__", {})
    return free + [(name, spread[name]) for name in names if name in spread]


def _pickles(value: object) -> bool:
    try:
        dumps_work({"value": value})
    except Exception:
        return False
    return True
