"""The folds, or the validation part, of a Spark data frame: computed once, cached, and dropped at the end."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from numbers import Integral, Real

from pyspark.sql import DataFrame

from sparkml_track.adapters.spark.errors import is_spark_error

__all__ = ["Part", "Split", "SplitPlan"]

_WHOLE_NUMBERS = ("tinyint", "smallint", "int", "bigint")


@dataclass(frozen=True, slots=True)
class SplitPlan:
    """How rows are split, checked. One of ``folds`` and ``validation`` is given.

    Args:
        folds: how many, as ``CrossValidator``'s numFolds.
        validation: the share of rows that is held out, as 1 - trainRatio of ``TrainValidationSplit``.
        fold_column: has the number of the fold of each row, as foldCol; else it is drawn.
        seed: of what is drawn.

    Raises:
        TypeError: a number or a name is none.
        ValueError: it is out of bounds, or the arguments exclude each other.
    """

    folds: int | None
    validation: float | None
    fold_column: str | None
    seed: int

    def __post_init__(self) -> None:
        if (self.folds is None) == (self.validation is None):
            both = "neither" if self.folds is None else "both"
            raise ValueError(f"{both} of folds and validation given; allowed is one, such as folds=3 or validation=0.2")
        if self.fold_column is not None and self.folds is None:
            raise ValueError(
                f"fold_column is {self.fold_column!r} without folds; give folds, the number of folds it has"
            )
        for name, kind, what in _KINDS:
            value: object = getattr(self, name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, kind)):
                raise TypeError(f"{name} is {value!r} ({type(value).__name__}); allowed is {what}, or None")
        if self.folds is not None and self.folds < 2:
            raise ValueError(f"folds is {self.folds}; allowed is a whole number of at least 2")
        if self.validation is not None and not 0 < self.validation < 1:
            raise ValueError(f"validation is {self.validation}; allowed is a number above 0 and below 1")

    @property
    def held_out(self) -> Sequence[int]:
        """The numbers of the parts that models are evaluated on, one after the other."""
        return (1,) if self.folds is None else range(self.folds)

    @property
    def parts(self) -> int:
        """How many parts there are."""
        return self.folds or 2

    @property
    def number(self) -> str:
        """The number of a row's part, in SQL. It is drawn as ``CrossValidator`` and ``TrainValidationSplit`` do."""
        if self.fold_column is not None:
            return f"CAST(`{self.fold_column.replace('`', '``')}` AS INT)"
        if self.folds is not None:
            return f"CAST(floor(rand({self.seed}) * {self.folds}) AS INT)"
        assert self.validation is not None
        return f"CAST(rand({self.seed}) >= {1 - float(self.validation)!r}D AS INT)"

    def check_column(self, data: DataFrame) -> None:
        """Looks whether the fold column is there.

        Raises:
            ValueError: it is not, or does not hold whole numbers.
        """
        if self.fold_column is None:
            return
        types = dict(data.dtypes)
        if types.get(self.fold_column) not in _WHOLE_NUMBERS:
            got = f"of type {types[self.fold_column]}" if self.fold_column in types else "not a column of data"
            raise ValueError(f"fold_column is {self.fold_column!r}, {got}; allowed is a column of whole numbers")


_KINDS = (
    ("folds", Integral, "a whole number of at least 2"),
    ("validation", Real, "a number above 0 and below 1"),
    ("fold_column", str, "the name of a column"),
    ("seed", Integral, "a whole number of at least 0"),
)


@dataclass(frozen=True, slots=True)
class Part:
    """What one model is fitted on, and what it is evaluated on."""

    train: DataFrame
    held_out: DataFrame


class Split:
    """The parts of a data frame.

    Args:
        data: all rows.
        plan: how they are split.

    Attributes:
        plan: likewise.
    """

    def __init__(self, data: DataFrame, plan: SplitPlan) -> None:
        plan.check_column(data)
        self.plan = plan
        # No other frame has this column, so that nobody else's cache is meant.
        self._column = f"sparkml_part_{uuid.uuid4().hex[:12]}"
        self._rows = data.selectExpr("*", f"{plan.number} AS {self._column}")

    @property
    def whole(self) -> DataFrame:
        """All rows."""
        return self._rows.drop(self._column)

    def parts(self) -> Iterator[Part]:
        """What to fit on and what to evaluate on, one after the other."""
        number = self._rows[self._column]
        for held_out in self.plan.held_out:
            train, rest = self._rows.filter(number != held_out), self._rows.filter(number == held_out)
            yield Part(train.drop(self._column), rest.drop(self._column))

    @contextmanager
    def cached(self) -> Iterator[None]:
        """Drops the cached rows at the end, also after an error."""
        try:
            yield
        finally:
            try:
                self._rows.unpersist()
            except Exception as error:
                # Where Spark has ended, the rows have too.
                if not is_spark_error(error):
                    raise

    def compute(self) -> None:
        """Computes and caches the rows.

        Raises:
            ValueError: a part has no rows, or a row is of no part.
        """
        counts = self._rows.persist().groupBy(self._column).count().collect()
        found = {row[0] for row in counts}
        wanted = set(range(self.plan.parts))
        where = "data" if self.plan.fold_column is None else f"fold_column {self.plan.fold_column!r}"
        if found - wanted:
            got = ", ".join(sorted(map(str, found - wanted))[:5])
            raise ValueError(f"{where} has the fold {got}; allowed are whole numbers from 0 to {max(wanted)}")
        if wanted - found:
            lacking = f"fold {min(wanted - found)} of {len(wanted)}"
            raise ValueError(f"{where} leaves {lacking} without rows; give more rows, or fewer folds")
