"""Searches; one parent run, a child run for each trial: ``spark-submit jobs/sweep.py --config conf/flights.yaml``."""

from __future__ import annotations

from sparkml_track.cli.app import job

if __name__ == "__main__":
    job("sweep")
