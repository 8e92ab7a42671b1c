"""A whole config file, as it is written."""

from __future__ import annotations

from pydantic import Field

from sparkml_track.config.sections.data import FeatureSettings, PrepareSettings
from sparkml_track.config.sections.fields import Section, SparkKey, Text, Word
from sparkml_track.config.sections.jobs import JobSettings
from sparkml_track.config.sections.models import DeploySettings, RegisterSettings, ScoreSettings
from sparkml_track.config.sections.monitor import MonitorSettings
from sparkml_track.config.sections.search import SweepSettings, TrackingSettings

__all__ = ["File", "SparkSettings"]


class SparkSettings(Section):
    """How a Spark session is made where there is none; a session or a spark-submit that is there comes first.

    Attributes:
        master: of a new session.
        conf: Spark's own settings.
    """

    master: Text = "local[*]"
    conf: dict[SparkKey, str | int | float | bool] = Field(default_factory=dict)


class File(Section):
    """The whole file, as it is written."""

    name: Word
    home: Text | None = None
    code: tuple[str, ...] = ()
    spark: SparkSettings = SparkSettings()
    prepare: PrepareSettings | None = None
    features: FeatureSettings | None = None
    sweep: SweepSettings
    tracking: TrackingSettings = TrackingSettings()
    # A field named register would hide the method of that name.
    registration: RegisterSettings | None = Field(default=None, alias="register")
    deploy: DeploySettings | None = None
    score: ScoreSettings | None = None
    monitor: MonitorSettings | None = None
    jobs: dict[Word, JobSettings] = Field(default_factory=dict)
