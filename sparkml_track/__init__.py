"""Hyperparameter sweeps on plain Apache Spark, tracked in MLflow, carrying the model the whole way."""

from __future__ import annotations
