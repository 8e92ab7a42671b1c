"""CHECK constraints and properties of a table: what may be set, and rows that break a rule."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping

import pyarrow as pa
from deltalake import DeltaTable, QueryBuilder, write_deltalake

from sparkml_track.errors import DataError, TableError
from sparkml_track.tables._rows.errors import first_line, is_foreign

#: Before the name of a constraint among a table's properties.
PREFIX = "delta.constraints."
_NAME = re.compile(r"[A-Za-z_]\w*")
# What this package keeps, or what asks nothing of it.
_SETTABLE = frozenset(
    {
        "delta.appendOnly",
        "delta.checkpointInterval",
        "delta.dataSkippingNumIndexedCols",
        "delta.deletedFileRetentionDuration",
        "delta.enableChangeDataFeed",
        "delta.enableExpiredLogCleanup",
        "delta.logRetentionDuration",
        "delta.targetFileSize",
    }
)

_WHOLE, _TRUTH = re.compile("[1-9][0-9]*"), re.compile("true|false")
_FORMS = {
    "delta.appendOnly": _TRUTH,
    "delta.checkpointInterval": _WHOLE,
    "delta.enableChangeDataFeed": _TRUTH,
    "delta.enableExpiredLogCleanup": _TRUTH,
}


def constraints_of(properties: Mapping[str, str]) -> dict[str, str]:
    """Name to rule."""
    return {key.removeprefix(PREFIX): rule for key, rule in sorted(properties.items()) if key.startswith(PREFIX)}


def check_properties(name: str, properties: Mapping[str, str]) -> None:
    """Refuse properties that ask for what is not done here.

    Raises:
        TableError: names them.
    """
    said = [(key, str(value)) for key, value in properties.items() if key in _FORMS]
    if bad := [f"{key}={value!r}" for key, value in said if not _FORMS[key].fullmatch(value)]:
        raise TableError(f"table {name}: {', '.join(bad)} cannot be; allowed are whole numbers from 1, true or false")
    wrong = sorted(key for key in properties if key.startswith("delta.") and key not in _SETTABLE)
    if wrong:
        raise TableError(
            f"table {name}: {', '.join(wrong)} cannot be set: this package does not do what it asks for. Allowed are "
            f"{', '.join(sorted(_SETTABLE))}, keys that do not begin with delta. and constraints by their own method"
        )


def check_rules(name: str, rules: Mapping[str, str]) -> None:
    """Refuse constraints whose names cannot be.

    Raises:
        TableError: names them.
    """
    wrong = [repr(key) for key in rules if not _NAME.fullmatch(key)]
    if wrong or not rules:
        raise TableError(
            f"table {name}: a constraint is named by an identifier, not by {', '.join(wrong) or 'nothing'}"
        )


def check_held(name: str, rows: pa.Table, rules: Mapping[str, str]) -> None:
    """Refuse rows for which a rule is not true; null is not true.

    Raises:
        DataError: names the first rule that is broken, and how often.
        TableError: a rule cannot be understood.
    """
    if not rules:
        return
    with tempfile.TemporaryDirectory(prefix="sparkml-rows-") as folder:
        try:
            write_deltalake(folder, rows)
            engine = QueryBuilder().register("t", DeltaTable(folder))
            for key, rule in rules.items():
                query = f"select count(*) as n from t where not coalesce(({rule}), false)"  # noqa: S608 - the table's own
                found = pa.table(engine.execute(query).read_all())["n"][0].as_py()
                if found:
                    raise broken(name, key, rule, found)
        except Exception as error:
            if not is_foreign(error):
                raise
            raise TableError(f"checking constraints of table {name} failed: {first_line(error)}") from error


def broken(name: str, key: str, rule: str, rows: int) -> DataError:
    """Rows for which a rule is not true."""
    return DataError(
        f"table {name}: the constraint {key} ({rule}) does not hold for {rows:,} rows. Nothing was written"
    )
