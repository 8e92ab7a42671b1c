"""Answers in the form that all engines give."""

from __future__ import annotations

from itertools import count

import pyarrow as pa

from sparkml_track.sql._base import Answer

__all__ = ["answer"]


def answer(rows: pa.Table, more: bool = False) -> Answer:
    """An answer whose columns have names of their own: of two with one name the second gets a number.

    Args:
        rows: as the library gave them.
        more: see ``Answer``.
    """
    taken, names = set(rows.column_names), list[str]()
    for name in rows.column_names:
        numbered = (f"{name}_{number}" for number in count(1))
        names.append(name if name not in names else next(each for each in numbered if each not in taken))
        taken.add(names[-1])
    return Answer(rows.rename_columns(names), more)
