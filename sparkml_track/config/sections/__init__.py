"""The sections of a config file. Strict, closed and frozen; defaults are those of ``sweep()`` where it has them.

fields  what a value may be
data    raw tables, features, the training set
search  the sweep, its slots and its tracking
models  registration, scoring, deployment
serving what an endpoint serves
monitor monitoring, and what it begins
notify  who is notified
jobs    jobs and their tasks
file    the whole file
"""

from __future__ import annotations

from sparkml_track.config.sections.data import FeatureSettings, Period, PrepareSettings, SplitSettings
from sparkml_track.config.sections.file import File, SparkSettings
from sparkml_track.config.sections.jobs import JobSettings, TaskSettings, TriggerSettings
from sparkml_track.config.sections.models import DeploySettings, RegisterSettings, ScoreSettings
from sparkml_track.config.sections.monitor import LabelSettings, MonitorSettings, RetrainSettings
from sparkml_track.config.sections.notify import NotifySettings
from sparkml_track.config.sections.search import FailureSettings, ResourceSettings, SweepSettings, TrackingSettings
from sparkml_track.config.sections.serving import ServedSettings

__all__ = [
    "DeploySettings",
    "FailureSettings",
    "FeatureSettings",
    "File",
    "JobSettings",
    "LabelSettings",
    "MonitorSettings",
    "NotifySettings",
    "Period",
    "PrepareSettings",
    "RegisterSettings",
    "ResourceSettings",
    "RetrainSettings",
    "ScoreSettings",
    "ServedSettings",
    "SparkSettings",
    "SplitSettings",
    "SweepSettings",
    "TaskSettings",
    "TrackingSettings",
    "TriggerSettings",
]
