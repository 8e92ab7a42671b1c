"""The sections of the data: raw tables, features, the training set."""

from __future__ import annotations

from pydantic import Field, model_validator

from sparkml_track.config.sections.fields import Function, Moment, Options, Section, Text

__all__ = ["FeatureSettings", "KnownSettings", "Period", "PrepareSettings", "SplitSettings"]


class PrepareSettings(Section):
    """Raw tables.

    Attributes:
        tables: a function that gives them.
        options: its keyword arguments.
    """

    tables: Function
    options: Options = Field(default_factory=dict)


class Period(Section):
    """Rows of ``start`` and later, before ``end``. Times without a zone are UTC."""

    start: Moment
    end: Moment

    @model_validator(mode="after")
    def _forward(self) -> Period:
        if self.end <= self.start:
            raise ValueError(f"a period whose end is after its start ({self.start:%Y-%m-%d})")
        return self


class SplitSettings(Section):
    """The training set cut by time: each period begins no earlier than the one before it ends."""

    train: Period
    valid: Period
    test: Period

    @model_validator(mode="after")
    def _in_order(self) -> SplitSettings:
        if self.valid.start < self.train.end or self.test.start < self.valid.end:
            raise ValueError("train, valid and test in the order of time, without overlap")
        return self


class KnownSettings(Section):
    """When rows of a raw table became known, for ``features audit``; a text is the column.

    Attributes:
        time: column with the moment.
        columns: those that became known only then; none for whole rows.
    """

    time: Text
    columns: tuple[Text, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _a_column(cls, given: object) -> object:
        if isinstance(given, str):
            return {"time": given}
        # What passes by here is Python's and no longer YAML's, where a list is a tuple as well.
        columns = given.get("columns") if isinstance(given, dict) else None
        return {**given, "columns": tuple(columns)} if isinstance(given, dict) and isinstance(columns, list) else given


class FeatureSettings(Section):
    """Feature tables and the training set.

    Attributes:
        build: a function that makes them of the raw tables.
        options: its keyword arguments.
        label: the column to predict.
        time: the column of the prediction time, which the split is by.
        keys: the columns that name a row.
        split: periods of the training set.
        known: raw table to when its rows became known. Tables with a timestamp need not be named.
    """

    build: Function
    options: Options = Field(default_factory=dict)
    label: Text
    time: Text
    keys: tuple[Text, ...] = ()
    split: SplitSettings
    known: dict[Text, KnownSettings] = Field(default_factory=dict)
