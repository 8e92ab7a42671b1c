"""Makes the feature tables and the training set: ``spark-submit jobs/features.py --config conf/flights.yaml``."""

from __future__ import annotations

from sparkml_track.cli.app import job

if __name__ == "__main__":
    job("features")
