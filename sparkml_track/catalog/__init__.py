"""The catalog: tables under three-part names, asked by SQL, with the history of queries and the lineage of all.

snapshot     tables pinned for one query
following    views that follow the versions of tables
information  information_schema
system       append-only tables of the schema ``system``
alerts       answers that are watched
listing      what is in it
lineage      from what each thing was made
unity        the same in Unity Catalog
stewards     owners, tags, comments and grants
queries      a query from its text to its answer
"""

from __future__ import annotations

from sparkml_track.catalog.queries.ask import Catalog, Result
from sparkml_track.catalog.queries.saved import SavedQuery, read_saved

__all__ = ["Catalog", "Result", "SavedQuery", "read_saved"]
