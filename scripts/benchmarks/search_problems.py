"""What is searched: cross-validated models on scikit-learn's data, and functions whose optimum is known.

A space is written once, in a form that is turned into ours, hyperopt's and Optuna's:

    {"C": ("log", 1e-2, 1e3), "depth": ("int", 2, 9), "kernel": [{"kind": "rbf", "gamma": (...)}, {"kind": "poly"}]}

Real problems are measured once, at every point of a fine grid, and looked up at the nearest point: so twenty seeds of
four searches take minutes, and all of them see the same figures.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import math
import os
import tempfile
import warnings
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import pairwise, product
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import sparkml_track as st

__all__ = ["PROBLEMS", "Problem", "for_hyperopt", "for_optuna", "for_us", "measure_all"]

Space = Mapping[str, Any]


@dataclass(frozen=True)
class Problem:
    """One to minimise.

    Attributes:
        name: shown.
        space: see the module.
        value: of a point, shaped like the space; lower is better.
        optimum: what is subtracted from the best value; of real data the best one on the grid.
        trials: of one search.
    """

    name: str
    space: Space
    value: Callable[[Mapping[str, Any]], float]
    optimum: Callable[[], float]
    trials: int


# -- one space, three forms


def for_us(space: Space) -> dict[str, object]:
    """For ``sweep``."""
    makers = {"lin": st.uniform, "log": st.loguniform, "int": lambda low, high: st.randint(low, high + 1)}

    def one(value: Any) -> object:
        if isinstance(value, list):
            return st.choice(*map(for_us, value))
        return makers[value[0]](*value[1:]) if isinstance(value, tuple) else value

    return {name: one(value) for name, value in space.items()}


def for_hyperopt(space: Space, prefix: str = "") -> dict[str, object]:
    """For ``fmin``."""
    from hyperopt import hp

    def one(label: str, value: Any) -> object:
        if isinstance(value, list):
            return hp.choice(label, [for_hyperopt(each, f"{label}{i}.") for i, each in enumerate(value)])
        if not isinstance(value, tuple):
            return value
        kind, low, high = value
        if kind == "log":
            return hp.loguniform(label, math.log(low), math.log(high))
        return hp.uniform(label, low, high) if kind == "lin" else hp.randint(label, low, high + 1)

    return {name: one(prefix + name, value) for name, value in space.items()}


def for_optuna(trial: Any, space: Space, prefix: str = "") -> dict[str, object]:
    """A point, suggested by a trial of Optuna."""

    def one(name: str, value: Any) -> object:
        if isinstance(value, list):
            place = trial.suggest_categorical(name, list(range(len(value))))
            return for_optuna(trial, value[place], f"{name}{place}.")
        if not isinstance(value, tuple):
            return value
        kind, low, high = value
        suggest = trial.suggest_int if kind == "int" else trial.suggest_float
        return suggest(name, low, high, log=True) if kind == "log" else suggest(name, low, high)

    return {name: one(prefix + name, value) for name, value in space.items()}


# -- functions


def branin(point: Mapping[str, Any]) -> float:
    """Dixon and Szego, 1978."""
    x, y = point["x"], point["y"]
    bend = y - 5.1 / (4 * math.pi**2) * x**2 + 5 / math.pi * x - 6
    return float(bend**2 + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10)


_A = ((10, 3, 17, 3.5, 1.7, 8), (0.05, 10, 17, 0.1, 8, 14), (3, 3.5, 1.7, 10, 17, 8), (17, 8, 0.05, 10, 0.1, 14))
_P = (
    (0.1312, 0.1696, 0.5569, 0.0124, 0.8283, 0.5886),
    (0.2329, 0.4135, 0.8307, 0.3736, 0.1004, 0.9991),
    (0.2348, 0.1451, 0.3522, 0.2883, 0.3047, 0.6650),
    (0.4047, 0.8828, 0.8732, 0.5743, 0.1091, 0.0381),
)


def hartmann(point: Mapping[str, Any]) -> float:
    """Hartmann, 1973, in six dimensions."""
    sums = (
        sum(a * (point[f"x{i}"] - p) ** 2 for i, (a, p) in enumerate(zip(*row, strict=True)))
        for row in zip(_A, _P, strict=True)
    )
    return -sum(weight * math.exp(-each) for weight, each in zip((1.0, 1.2, 3.0, 3.2), sums, strict=True))


def sphere(point: Mapping[str, Any]) -> float:
    """Its optimum lies off the middle."""
    return float(sum((value - 1.0) ** 2 for value in point.values()))


def rosenbrock(point: Mapping[str, Any]) -> float:
    """Rosenbrock, 1960."""
    x = list(point.values())
    return float(sum(100 * (b - a * a) ** 2 + (1 - a) ** 2 for a, b in pairwise(x)))


# -- real data, on grids


def _digits(point: Mapping[str, Any]) -> float:
    from sklearn.datasets import load_digits
    from sklearn.svm import SVC

    x, y = load_digits(return_X_y=True)
    return _cross_validated(SVC(C=point["C"], gamma=point["gamma"]), x[:600] / 16, y[:600], "accuracy")


def _breast(point: Mapping[str, Any]) -> float:
    from sklearn.datasets import load_breast_cancer
    from sklearn.ensemble import HistGradientBoostingClassifier

    model = HistGradientBoostingClassifier(
        learning_rate=point["rate"], max_leaf_nodes=point["leaves"], l2_regularization=point["l2"], max_iter=30
    )
    return _cross_validated(model, *load_breast_cancer(return_X_y=True), "neg_log_loss")


def _diabetes(point: Mapping[str, Any]) -> float:
    from sklearn.datasets import load_diabetes
    from sklearn.kernel_ridge import KernelRidge

    x, y = load_diabetes(return_X_y=True, scaled=True)
    model = KernelRidge(kernel="rbf", alpha=point["alpha"], gamma=point["gamma"])
    return _cross_validated(model, x * 20, y - y.mean(), "neg_root_mean_squared_error")


def _wine(point: Mapping[str, Any]) -> float:
    from sklearn.datasets import load_wine
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    kernel = point["kernel"]
    more = {"gamma": kernel["gamma"]} if kernel["kind"] == "rbf" else {"degree": kernel["degree"], "coef0": 1.0}
    model = SVC(C=point["C"], kernel=kernel["kind"], probability=False, decision_function_shape="ovr", **more)
    return _cross_validated(make_pipeline(StandardScaler(), model), *load_wine(return_X_y=True), "accuracy", folds=10)


def _cross_validated(model: Any, x: Any, y: Any, scoring: str, folds: int = 3) -> float:
    from sklearn.model_selection import KFold, cross_val_score
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scores = cross_val_score(model, x, y, scoring=scoring, cv=KFold(folds, shuffle=True, random_state=0))
    return -float(scores.mean())


_GRID = 21  # values of each number on the grid


@dataclass(frozen=True)
class _Real:
    """A problem on real data, looked up."""

    name: str
    space: Space
    model: Callable[[Mapping[str, Any]], float]

    def __call__(self, point: Mapping[str, Any]) -> float:
        return self.figures[_key(_nearest(self.space, point))]

    def optimum(self) -> float:
        """The lowest on the grid."""
        return min(self.figures.values())

    @cached_property
    def figures(self) -> dict[str, float]:
        """By point. Once read, they are sent along with the problem: a slot that read them would import sklearn."""
        return dict(json.loads(self.path.read_text()))

    @cached_property
    def path(self) -> Path:
        """Of its figures; another release of scikit-learn, model or space has others."""
        import sklearn

        code = inspect.getsource(self.model) + inspect.getsource(_cross_validated)
        name = f"{code} {self.space} {_GRID} {sklearn.__version__}"
        digest = hashlib.sha256(name.encode()).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / "sparkml-bench-search" / f"{digest}.json"

    def points(self) -> list[dict[str, Any]]:
        """All of the grid."""
        return list(_points(self.space))


def _key(point: Mapping[str, Any]) -> str:
    return json.dumps(point, sort_keys=True)


def _values(value: Any) -> list[Any]:
    if isinstance(value, list):
        return [point for each in value for point in _points(each)]
    if not isinstance(value, tuple):
        return [value]
    kind, low, high = value
    if kind == "int":
        return list(range(low, high + 1))
    return [_on_grid(value, place) for place in range(_GRID)]


def _points(space: Space) -> list[dict[str, Any]]:
    names = list(space)
    return [dict(zip(names, each, strict=True)) for each in product(*(_values(space[name]) for name in names))]


def _on_grid(value: tuple[str, float, float], place: int) -> float:
    kind, low, high = value
    share = place / (_GRID - 1)
    made = low * (high / low) ** share if kind == "log" else low + (high - low) * share
    return float(f"{made:.6g}")


def _nearest(space: Space, point: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _near(space[name], value) for name, value in point.items()}


def _near(value: Any, given: Any) -> Any:
    if isinstance(value, list):
        return _nearest(next(each for each in value if each["kind"] == given["kind"]), given)
    if not isinstance(value, tuple):
        return given
    kind, low, high = value
    if kind == "int":
        return int(given)
    share = math.log(given / low) / math.log(high / low) if kind == "log" else (given - low) / (high - low)
    return _on_grid(value, round(min(1.0, max(0.0, share)) * (_GRID - 1)))


def measure_all(processes: int = 2) -> None:
    """Measures what is not measured yet: some two minutes the first time."""
    missing = [real for real in _REAL if not real.path.exists()]
    if not missing:
        return
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        for real in missing:
            points = real.points()
            values = list(pool.map(real.model, points, chunksize=8))
            _keep(real.path, dict(zip(map(_key, points), values, strict=True)))


def _keep(path: Path, figures: Mapping[str, float]) -> None:
    """All or nothing: an interrupted run leaves no half of a table."""
    path.parent.mkdir(exist_ok=True)
    part = path.with_suffix(f".{os.getpid()}")
    part.write_text(json.dumps(figures))
    part.replace(path)


_REAL = (
    _Real("digits, SVC", {"C": ("log", 1e-2, 1e3), "gamma": ("log", 1e-4, 1e1)}, _digits),
    _Real(
        "breast cancer, HGB", {"rate": ("log", 1e-2, 1.0), "leaves": ("int", 2, 5), "l2": ("log", 1e-3, 1e2)}, _breast
    ),
    _Real("diabetes, kernel ridge", {"alpha": ("log", 1e-4, 1e2), "gamma": ("log", 1e-4, 1e1)}, _diabetes),
    _Real(
        "wine, SVC by kernel",
        {
            "C": ("log", 1e-3, 1e3),
            "kernel": [{"kind": "rbf", "gamma": ("log", 1e-4, 1e1)}, {"kind": "poly", "degree": ("int", 1, 6)}],
        },
        _wine,
    ),
)


def _box(names: Sequence[str], low: float, high: float) -> Space:
    return dict.fromkeys(names, ("lin", low, high))


def _known(value: float) -> Callable[[], float]:
    return partial(float, value)


PROBLEMS: tuple[Problem, ...] = (
    *(Problem(real.name, real.space, real, real.optimum, 30) for real in _REAL),
    Problem("Branin", {"x": ("lin", -5.0, 10.0), "y": ("lin", 0.0, 15.0)}, branin, _known(0.39788736), 60),
    Problem("Hartmann, 6", _box([f"x{i}" for i in range(6)], 0.0, 1.0), hartmann, _known(-3.32236801), 80),
    Problem("sphere, 5", _box("abcde", -5.0, 5.0), sphere, _known(0.0), 80),
    Problem("Rosenbrock, 4", _box("abcd", -2.0, 2.0), rosenbrock, _known(0.0), 80),
)
