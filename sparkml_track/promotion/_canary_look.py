"""A look at a canary: served rows meet their labels, the figures are judged, and the aliases follow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sparkml_track.errors import DataError, InvalidInput, RegistryError
from sparkml_track.promotion._canary import PROMOTE, WAIT, Canary, Judged, Seen, judge
from sparkml_track.promotion._decisions import APPROVED, WITHDRAWN, decided
from sparkml_track.promotion._moves import move_champion
from sparkml_track.refs import ModelRef
from sparkml_track.registries import ALIAS_CHALLENGER, ALIAS_CHAMPION, Registry
from sparkml_track.schema import TAG_VERDICT, TAG_VERDICT_WHY

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Labelled", "Rivals", "look", "rivals", "settle"]


@dataclass(frozen=True, slots=True)
class Labelled:
    """Labels, and how they find the rows that were served.

    Attributes:
        table: Arrow table with ``on`` and ``label``; each key once. A row without a label yet is left out.
        on: columns that both have.
        label: column of numbers or booleans.
    """

    table: pa.Table
    on: tuple[str, ...]
    label: str


@dataclass(frozen=True, slots=True)
class Rivals:
    """Who is compared."""

    champion: ModelRef
    challenger: ModelRef


def rivals(registry: Registry, name: str) -> Rivals:
    """The champion and the challenger of now.

    Raises:
        InvalidInput: one of them is missing.
    """
    found = {alias: registry.alias(name, alias) for alias in (ALIAS_CHAMPION, ALIAS_CHALLENGER)}
    champion, challenger = found[ALIAS_CHAMPION], found[ALIAS_CHALLENGER]
    if champion is None or challenger is None:
        missing = [alias for alias, ref in found.items() if ref is None]
        raise InvalidInput(
            f"the model {name!r} has no {' and no '.join(missing)} in {registry.uri}: nothing to compare"
        )
    return Rivals(champion, challenger)


def look(spec: Canary, who: Rivals, served: pa.Table, labelled: Labelled) -> Judged:
    """Judges what both versions served.

    Args:
        spec: when it is enough.
        who: the versions.
        served: with ``model_version``, ``score``, ``scored_at`` and the columns to find labels by, as inference tables
            have them. Of several rows of one version with one key the first counts. Rows without a score are left out,
            and so are those of the champion from before the challenger's first one and from after its last one: other
            days have other rows.
        labelled: what came of it.

    Raises:
        DataError: columns are missing, keys have several labels, or scores are no probabilities.
    """
    _check(served, labelled)
    joined = _joined(_same_time(served, who), labelled)
    return judge(spec, _seen(joined, who.champion, labelled), _seen(joined, who.challenger, labelled))


def settle(registry: Registry, who: Rivals, judged: Judged) -> bool:
    """Moves the aliases as the verdict says; gives whether anything was moved.

    Raises:
        RegistryError: the champion was moved meanwhile.
    """
    if judged.state == WAIT:
        return False
    ref = who.challenger
    if judged.state == PROMOTE:
        if not move_champion(registry, who.champion, ref):
            raise RegistryError(f"the champion of {ref.name} was moved meanwhile; look again")
        registry.annotate(ref, {}, {TAG_VERDICT: ALIAS_CHAMPION, TAG_VERDICT_WHY: judged.reason})
        decided(registry, ref, APPROVED, judged.reason, "promoted by canary")
    else:
        decided(registry, ref, WITHDRAWN, judged.reason, "withdrawn by canary")
    if registry.alias(ref.name, ALIAS_CHALLENGER) == ref:
        registry.drop_alias(ref.name, ALIAS_CHALLENGER)
    return True


def _check(served: pa.Table, labelled: Labelled) -> None:
    for what, table, columns in (
        ("the served rows have", served, (*labelled.on, "model_version", "score", "scored_at")),
        ("the labels have", labelled.table, (*labelled.on, labelled.label)),
    ):
        missing = [name for name in columns if name not in table.column_names]
        if missing:
            raise DataError(f"{what} no column {', '.join(missing)}; they have {', '.join(table.column_names)}")
    kinds = {
        f"score of the served rows is {served.schema.field('score').type}, it must be numbers": served["score"],
        f"{labelled.label} of the labels is {labelled.table.schema.field(labelled.label).type}, it must be numbers or "
        "booleans": labelled.table[labelled.label],
    }
    for said, column in kinds.items():
        if not _is_number(column.type):
            raise DataError(said)
    keys = labelled.table.select(list(labelled.on))
    twice = len(keys) - len(keys.group_by(keys.column_names).aggregate([]))
    if twice:
        raise DataError(
            f"{twice} rows of the labels have a key ({', '.join(labelled.on)}) that another one has: give one"
        )


def _is_number(kind: pa.DataType) -> bool:
    import pyarrow as pa

    numbers = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_decimal, pa.types.is_null)
    return any(each(kind) for each in numbers)


def _same_time(served: pa.Table, who: Rivals) -> pa.Table:
    """The rows from the time in which the challenger was served."""
    import pyarrow.compute as pc

    ends = pc.min_max(served.filter(pc.field("model_version") == who.challenger.version)["scored_at"]).as_py()
    if ends["min"] is None:
        return served.filter(pc.field("model_version") == who.champion.version)
    return served.filter((pc.field("scored_at") >= ends["min"]) & (pc.field("scored_at") <= ends["max"]))


def _joined(served: pa.Table, labelled: Labelled) -> pa.Table:
    """Scored rows with their labels, the first of each version and key."""
    import pyarrow as pa
    import pyarrow.compute as pc

    on = list(labelled.on)
    rows = served.select([*on, "model_version", "score"]).filter(pc.field("score").is_valid())
    first = rows.append_column("_place", pa.array(range(len(rows)), pa.int64()))
    first = first.group_by([*on, "model_version"]).aggregate([("_place", "min")])
    rows = rows.take(first["_place_min"])
    labels = labelled.table.select([*on, labelled.label]).rename_columns([*on, "_label"])
    labels = labels.set_column(len(on), "_label", labels["_label"].cast(pa.float64()))
    for place, name in enumerate(on):
        kind = rows.schema.field(name).type
        try:
            labels = labels.set_column(place, name, labels[name].cast(kind))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            said = f"{name} is {kind} in the served rows and {labels.schema.field(name).type} in the labels"
            raise DataError(f"{said}, and not all of it can be made the same; give both in one type") from None
    return rows.join(labels.filter(pc.field("_label").is_valid()), on, join_type="inner")


def _seen(joined: pa.Table, ref: ModelRef, labelled: Labelled) -> Seen:
    import pyarrow.compute as pc

    rows = joined.filter(pc.field("model_version") == ref.version)
    return Seen(_keys(rows, labelled.on), _floats(rows["score"]), _floats(rows["_label"]))


def _keys(rows: pa.Table, on: Sequence[str]) -> Any:
    columns = [rows[name].to_pylist() for name in on]
    return np.array([repr(key) for key in zip(*columns, strict=True)], dtype=object)


def _floats(column: Any) -> Any:
    return column.to_numpy().astype("float64")
