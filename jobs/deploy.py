"""Puts the champion to work: ``spark-submit jobs/deploy.py --config conf/flights.yaml``."""

from __future__ import annotations

from sparkml_track.cli.app import job

if __name__ == "__main__":
    job("deploy")
