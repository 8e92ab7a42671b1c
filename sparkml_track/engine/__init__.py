"""The flow of a sweep: spec, loop, publishing, summary, report."""

from __future__ import annotations
