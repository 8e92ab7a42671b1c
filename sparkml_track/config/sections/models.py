"""The sections of the model: registration, scoring and deployment."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import model_validator

from sparkml_track.config.sections.fields import (
    Direction,
    Function,
    Identifier,
    Section,
    Split,
    Text,
    matching,
)
from sparkml_track.config.sections.serving import ServedSettings

__all__ = ["DeploySettings", "RegisterSettings", "ScoreSettings", "StreamSettings"]


class RegisterSettings(Section):
    """The best parameters refitted, compared and registered.

    Attributes:
        model: the registered name.
        refit: fits the candidate: ``refit(params, data, seed)``, with ``data["train"]`` and ``data["valid"]``.
        baselines: gives models by name, ``baselines(data, seed)``; what the first champion has to beat.
        inputs: gives what a model takes of a table: ``inputs(table)``.
        evaluate: gives metrics by name: ``evaluate(model, table)``.
        metric: what is compared on the test split; None for the sweep's.
        direction: of the metric; None for the sweep's.
        approval: whether a person approves what came through the gate, before it is champion.
        look_ups: whether the model carries the look-ups of the training set, so that it can be asked by keys.
        formats: in what forms stored models may be read; all but skops run code that comes from the store.
        flavor: the module of MLflow that stores the model, such as "xgboost" or "pytorch". ``evaluate`` gets a version
            of any other than sklearn as ``mlflow.pyfunc`` has it: with ``predict``.
    """

    model: Annotated[str, matching(r"[A-Za-z0-9_ .-]{1,128}", "a name without '/' and ':'")]
    refit: Function
    baselines: Function
    inputs: Function
    evaluate: Function
    metric: Text | None = None
    direction: Direction | None = None
    approval: bool = False
    look_ups: bool = False
    formats: tuple[Literal["skops", "code", "pickle", "cloudpickle", "pyfunc"], ...] = ("skops",)
    flavor: Identifier = "sklearn"

    @model_validator(mode="after")
    def _can_be_read(self) -> RegisterSettings:
        if self.flavor != "sklearn" and "pyfunc" not in self.formats:
            raise ValueError(f"a mapping whose 'formats' has pyfunc, as which models of {self.flavor} are read")
        return self


class StreamSettings(Section):
    """Rows that are scored as they come: of a table that grows, or files in a folder.

    Attributes:
        source: a table of the home to which rows are appended.
        files: a folder into which files are put; relative to the config file.
        format: of the files.
        columns: of the files, in SQL's words ("flight bigint, wind double"); needed for csv and json.
        table: where the scores go.
    """

    source: Annotated[str, matching(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*){0,2}", "the name of a table")] | None = None
    files: Text | None = None
    format: Literal["parquet", "csv", "json"] = "parquet"
    columns: Text | None = None
    table: Identifier = "streamed_scores"

    @model_validator(mode="after")
    def _one_source(self) -> StreamSettings:
        if (self.source is None) == (self.files is None):
            raise ValueError("a mapping with either 'source', a table, or 'files', a folder")
        if self.source is not None and self.model_fields_set & {"format", "columns"}:
            raise ValueError("a mapping without 'format' and 'columns', which are for files alone")
        if self.files is not None and self.format != "parquet" and self.columns is None:
            raise ValueError(f"a mapping with 'columns', for {self.format} files do not say what types they have")
        return self


class ScoreSettings(Section):
    """Batch scoring with the pinned champion.

    Attributes:
        split: which rows.
        table: where the scores go.
        stream: what ``score --stream`` scores.
    """

    split: Split = "test"
    table: Identifier = "scores"
    stream: StreamSettings | None = None


class DeploySettings(Section):
    """Where a version of the model is put to work.

    Attributes:
        to: "table" scores as section ``score`` says, "stream" what came since as section ``score.stream`` says, and
            "endpoint" serves the model by a process in the background.
        alias: whose version it is.
        endpoint: what the process serves, and how; all requests go to the alias by default.
    """

    to: Literal["table", "stream", "endpoint"]
    alias: Text = "champion"
    endpoint: ServedSettings | None = None

    @model_validator(mode="after")
    def _fits(self) -> DeploySettings:
        if self.endpoint is not None and self.to != "endpoint":
            raise ValueError(f"a mapping without 'endpoint', which is for endpoints, and it goes to a {self.to}")
        if self.alias not in self.served.routes:
            raise ValueError(f"a mapping whose endpoint.routes have the alias {self.alias!r}")
        return self

    @property
    def served(self) -> ServedSettings:
        """What an endpoint serves: the alias gets all requests where no routes are given."""
        given = self.endpoint or ServedSettings()
        return given if "routes" in given.model_fields_set else given.model_copy(update={"routes": {self.alias: 100.0}})
