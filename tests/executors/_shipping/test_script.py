"""What a script defines is in the slots as in a process that was forked from it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

SCRIPT = '''
import dataclasses, functools, sys
import sparkml_track as st


@functools.lru_cache(maxsize=8)
def fib(n):
    """Calls itself by its name."""
    return n if n < 2 else fib(n - 1) + fib(n - 2)


@functools.singledispatch
def show(x):
    return "any"


@show.register
def _(x: int):
    return "whole " + show("text")


@dataclasses.dataclass
class Thing:
    value: float = 1.0


def square(thing):
    return Thing(thing.value**2)


def wrapped(trial):
    assert show(3) == "whole any"
    return {"loss": float(fib(10)), "hits": fib.cache_info().hits, "size": fib.cache_parameters()["maxsize"]}


def stored(trial):
    import joblib
    path = trial.artifact_dir + "/thing.joblib"
    joblib.dump(Thing(2.0), path)
    return joblib.load(path).value


def pooled(trial):
    import multiprocessing
    with multiprocessing.Pool(1) as pool:
        return pool.map(square, [Thing(3.0)])[0].value


def futures(trial):
    from concurrent.futures import ProcessPoolExecutor
    with ProcessPoolExecutor(1) as pool:
        return pool.submit(square, Thing(3.0)).result().value


def spawned(trial):
    import multiprocessing
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.map(square, [Thing(3.0)])[0].value


options = dict(max_trials=1, executor="processes", parallelism=1, progress=False)
result = st.sweep(globals()[sys.argv[1]], {"x": st.uniform(0, 1)}, **options)
print(dict(result.trials[0].metrics), result.trials[0].message)
'''


@pytest.mark.parametrize(
    ("objective", "metrics"),
    [
        ("wrapped", {"loss": 55.0, "hits": 8.0, "size": 8.0}),
        ("stored", {"loss": 2.0}),
        ("pooled", {"loss": 9.0}),
        ("futures", {"loss": 9.0}),
        ("spawned", {"loss": 9.0}),
    ],
)
def test_what_a_script_defines_is_found_in_slots(tmp_path: Path, objective: str, metrics: dict[str, float]) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, "script.py", objective], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.strip() == str(metrics), done.stderr[-2000:]
