"""A module that lies beside the tests and that no slot can import."""

from __future__ import annotations

FACTOR = 3.0


def scaled(value: float) -> float:
    return value * FACTOR


def objective(trial: object) -> float:
    return scaled(float(trial.data["x"].sum()))  # type: ignore[attr-defined]
