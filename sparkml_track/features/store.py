"""Feature tables and the training sets that look features up in them, in Databricks' words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from pyspark.sql import functions as F

from sparkml_track.carried import CarriedLookup
from sparkml_track.errors import DataError, TableError
from sparkml_track.features.asof import Asof, Side, latest_join, point_in_time
from sparkml_track.features.feature_tables import FeatureTables, check_roles
from sparkml_track.features.late import point_in_time_known
from sparkml_track.features.lookup import FeatureLookup
from sparkml_track.features.lookups_together import in_passes, joined_together, of_table
from sparkml_track.features.online.carrying import Origin, carried_lookup, computed
from sparkml_track.features.online.function import FeatureFunction
from sparkml_track.features.online.store import OnlineFeatures
from sparkml_track.features.training_set import TrainingSet
from sparkml_track.refs import TableRef
from sparkml_track.tables import TableExpectations, TableInfo, Tables

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

__all__ = ["FeatureStore", "TrainingSet"]


class FeatureStore(FeatureTables, OnlineFeatures):
    """Feature tables among the tables, read at pinned versions.

    A table's version is pinned when this store first reads or writes it; ``pinned`` lists them all. So what one store
    builds comes from one version of each table, whatever others write meanwhile.

    Threads: one at a time. Ownership: neither tables nor session are owned.

    Args:
        tables: with a session (``tables.spark``).

    Raises:
        TableError: the tables have no session.
    """

    def __init__(self, tables: Tables) -> None:
        if not tables.spark:
            raise TableError("a feature store needs tables that were opened with a Spark session: pass spark=...")
        self.tables = tables
        self._pinned = {}

    def create_table(
        self,
        name: str,
        primary_keys: str | Sequence[str],
        df: DataFrame,
        *,
        timestamp_key: str | None = None,
        description: str = "",
        replace: bool = False,
    ) -> TableRef:
        """Make a feature table.

        Args:
            name: an identifier.
            primary_keys: a column, or several; never null; unique, together with the timestamp.
            df: keys, timestamp and features.
            timestamp_key: the column that says from when on a row was known; None where rows hold for all time.
            description: for people.
            replace: write a new version over a table that is there, instead of refusing.

        Raises:
            TableError: the table is there and ``replace`` is not set.
            DataError: there are no keys, ``df`` lacks one or the timestamp, or they are null or repeat.
        """
        check_roles(name, df.columns, _named(primary_keys), timestamp_key)
        expect = TableExpectations(keys=_named(primary_keys), timestamp=timestamp_key)
        mode: Literal["overwrite", "error"] = "overwrite" if replace else "error"
        return self._written(self.tables.write(name, df, mode=mode, expect=expect, description=description))

    def create_training_set(
        self,
        df: DataFrame,
        feature_lookups: Sequence[FeatureLookup | FeatureFunction],
        label: str,
        *,
        keys: str | Sequence[str],
        carry: str | Sequence[str] = (),
        exclude_columns: str | Sequence[str] = (),
    ) -> TrainingSet:
        """Look features up for labelled rows.

        Args:
            df: the rows: keys, times, the label, and columns that are features already.
            feature_lookups: in this order; functions come after all look-ups, in their order.
            label: a column of ``df``.
            keys: columns that name a row.
            carry: columns of ``df`` that stay in the result and are not features (times, the split, names).
            exclude_columns: columns that were only needed to look up or compute others by; they are left out.

        Raises:
            DataError: columns that are missing or clash; keys or times that do not fit a lookup.
        """
        keys, carry, exclude_columns = _named(keys), _named(carry), _named(exclude_columns)
        _check_there((label, *keys, *carry), df)
        lookups = [each for each in feature_lookups if isinstance(each, FeatureLookup)]
        functions = tuple(each for each in feature_lookups if isinstance(each, FeatureFunction))
        whole = df
        for one_pass in in_passes(lookups):
            whole = self._looked_up(whole, one_pass)
        whole = computed(whole, functions)
        _check_there(exclude_columns, whole)
        rows = whole.drop(*[F.col(f"`{column}`") for column in exclude_columns])
        other = {label, *keys, *carry}
        features = tuple(column for column in rows.columns if column not in other)
        origin = Origin(whole, tuple(map(self._carried, lookups)), functions)
        return TrainingSet(rows, label, features, keys, self.pinned, origin=origin)

    def look_up(self, df: DataFrame, lookup: FeatureLookup) -> DataFrame:
        """Add the features of one lookup to ``df``; every row stays once.

        Raises:
            DataError: columns that are missing or clash; keys or times that do not fit the table.
        """
        info = self.get_table(lookup.table_name)
        features = self.tables.read(info.ref)
        with of_table(info.ref):
            return _defaulted(_joined(df, features, lookup, info), lookup.default_values)

    def _looked_up(self, df: DataFrame, lookups: Sequence[FeatureLookup]) -> DataFrame:
        """Add the features of the look-ups of one pass."""
        if len(lookups) == 1:
            return self.look_up(df, lookups[0])
        infos = [self.get_table(lookup.table_name) for lookup in lookups]
        sides = []
        for lookup, info in zip(lookups, infos, strict=True):
            with of_table(info.ref):
                sides.append((info.ref, Side(self.tables.read(info.ref), _asof(lookup, info))))
        rows = joined_together(df, sides)
        for lookup, info in zip(lookups, infos, strict=True):
            with of_table(info.ref):
                rows = _defaulted(rows, lookup.default_values)
        return rows

    def _carried(self, lookup: FeatureLookup) -> CarriedLookup:
        info = self.get_table(lookup.table_name)
        return carried_lookup(lookup, info, _matched(lookup, info), _outputs(lookup, info))


def _joined(df: DataFrame, features: DataFrame, lookup: FeatureLookup, info: TableInfo) -> DataFrame:
    keys, outputs = _matched(lookup, info), _outputs(lookup, info)
    if info.timestamp is None:
        if lookup.known_key is not None:
            raise DataError(f"the table has no timestamp, so no row of it comes late: leave out {lookup.known_key!r}")
        return latest_join(df, features, keys, outputs)
    how = _asof(lookup, info)
    if lookup.known_key is not None:
        return point_in_time_known(df, features, how, lookup.known_key)
    return point_in_time(df, features, how)


def _asof(lookup: FeatureLookup, info: TableInfo) -> Asof:
    """The join of a table with a timestamp."""
    keys, outputs = _matched(lookup, info), _outputs(lookup, info)
    time = str(lookup.timestamp_lookup_key)
    return Asof(keys, outputs, time, str(info.timestamp), info.created, lookup.lookback_window)


def _defaulted(df: DataFrame, values: Mapping[str, object]) -> DataFrame:
    """A default takes the type of its feature: another would change that of the column.

    Raises:
        DataError: a default that is not a value of that type.
    """
    kinds = {name: kind for name, kind in df.dtypes if name in values}
    problems = [
        f"the default {value!r} of {name!r} is not a {kinds[name]}, which the feature is: give one that is"
        for name, value in values.items()
        if not _is_of(df, value, kinds[name])
    ]
    if problems:
        raise DataError("; ".join(problems))
    defaults = {name: F.lit(value).cast(kinds[name]) for name, value in values.items()}
    given = [
        F.coalesce(f"`{name}`", defaults[name]).alias(name) if name in defaults else f"`{name}`" for name in df.columns
    ]
    return df.select(*given)


def _is_of(df: DataFrame, value: object, kind: str) -> bool:
    """Whether a value is one of a type: Spark casts it there and back, and it is the same."""
    if isinstance(value, bool) != (kind == "boolean"):
        return False
    given = F.lit(value)
    there = given.try_cast(kind)
    row = df.sparkSession.sql("select 1").select((there.isNotNull() & (there == given)).alias("same")).first()
    return bool(row and row["same"])


def _check_there(columns: Sequence[str], df: DataFrame) -> None:
    if missing := [column for column in columns if column not in df.columns]:
        raise DataError(f"the rows have no column {', '.join(missing)}; they have {', '.join(df.columns)}")


def _named(columns: str | Sequence[str]) -> tuple[str, ...]:
    """Columns as a tuple; a text is one column, never its letters."""
    return (columns,) if isinstance(columns, str) else tuple(columns)


def _matched(lookup: FeatureLookup, info: TableInfo) -> dict[str, str]:
    """Lookup columns to primary keys."""
    if len(lookup.keys) != len(info.keys):
        raise DataError(
            f"lookup_key is ({', '.join(lookup.keys)}), the table's primary keys are "
            f"({', '.join(info.keys)}): give one column for each, in that order"
        )
    if (lookup.timestamp_lookup_key is None) != (info.timestamp is None):
        needs = f"has the timestamp {info.timestamp}: give" if info.timestamp else "has no timestamp: leave out"
        raise DataError(f"the table {needs} timestamp_lookup_key")
    return dict(zip(lookup.keys, info.keys, strict=True))


def _outputs(lookup: FeatureLookup, info: TableInfo) -> dict[str, str]:
    """Names in the result to features."""
    offered = [column for column in info.columns if column not in info.roles]
    names = offered if lookup.feature_names is None else list(lookup.feature_names)
    unknown = [name for name in [*names, *lookup.rename_outputs] if name not in offered]
    outputs = {lookup.rename_outputs.get(name, name): name for name in names}
    unknown += [name for name in lookup.default_values if name not in outputs]
    if unknown or len(outputs) < len(names):
        what = f"no feature {', '.join(unknown)}" if unknown else "two features of one name"
        raise DataError(f"{what}; it has {', '.join(offered)}")
    return outputs
