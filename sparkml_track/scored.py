"""The columns that scoring adds to rows, in tables of scores and in inference tables alike."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["ADDED", "free_names"]

#: Names with their types in Spark's and Delta's words, in order.
ADDED = {
    "score": "double",  # probability of the second class, or the prediction; null in a bad row; several are an array
    "problem": "string",  # why there is no score; null in a good row
    "model_name": "string",
    "model_version": "long",
    "run_id": "string",  # of the run that made the model
    "scored_at": "timestamp",
}


def free_names(columns: Iterable[str], added: Iterable[str] = ADDED) -> dict[str, str]:
    """The names that added columns get beside others: their own, with "_" where there is one of that name already.

    Args:
        columns: those that are there; case does not count.
        added: those that come.
    """
    taken, names = {name.lower() for name in columns}, {}
    for name in added:
        free = name
        while free in taken:
            free += "_"
        taken.add(free)
        names[name] = free
    return names
