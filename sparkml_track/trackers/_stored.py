"""What is stored of a trial, beside what should be."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from sparkml_track.adapters.mlflow.values import point
from sparkml_track.trackers._base import ChildRun, StoredChild
from sparkml_track.trackers._names import key
from sparkml_track.trackers._rows import child_params, status

__all__ = ["differences"]


def differences(child: ChildRun, stored: StoredChild) -> list[str]:
    """Where the stored child run says something else than it should; empty if it is as published.

    Values are compared as the store keeps them: params as text, infinity as the largest number. Metrics that were
    only reported by step are not looked at.
    """
    return [*_plain(child, stored), *_params(child_params(child), stored.params), *_metrics(child, stored.metrics)]


def _plain(child: ChildRun, stored: StoredChild) -> Iterator[str]:
    for name, want, have in (
        ("state", child.state.value, stored.state.value),
        ("status", status(child.state), stored.status),
        ("attempts", child.attempts, stored.attempts),
        ("reason", child.reason, stored.reason),
    ):
        if want != have:
            yield f"{name} is {have!r}, the journal says {want!r}"


def _params(want: Mapping[str, str], have: Mapping[str, str]) -> Iterator[str]:
    for name in sorted({*want} | {*have}):
        if want.get(name) != have.get(name):
            yield f"param {name} is {have.get(name)!r}, the journal says {want.get(name)!r}"


def _metrics(child: ChildRun, have: Mapping[str, float]) -> Iterator[str]:
    for name, value in child.metrics.items():
        one = point(name, value, 0, 0)
        found = have.get(one.key)
        if found is None or not (found == one.number or (math.isnan(found) and one.is_nan)):
            yield f"metric {one.key} is {found!r}, the journal says {one.number!r}"
    # Its value may be that of a report, which is not looked at.
    for name in sorted({key(one.name) for one in child.logged.metrics} - have.keys()):
        yield f"metric {name} was logged and is missing"
