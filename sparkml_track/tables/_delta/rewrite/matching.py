"""Rows of a merge: which rule takes which row, and what each rule makes of it, as Spark expressions."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import TYPE_CHECKING

from sparkml_track.tables._delta.rewrite.feeding import images
from sparkml_track.tables._values import MergeRule

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame
    from pyspark.sql.types import StructType

#: Columns of a joined frame: the rule that takes a row (``NONE`` if none does), and whether a row came for it.
RULE, HERE = "__sparkml_rule", "__sparkml_here"
NONE = -1


def joined(target: DataFrame, source: DataFrame, keys: Sequence[str], how: str) -> DataFrame:
    """Join rows of the table, as ``target``, to those that come, as ``source``."""
    from pyspark.sql import functions as f

    pairs = [f.col(f"target.`{key}`") == f.col(f"source.`{key}`") for key in keys]
    return target.alias("target").join(source.alias("source"), reduce(lambda one, other: one & other, pairs), how)


def ruled(rows: DataFrame, rules: Sequence[MergeRule]) -> DataFrame:
    """Number the first rule that takes each row."""
    from pyspark.sql import functions as f

    number = f.lit(NONE)
    for index, rule in reversed(list(enumerate(rules))):
        if rule.when == "not_matched":
            continue
        there = f.col(HERE).isNotNull() if rule.when == "matched" else f.col(HERE).isNull()
        number = f.when(there & _condition(rule), f.lit(index)).otherwise(number)
    return rows.withColumn(RULE, number)


def results(rows: DataFrame, rules: Sequence[MergeRule], schema: StructType) -> DataFrame:
    """What becomes of the rows of the table: changed, copied or gone."""
    from pyspark.sql import functions as f

    gone = [index for index, rule in enumerate(rules) if rule.then == "delete"]
    kept = rows.where(~f.col(RULE).isin(gone)) if gone else rows
    return kept.select(*_results(rules, schema))


def changes(rows: DataFrame, rules: Sequence[MergeRule], schema: StructType) -> DataFrame:
    """What became of each row of the table that a rule takes."""
    from pyspark.sql import functions as f

    before = [f.col(f"target.`{field.name}`").alias(field.name) for field in schema]
    stays = [index for index, rule in enumerate(rules) if rule.then == "update"]
    return images(rows.where(f.col(RULE) != NONE), before, _results(rules, schema), f.col(RULE).isin(stays))


def inserts(rows: DataFrame, rules: Sequence[MergeRule], schema: StructType) -> DataFrame:
    """What becomes of rows that no row of the table matches."""
    from pyspark.sql import functions as f

    mine = [rule for rule in rules if rule.when == "not_matched"]
    number = f.lit(NONE)
    for index, rule in reversed(list(enumerate(mine))):
        number = f.when(_condition(rule), f.lit(index)).otherwise(number)
    taken = rows.alias("source").withColumn(RULE, number).where(f.col(RULE) != NONE)
    return taken.select(*[_inserted(field.name, mine).cast(field.dataType).alias(field.name) for field in schema])


def _condition(rule: MergeRule) -> Column:
    from pyspark.sql import functions as f

    return f.coalesce(f.expr(rule.condition), f.lit(False)) if rule.condition is not None else f.lit(True)


def _results(rules: Sequence[MergeRule], schema: StructType) -> list[Column]:
    return [_result(field.name, rules).cast(field.dataType).alias(field.name) for field in schema]


def _result(column: str, rules: Sequence[MergeRule]) -> Column:
    from pyspark.sql import functions as f

    value = f.col(f"target.`{column}`")
    for index, rule in enumerate(rules):
        if rule.then != "update":
            continue
        if rule.changes is None:
            value = f.when(f.col(RULE) == index, f.col(f"source.`{column}`")).otherwise(value)
        elif column in rule.changes:
            value = f.when(f.col(RULE) == index, f.expr(rule.changes[column])).otherwise(value)
    return value


def _inserted(column: str, mine: Sequence[MergeRule]) -> Column:
    from pyspark.sql import functions as f

    value = f.lit(None)
    for index, rule in enumerate(mine):
        if rule.changes is None:
            value = f.when(f.col(RULE) == index, f.col(f"source.`{column}`")).otherwise(value)
        elif column in rule.changes:
            value = f.when(f.col(RULE) == index, f.expr(rule.changes[column])).otherwise(value)
    return value
