"""``distribute`` on processes of this host: what comes back, what is recorded, what is raised."""

from __future__ import annotations

import functools
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mlflow import MlflowClient

import sparkml_track as st
from sparkml_track.errors import DataError, ExecutorError, ObjectiveError, PreflightError, SparkmlError, SpecError
from sparkml_track.frontdoors import gangs
from sparkml_track.frontdoors.gangs import distribute
from sparkml_track.testing.accounting import assert_accounting

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def state(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SPARKML_HOME", str(home))
    return home


def call(fn: Any, *args: object, **given: Any) -> Any:
    options = {"workers": 2, "executor": "processes", "tracking": None, "progress": False, "timeout": 60, **given}
    return distribute(fn, *args, **options)


def sweeps(home: Path) -> list[str]:
    return sorted(path.name for path in (home / "journal").iterdir())


def test_all_ranks_train_together_and_the_value_of_the_first_comes_back(home: Path) -> None:
    def train(rate: float, steps: int, rows: Any, trial: Any) -> dict[str, Any]:
        import numpy as np

        mine = trial.data["rows"][trial.rank :: trial.world_size]
        weights = np.zeros(2)
        for step in range(steps):
            gradient = 2 * mine.T @ (mine @ (weights - rows)) / len(mine)
            weights = weights - rate * np.mean(trial.all_gather(gradient), axis=0)
            trial.report({"seconds": float(step), "loss": float(((weights - rows) ** 2).sum())}, step=step)
        same = all(np.array_equal(weights, other) for other in trial.all_gather(weights))
        return {"weights": weights, "loss": float(((weights - rows) ** 2).sum()), "same": same, "rank": trial.rank}

    data = {"rows": np.random.default_rng(0).normal(size=(100, 2))}
    found = call(train, 0.1, 50, np.array([1.0, -2.0]), data=data, tracking=st.Tracking(), name="together")
    assert found["weights"] == pytest.approx([1.0, -2.0], abs=1e-3)
    assert (found["same"], found["rank"]) == (True, 0)
    (sweep,) = sweeps(home)
    assert_accounting(home, sweep)
    client = MlflowClient(f"sqlite:///{home / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("together")
    assert experiment is not None
    parent, child = sorted(client.search_runs([experiment.experiment_id]), key=lambda run: len(run.data.params))[::-1]
    assert parent.data.params["gang"] == "2"
    assert child.data.params == {"workers": "2", "args.0": "0.1", "args.1": "50", "args.2": "ndarray"}
    assert child.data.metrics["loss"] == pytest.approx(found["loss"])
    assert len(client.get_metric_history(child.info.run_id, "loss")) >= 50


def test_one_worker_finds_the_same_environment_in_this_process_too() -> None:
    def world() -> list[str]:
        import os

        return [os.environ[name] for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR")]

    before = dict(os.environ)
    for executor in ("inline", "processes"):
        assert call(world, workers=1, executor=executor) == ["0", "1", "0", "127.0.0.1"]
    assert dict(os.environ) == before


def test_what_a_rank_raises_is_raised_with_its_traceback() -> None:
    class Odd(Exception):
        def __init__(self, first: str, second: str) -> None:
            super().__init__(first + second)

    def bad(rank: int, kind: str, trial: Any) -> None:
        if trial.rank == rank:
            raise {"plain": LookupError("no such thing"), "odd": Odd("cannot be ", "unpickled")}[kind]
        trial.barrier()

    for rank in range(2):
        with pytest.raises(LookupError, match="no such thing") as raised:
            call(bad, rank, "plain")
        assert "in bad" in raised.value.__notes__[0]
    with pytest.raises(SparkmlError, match=r"bad failed: rank 1: .*Odd: cannot be unpickled"):
        call(bad, 1, "odd")


def test_a_rank_that_dies_is_tried_again_as_often_as_asked(tmp_path: Path) -> None:
    def fragile(times: int, trial: Any) -> int:
        import os

        if trial.rank and trial.attempt <= times:
            os.abort()
        trial.barrier()
        return int(trial.attempt)

    assert call(fragile, 1, retries=1) == 2
    with pytest.raises(ExecutorError, match=r"fragile was not finished: lost 2 times.*SIGABRT.*; raise retries"):
        call(fragile, 9, retries=1)


def test_what_is_over_its_time_is_ended() -> None:
    def endless() -> None:
        import time

        time.sleep(60)

    began = time.monotonic()
    with pytest.raises(SparkmlError, match=r"endless was ended: (rank 1: )?over the limit of 0.5 s; give"):
        call(endless, timeout=0.5)
    assert time.monotonic() - began < 30


def test_a_call_that_was_interrupted_goes_on_and_one_whose_value_is_missing_is_made_again(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def count(trial: Any) -> int:
        return int(trial.attempt)

    class Stop(BaseException):
        pass

    real = gangs.run

    def dies(moment: str) -> Any:
        def run(*given: Any, **more: Any) -> Any:
            def reached(name: str) -> None:
                if name == moment:
                    raise Stop

            return real(*given, **more, reached=reached)

        return run

    for moment, tries in (("submitted", 2), ("accepted", 1)):
        monkeypatch.setattr(gangs, "run", dies(moment))
        with pytest.raises(Stop):
            call(count, name=moment)
        monkeypatch.setattr(gangs, "run", real)
        assert call(count, name=moment) == tries
    assert [name.partition("-")[0] for name in sweeps(home)] == ["accepted", "accepted", "submitted"]


def test_what_is_wrong_is_said_before_anything_starts(home: Path) -> None:
    def two(first: int, second: int) -> int:
        return first + second

    assert call(functools.partial(two, second=1), 2) == 3
    for wrong, error, said in (
        (lambda: call("two"), ObjectiveError, "fn is 'two' .str.; allowed is a function"),
        (lambda: call(two, 1), ObjectiveError, "two cannot be called with these arguments: missing .* 'second'"),
        (lambda: call(two, 1, 2, workers=0), SpecError, "workers is 0; allowed is a whole number of at least 1"),
        (lambda: call(two, 1, 2, executor="inline"), SpecError, "not gangs of 2; take executor='resident'"),
        (lambda: call(two, 1, 2, timeout=-1), SpecError, "timeout is -1; allowed is"),
        (lambda: call(two, 1, 2, retries=-1), SpecError, "retries=0 or more"),
    ):
        with pytest.raises(error, match=said):
            wrong()
    assert len(sweeps(home)) == 1


def test_arguments_of_any_kind_are_taken() -> None:
    def count(*args: object) -> int:
        return len(args)

    for args in ((float("nan"), float("-inf"), None, ""), ("x" * 10_000, "\udc80", 10**30), ({"a": [1]}, b"x", object)):
        assert call(count, *args, workers=1, executor="inline") == len(args)


def test_a_value_that_is_too_large_says_so() -> None:
    def large() -> bytes:
        return bytes(65 << 20)

    with pytest.raises(DataError, match=r"large returned too much: it gave a payload of .* bytes; allowed are"):
        call(large, workers=1)


def test_torch_trains_on_two_workers() -> None:
    """Real data-parallel training, over gloo."""
    pytest.importorskip("torch")

    def train(steps: int) -> tuple[float, bool, int]:
        import torch
        from torch import distributed

        distributed.init_process_group("gloo")
        torch.manual_seed(0)
        model = torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(2, 1))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        rows = torch.Generator().manual_seed(distributed.get_rank())
        for _ in range(steps):
            x = torch.rand(64, 2, generator=rows)
            loss = ((model(x) - x.sum(1, keepdim=True)) ** 2).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        mine = next(model.parameters()).detach().clone()
        all_of_them = [torch.zeros_like(mine) for _ in range(distributed.get_world_size())]
        distributed.all_gather(all_of_them, mine)
        return float(loss), all(torch.equal(mine, other) for other in all_of_them), len(all_of_them)

    loss, same, world = call(train, 200, timeout=300)
    assert (same, world) == (True, 2)
    assert loss < 0.01


def test_more_workers_than_slots_are_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from sparkml_track.executors._resident.launcher import LocalLauncher

    monkeypatch.setattr(LocalLauncher, "in_all", property(lambda _: 1))
    with pytest.raises(PreflightError, match="a gang of 2 needs 2 slots, has 1: take a gang of at most 1"):
        call(lambda: 1)
