"""Scores rows with the champion: ``spark-submit jobs/score.py --config conf/flights.yaml``."""

from __future__ import annotations

from sparkml_track.cli.app import job

if __name__ == "__main__":
    job("score")
