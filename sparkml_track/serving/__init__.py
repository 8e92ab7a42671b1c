"""Serving: a registered model behind HTTP, routed by alias, with every prediction in a table.

_spec      what is served, how traffic is split, what is refused and kept
_run       an endpoint in this process
protocol   MLflow's scoring protocol
models     versions: loaded, asked, routed, exchanged
inference  inference tables, by way of records on disk
http       paths, limits, metrics

The way of a request: ``http/endpoint`` reads the body and picks a route; a thread makes columns of it
(``protocol/bodies``, ``protocol/columns``), looks features up, asks the version (``models/predicting``) and encodes
answer and record; the record is on disk (``inference/spool``) before the answer is sent.
"""

from __future__ import annotations

from sparkml_track.serving._run import ServedModel, bind, serve
from sparkml_track.serving._spec import KINDS, LOOPBACK, Limits, Recording, Serving, table_prefix
from sparkml_track.serving.models.features import OpenFeatures, RowFeatures

__all__ = [
    "KINDS",
    "LOOPBACK",
    "Limits",
    "OpenFeatures",
    "Recording",
    "RowFeatures",
    "ServedModel",
    "Serving",
    "bind",
    "serve",
    "table_prefix",
]
