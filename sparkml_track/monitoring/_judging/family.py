"""Many columns judged at one time: how often is one of them an alarm although nothing changed?

Source: Benjamini and Hochberg, Controlling the False Discovery Rate (1995).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["adjusted"]


def adjusted(p_values: Sequence[float]) -> list[float]:
    """The adjusted p-values of a family of tests, in their order.

    Where all with an adjusted value of at most ``alpha`` are alarms, no more than the share ``alpha`` of alarms is
    false on average; and where nothing changed at all, no more than the share ``alpha`` of families has any alarm.
    """
    count = len(p_values)
    order = np.argsort(p_values)[::-1]
    scaled = np.asarray(p_values, dtype=float)[order] * count / np.arange(count, 0, -1)
    found = np.empty(count)
    found[order] = np.minimum.accumulate(np.minimum(scaled, 1.0))
    return [float(value) for value in found]
