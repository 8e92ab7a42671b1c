"""The commands ``catalog``.

command   what there is, and from what it was made
looking   the catalog, the tables and the registry of a home
stewards  owners, tags, comments and the audit
granting  privileges
sync      the same in Unity Catalog
"""

from __future__ import annotations

from sparkml_track.cli.catalog.command import register

__all__ = ["register"]
