"""Conformance cases of the families, and what checks a sweep: for tests of members and of jobs."""

from __future__ import annotations
