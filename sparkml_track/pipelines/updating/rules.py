"""Expectations: counted by one observation while the rows are written, so no row is computed twice for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sparkml_track.adapters.spark.errors import first_line, is_spark_error
from sparkml_track.errors import DataError
from sparkml_track.pipelines.declared.values import Declared, Expectation

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

__all__ = ["BROKEN", "Checked", "Counted", "RulesBroken", "checked", "refuse_failed", "summed", "unparsed"]

#: The column of a quarantine table that names the rules its row did not meet.
BROKEN = "_broken_rules"


@dataclass(frozen=True, slots=True)
class Counted:
    """How many rows met a rule."""

    rule: Expectation
    passed: int
    failed: int


class RulesBroken(DataError):
    """Rows broke a rule that nothing may break.

    Attributes:
        counted: rows for each rule.
    """

    def __init__(self, message: str, counted: Sequence[Counted]) -> None:
        super().__init__(message)
        self.counted = tuple(counted)


class Checked:
    """Rows with their rules.

    Attributes:
        kept: the rows to write.
        apart: the rows to keep apart, with the rules that they did not meet; None where no rule asks for that.
    """

    def __init__(self, rows: DataFrame, rules: Sequence[Expectation]) -> None:
        from pyspark.sql import Observation

        self._rules = tuple(rules)
        self._observation = Observation()
        self._cached: Any = None
        self.kept, self.apart = self._split(rows)

    def counts(self) -> tuple[int, tuple[Counted, ...]]:
        """Rows written, and the count of each rule; once ``kept`` was written."""
        found = self._observation.get
        total = int(found["total"])
        failed = [int(found[f"failed{number}"]) for number in range(len(self._rules))]
        counted = tuple(Counted(rule, total - bad, bad) for rule, bad in zip(self._rules, failed, strict=True))
        return int(found["kept"]), counted

    def close(self) -> None:
        """Gives back what was kept in Spark's memory."""
        if self._cached is not None:
            self._cached.unpersist()

    def _split(self, rows: DataFrame) -> tuple[DataFrame, DataFrame | None]:
        from pyspark.sql import functions as f

        met = [f.coalesce(f.expr(rule.condition), f.lit(False)) for rule in self._rules]
        drops = [one for one, rule in zip(met, self._rules, strict=True) if rule.action == "drop"]
        parts = {rule.name: one for one, rule in zip(met, self._rules, strict=True) if rule.action == "quarantine"}
        if parts:
            # Written to two tables, and computed once: a row is in one of them.
            rows = self._cached = rows.persist()
        keep = _all([*drops, *parts.values()])
        failed = [f.count_if(~one).alias(f"failed{number}") for number, one in enumerate(met)]
        observed = rows.observe(
            self._observation, f.count(f.lit(1)).alias("total"), f.count_if(keep).alias("kept"), *failed
        )
        # Above the observation, so that Spark does not filter before it counts.
        kept = observed.filter(keep) if drops or parts else observed
        if not parts:
            return kept, None
        broken = f.array_compact(f.array(*[f.when(~one, f.lit(name)) for name, one in parts.items()]))
        return kept, rows.filter(_all(drops) & ~_all(list(parts.values()))).withColumn(BROKEN, broken)


def checked(rows: DataFrame, rules: Sequence[Expectation]) -> Checked:
    """Rows with their rules.

    Raises:
        DataError: the column ``_broken_rules`` is taken.
    """
    if BROKEN in rows.columns and any(rule.action == "quarantine" for rule in rules):
        raise DataError(f"the rows have a column {BROKEN}, in which a quarantine names rules; rename it")
    return Checked(rows, rules)


def refuse_failed(counted: Sequence[Counted]) -> None:
    """Refuses rows that break a rule which nothing may break.

    Raises:
        RulesBroken: names each such rule, and how many rows broke it.
    """
    broken = [one for one in counted if one.rule.action == "fail" and one.failed]
    if broken:
        each = "; ".join(
            f"{one.rule.name} ({one.rule.condition}) does not hold for {one.failed:,} of "
            f"{one.passed + one.failed:,} rows"
            for one in broken
        )
        raise RulesBroken(f"expectation {each}; nothing was written", counted)


def summed(one: Sequence[Counted], other: Sequence[Counted]) -> tuple[Counted, ...]:
    """Counts of several batches."""
    if not one:
        return tuple(other)
    return tuple(Counted(a.rule, a.passed + b.passed, a.failed + b.failed) for a, b in zip(one, other, strict=True))


def unparsed(declared: Declared, spark: SparkSession) -> list[str]:
    """A sentence for each expectation that is not SQL."""
    parser: Any = spark._jsparkSession.sessionState().sqlParser()  # noqa: SLF001  # it has no other door
    problems = []
    for target in declared.targets.values():
        for rule in target.expectations:
            try:
                parser.parseExpression(rule.condition)
            except Exception as error:
                if not is_spark_error(error):
                    raise
                problems.append(
                    f"{target.place}: expectation {rule.name!r} of {target.name} is not a condition in SQL: "
                    f"{rule.condition!r}: {first_line(error)}"
                )
    return problems


def _all(conditions: Sequence[Column]) -> Column:
    from pyspark.sql import functions as f

    found = f.lit(True)
    for condition in conditions:
        found = found & condition
    return found
