"""What was read and what was written, for whoever records lineage.

A DataFrame says itself from which files it is computed, so a write of one has exactly the tables of those files as
sources. An Arrow table says nothing: its sources are all that was read until then.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlparse

from sparkml_track.address import is_address
from sparkml_track.governance.sources.hidden_reads import hidden_reads
from sparkml_track.refs import TableRef
from sparkml_track.schema import ARROW_SOURCE

if TYPE_CHECKING:
    from sparkml_track.governance.sources.columns import Columns

__all__ = ["SEEN", "Watch", "files_of", "marked", "tables_of"]

#: Where pyarrow keeps what pandas knows of a table.
_PANDAS = b"pandas"
#: Reads that are remembered; a process that reads for days forgets the oldest.
_MOST = 10_000


@dataclass(frozen=True)
class Watch:
    """What was done with tables.

    Attributes:
        read: each version that was read, in order.
        written: each version that was made, with the versions it was made from.
        columns: of versions that were made, from which columns each of theirs was, where that is known.
    """

    read: dict[TableRef, None] = field(default_factory=dict)
    written: dict[TableRef, tuple[TableRef, ...]] = field(default_factory=dict)
    columns: dict[TableRef, Columns] = field(default_factory=dict)

    def note(self, ref: TableRef) -> None:
        """Remembers that a version was read."""
        self.read[ref] = None
        if len(self.read) > _MOST:
            # Another thread may have taken it.
            with suppress(KeyError, RuntimeError):
                del self.read[next(iter(self.read))]

    def sources(self, data: Any, seen: Watch | None = None) -> tuple[TableRef, ...]:
        """The versions that data which is written was computed from.

        Args:
            data: the rows.
            seen: knows of which versions files are; this one by default.
        """
        files = files_of(data)
        if files is None:
            return tuple(self.read)
        # Tasks read the files of tables in object stores: where a plan names nothing at all (that of a Connect session,
        # one that was cut by a checkpoint) it may be any of them.
        blind = () if files else tuple(ref for ref in tuple(self.read) if is_address(ref.path))
        return (*(seen or self).among(files), *blind)

    def among(self, files: Iterable[Path]) -> tuple[TableRef, ...]:
        """The versions that were read and have one of these files."""
        folders = {parent for file in files for parent in file.parents}
        return tuple(ref for ref in tuple(self.read) if Path(ref.path) in folders)

    def below(self, folder: Path) -> bool:
        """Whether versions were read that lie in folders below this one."""
        return any(folder in Path(ref.path).parents for ref in tuple(self.read))


#: What this process read, by any object: a data frame names files, and this says of which versions they are.
SEEN = Watch()


def files_of(data: Any) -> frozenset[Path] | None:
    """The files a DataFrame is computed from; None for other data, and for a plan that cannot say."""
    if hasattr(data, "inputFiles"):
        # A plan may be one that cannot say; then all that was read counts.
        with suppress(Exception):
            named = [Path(unquote(urlparse(str(uri)).path)) for uri in data.inputFiles()]
            return frozenset((*named, *(Path(folder, "_") for folder in hidden_reads(data))))
    return None


def marked(metadata: Mapping[bytes, bytes] | None, ref: TableRef) -> dict[bytes, bytes]:
    """An Arrow schema's metadata, with the version that the rows were read from.

    It lies where pyarrow keeps the ``attrs`` of a data frame of pandas, so that one which is made of the rows has it,
    what is chosen or computed from that, and an Arrow table that is made of it again.
    """
    found = dict(metadata or {})
    kept = {"index_columns": [], "column_indexes": [], "columns": [], **json.loads(found.get(_PANDAS, "{}"))}
    kept["attributes"] = {**kept.get("attributes", {}), ARROW_SOURCE: [ref.name, ref.path, ref.version]}
    return found | {_PANDAS: json.dumps(kept).encode()}


def tables_of(data: Any) -> tuple[TableRef, ...]:
    """The versions that data comes from, as far as it says so itself.

    Args:
        data: a DataFrame of Spark says it by its files and what this process read, an Arrow table and a frame or column
            of pandas by their mark; other data does not.
    """
    files = files_of(data)
    if files is not None:
        return SEEN.among(files)
    with suppress(AttributeError, ValueError, TypeError, KeyError):
        attributes = data.attrs if hasattr(data, "attrs") else json.loads(data.schema.metadata[_PANDAS])["attributes"]
        name, path, version = attributes[ARROW_SOURCE]
        return (TableRef(str(name), str(path), int(version)),)
    return ()
