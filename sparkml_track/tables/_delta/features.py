"""Features of the Delta protocol: what is read right here, what a writer must not ignore, and how both are refused."""

from __future__ import annotations

import json
from collections.abc import Iterator

from deltalake import DeltaTable

from sparkml_track.errors import TableError

# What this release reads right. Each is in the conformance tests or changes nothing for a reader.
_READABLE = frozenset({"vacuumProtocolCheck", "v2Checkpoint"})
# Writer features that ask nothing of a writer unless a table's properties or columns use them (see ``_in_use``).
_WRITABLE = _READABLE | {
    "appendOnly",
    "changeDataFeed",
    "checkConstraints",
    "columnMapping",
    "generatedColumns",
    "identityColumns",
    "invariants",
}


def refuse_features(log: DeltaTable, name: str) -> None:
    """Refuse a table whose rows would be read wrong.

    Raises:
        TableError: names the features.
    """
    protocol, config = log.protocol(), log.metadata().configuration
    lacking = set(protocol.reader_features or ()) - _READABLE
    if config.get("delta.columnMapping.mode", "none") != "none":
        lacking.add("columnMapping")
    if lacking:
        raise TableError(
            f"table {name} needs reader features that are not supported here: {', '.join(sorted(lacking))}. "
            f"Supported are: {', '.join(sorted(_READABLE))}. Rewrite it without them (ALTER TABLE ... DROP FEATURE)"
        )


def refuse_write(log: DeltaTable, name: str, *, removes: bool) -> None:
    """Refuse a write that would break what a table promises: what is named is not done here.

    Args:
        log: of the table.
        name: of the table.
        removes: whether rows that are there may go.

    Raises:
        TableError: names the features, constraints and properties.
    """
    lacking = sorted(set(log.protocol().writer_features or ()) - _WRITABLE)
    used = [*(f"the writer feature {feature}" for feature in lacking), *_in_use(log, removes=removes)]
    if used:
        raise TableError(
            f"table {name} has {', '.join(used)}, which this package cannot keep when it writes. Write it with "
            "an engine that can, or drop what is named first (ALTER TABLE ...)"
        )


def _in_use(log: DeltaTable, *, removes: bool) -> Iterator[str]:
    """What the table asks of writers. Protocol: "Append-only Tables", "CHECK constraints", "Column Invariants" ..."""
    if removes and str(log.metadata().configuration.get("delta.appendOnly", "")).lower() == "true":
        yield "delta.appendOnly = true"
    for field in json.loads(log.schema().to_json())["fields"]:
        for key in field.get("metadata", {}):
            if key in ("delta.invariants", "delta.generationExpression") or key.startswith("delta.identity."):
                yield f"{key} on column {field['name']}"
