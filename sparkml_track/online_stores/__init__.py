"""Online stores: the newest row of each key of feature tables, found by key in microseconds.

_base         the contract
_memory       the twin
_databases    SQLite files, Redis, PostgreSQL
_codec        keys and rows as text
_values       publications, rows, answers
_open         from an address to a store
_features     the features of rows that are served
pyfunc        how mlflow.pyfunc loads a model that carries its look-ups
functions     functions that models carry
on_demand     what calls them, here and on Spark
"""

from __future__ import annotations

from sparkml_track.online_stores._base import OnlineStore
from sparkml_track.online_stores._codec import utc_schema
from sparkml_track.online_stores._databases.sqlite import SqliteOnlineStore
from sparkml_track.online_stores._features import RowFeatures, features_of_rows, in_types_of_model, online_features
from sparkml_track.online_stores._memory import MemoryOnlineStore
from sparkml_track.online_stores._open import open_online_store
from sparkml_track.online_stores._values import Answers, OnlineRow, Publication

__all__ = [
    "Answers",
    "MemoryOnlineStore",
    "OnlineRow",
    "OnlineStore",
    "Publication",
    "RowFeatures",
    "SqliteOnlineStore",
    "features_of_rows",
    "in_types_of_model",
    "online_features",
    "open_online_store",
    "utc_schema",
]
