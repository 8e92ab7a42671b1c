"""What is registered, what decides, and what came of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sparkml_track.carried import CarriedFeatures
from sparkml_track.errors import SpecError
from sparkml_track.goal import DIRECTIONS, Goal
from sparkml_track.refs import DataRef, ModelRef
from sparkml_track.registries import ALIAS_CHAMPION, SKLEARN

__all__ = ["Measured", "Promotion", "Recipe", "Verdict"]


@dataclass(frozen=True, slots=True)
class Recipe:
    """The user's functions. ``data`` maps "train", "valid" and "test" to Arrow tables.

    Attributes:
        refit: (params, data, seed) to a fitted model; must leave ``data["test"]`` alone.
        baselines: (data, seed) to fitted models by name, at least one. One whose metric is not finite does not count.
        evaluate: (model, table) to metrics by name.
        inputs: (table) to the pandas data frame a model takes.
        method: what models are asked by, "predict_proba" or "predict".
        flavor: see ``Package``; ``evaluate`` gets versions of any other than scikit-learn's as MLflow wraps them.
    """

    refit: Callable[[Mapping[str, Any], Mapping[str, Any], int], Any]
    baselines: Callable[[Mapping[str, Any], int], Mapping[str, Any]]
    evaluate: Callable[[Any, Any], Mapping[str, float]]
    inputs: Callable[[Any], Any]
    method: str = "predict_proba"
    flavor: str = SKLEARN


@dataclass(frozen=True, slots=True)
class Promotion:
    """What to register, and what decides.

    Attributes:
        model: the registered name.
        experiment: where the run goes.
        params: the best parameters, shaped like the space.
        metric: of ``evaluate``; decides.
        direction: "minimize" or "maximize".
        margin: by how much each opponent must be beaten; in the metric's unit.
        seed: for refit and baselines.
        sweep: the sweep id, kept as a tag.
        sweep_run: the run id of the parent run, kept as a tag.
        data: references of the splits, with table versions, logged on the run.
        carried: from what the training set was looked up; the model carries its part of it. None carries nothing.
        approval: whether a person must approve a candidate that came through the gate, before it is champion.
    """

    model: str
    experiment: str
    params: Mapping[str, Any]
    metric: str
    direction: str = "minimize"
    margin: float = 0.0
    seed: int = 0
    sweep: str = ""
    sweep_run: str = ""
    data: Sequence[DataRef] = ()
    approval: bool = False
    carried: CarriedFeatures | None = None

    def __post_init__(self) -> None:
        problems = []
        if self.direction not in DIRECTIONS:
            problems.append(f"direction is {self.direction!r}, allowed are {' and '.join(DIRECTIONS)}")
        if not (math.isfinite(self.margin) and self.margin >= 0):
            problems.append(f"margin is {self.margin}, it must be a number from 0")
        if problems:
            raise SpecError(*problems)

    def beats(self, value: float, other: float) -> bool:
        """Whether ``value`` is better than ``other`` by more than the margin; what is not finite loses to what is."""
        if not (math.isfinite(value) and math.isfinite(other)):
            return math.isfinite(value)
        goal = Goal(self.metric, self.direction == "maximize")
        return goal.loss(other) - goal.loss(value) > self.margin


@dataclass(frozen=True, slots=True)
class Measured:
    """One model on the test data.

    Attributes:
        name: "candidate", "champion" or the baseline's name.
        metrics: by name.
        ref: where it is registered; None for a baseline.
    """

    name: str
    metrics: Mapping[str, float]
    ref: ModelRef | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a promotion came to.

    Attributes:
        candidate: as registered.
        champion: the one it was compared with last, None where there was none.
        baselines: by name.
        metric: what decided.
        direction: of it.
        alias: what the candidate is now, "champion" or "challenger".
        reason: one sentence with the figures.
        seconds: how long each step took.
    """

    candidate: Measured
    champion: Measured | None
    baselines: Sequence[Measured]
    metric: str
    direction: str
    alias: str
    reason: str
    seconds: Mapping[str, float] = field(default_factory=dict)

    @property
    def promoted(self) -> bool:
        """Whether the candidate is the champion now."""
        return self.alias == ALIAS_CHAMPION

    @property
    def model(self) -> ModelRef:
        """The candidate's version."""
        assert self.candidate.ref is not None
        return self.candidate.ref
