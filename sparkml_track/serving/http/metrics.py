"""Counts and times, in the text that Prometheus reads.

The format is https://prometheus.io/docs/instrumenting/exposition_formats/. Of several processes of one endpoint each
writes its counts into a shared folder, so that whichever is asked answers for all of them.
"""

from __future__ import annotations

import json
import threading
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

__all__ = ["Metrics", "prometheus_text"]

#: Seconds.
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_HELP = {
    "requests_total": "Requests by alias, version, role and status.",
    "rows_total": "Rows that were predicted, by alias and version.",
    "problem_rows_total": "Rows without a prediction, by alias and version.",
    "unknown_keys_total": "Keys of look-ups that were not found.",
    "rejected_total": "Requests that were sent away before they were read, by reason.",
    "shadow_dropped_total": "Requests that a shadow had no time for.",
    "shadow_failed_total": "Requests that a shadow raised on.",
    "record_dropped_total": "Requests that were answered and not recorded.",
    "recorded_rows_total": "Rows in inference tables, by table.",
    "retyped_rows_total": "Rows that are in the payload table alone, since a column has another type by now.",
    "reloads_total": "Aliases that moved and whose new version was taken.",
    "in_hand": "Requests that are being answered.",
    "spool_bytes": "Records on disk that are not in the tables yet.",
    "request_seconds": "From the first byte of a request to its answer.",
}
_GAUGES = frozenset({"in_hand", "spool_bytes"})
_TIMES = "request_seconds"


class Metrics:
    """What one process counts. Any thread may.

    Args:
        shared: the file of this process in a folder that all processes of the endpoint write to; a process that takes
            the place of another goes on with its counts. None counts this process alone.
    """

    def __init__(self, shared: Path | None = None) -> None:
        self._lock = threading.Lock()
        self._shared = shared
        found = _read(shared) if shared else {}
        self._before = {key: value for key, value in found.items() if key not in _GAUGES}
        # In the order of their bounds, as the format wants them.
        buckets = (f'{_TIMES}_bucket{{le="{bound}"}}' for bound in (*_BUCKETS, "+Inf"))
        self._values = {**dict.fromkeys(buckets, 0.0), **self._before}

    def add(self, name: str, count: float = 1, **labels: object) -> None:
        """Counts."""
        with self._lock:
            self._add(name + _labels(labels), count)

    def set(self, name: str, value: float, **labels: object) -> None:
        """Says what a count is that somebody else keeps, or how much there is of something now."""
        key = name + _labels(labels)
        with self._lock:
            self._values[key] = self._before.get(key, 0) + value

    def time(self, seconds: float) -> None:
        """Takes the time of one request."""
        place = bisect_left(_BUCKETS, seconds)
        with self._lock:
            for bound in (*_BUCKETS[place:], "+Inf"):
                self._add(f'{_TIMES}_bucket{{le="{bound}"}}', 1)
            self._add(f"{_TIMES}_sum", seconds)
            self._add(f"{_TIMES}_count", 1)

    def _add(self, key: str, count: float) -> None:
        self._values[key] = self._values.get(key, 0) + count

    def values(self) -> dict[str, float]:
        """All counts of all processes."""
        with self._lock:
            total = dict(self._values)
        for path in self._shared.parent.glob("*.json") if self._shared else ():
            if path != self._shared:
                for key, value in _read(path).items():
                    total[key] = total.get(key, 0) + value
        return total

    def publish(self) -> None:
        """Writes the counts where other processes find them."""
        if self._shared is None:
            return
        with self._lock:
            text = json.dumps(self._values)
        part = self._shared.with_suffix(".part")
        with suppress(OSError):
            part.write_text(text)
            part.replace(self._shared)


def prometheus_text(values: Mapping[str, float], facts: Iterable[str] = ()) -> str:
    """Counts as Prometheus reads them.

    Args:
        values: from ``Metrics.values``.
        facts: more lines, whole.
    """
    lines = list(facts)
    for name, said in _HELP.items():
        own = [key for key in values if key.partition("{")[0] in _series(name)]
        if own:
            kind = "histogram" if name == _TIMES else "gauge" if name in _GAUGES else "counter"
            lines += [f"# HELP sparkml_serving_{name} {said}", f"# TYPE sparkml_serving_{name} {kind}"]
            lines += [f"sparkml_serving_{key} {values[key]:.12g}" for key in own]
    return "\n".join([*lines, ""])


def _series(name: str) -> tuple[str, ...]:
    return (f"{name}_bucket", f"{name}_sum", f"{name}_count") if name == _TIMES else (name,)


def _labels(labels: Mapping[str, object]) -> str:
    if not labels:
        return ""
    pairs = (f'{name}="{_escaped(str(value))}"' for name, value in labels.items())
    return f"{{{','.join(pairs)}}}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _read(path: Path) -> dict[str, float]:
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return {str(name): float(value) for name, value in found.items()}
