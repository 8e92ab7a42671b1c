"""Watches drift and quality: ``spark-submit jobs/monitor.py --config conf/flights.yaml``."""

from __future__ import annotations

from sparkml_track.cli.app import job

if __name__ == "__main__":
    job("monitor")
