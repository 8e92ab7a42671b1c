"""Front doors: foreign interfaces served by the same engine."""

from __future__ import annotations
