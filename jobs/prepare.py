"""Writes the raw tables: ``spark-submit jobs/prepare.py --config conf/flights.yaml``."""

from __future__ import annotations

from sparkml_track.cli.app import job

if __name__ == "__main__":
    job("prepare")
