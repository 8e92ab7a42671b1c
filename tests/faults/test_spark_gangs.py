"""What happens to gangs on three Spark executors of one core, which tests kill; and to sweeps beside each other."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import sparkml_track as st
from sparkml_track.errors import PreflightError
from sparkml_track.executors._spark.fleets import let_go
from sparkml_track.frontdoors.gangs import distribute
from tests.clusters import alive, command, descendants, session_on, spark_home, wait_until

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = [pytest.mark.spark, pytest.mark.alone, pytest.mark.slow, pytest.mark.timeout(400)]


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARKML_HOME", str(tmp_path / "home"))


@pytest.fixture(scope="module")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    home = tmp_path_factory.mktemp("spark")
    for entry in Path(spark_home()).iterdir():
        (home / entry.name).symlink_to(entry)  # its work folder is written there
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARK_HOME", str(home))
        with session_on("local-cluster[3,1,1024]") as session:
            wait_until(lambda: len(jvms()) == 3, 200)
            yield session


def jvms() -> list[int]:
    """Process ids of the Spark executors."""
    return [pid for pid in descendants(os.getpid()) if "CoarseGrainedExecutorBackend" in command(pid)]


def jvms_of(pid: int) -> list[int]:
    """The Spark executor that a process belongs to; all, where its host's template outlived the one that began it."""
    return [jvm for jvm in jvms() if pid in descendants(jvm)] or jvms()


def training(marks: Path) -> Callable[..., Any]:
    """Five steps from the checkpoint on; a rank of the first attempt waits at step 3, where it leaves its pid."""
    folder = str(marks)

    def train(trial: Any) -> dict[str, Any]:
        import os
        import time
        from pathlib import Path

        state = Path(trial.checkpoint_dir) / "step"
        begin = int(state.read_text()) if state.exists() else 0
        pids = trial.all_gather((os.getpid(), begin))
        for step in range(begin, 5):
            if trial.rank == 0:
                Path(folder, f"{step}.{trial.attempt}").touch()
            if trial.attempt == 1 and step == 3:
                part = Path(folder, f"part.{trial.rank}")
                part.write_text(str(os.getpid()))
                part.rename(Path(folder, f"pid.{trial.rank}"))
                time.sleep(120)
            total = sum(trial.all_gather(trial.rank + step))
            if trial.rank == 0:
                state.with_suffix(".part").write_text(str(step + 1))
                state.with_suffix(".part").rename(state)
        return {"total": total, "attempt": trial.attempt, "begin": begin, "hosts": len(pids)}

    return train


def waiting_ranks(marks: Path) -> list[int]:
    """The processes of the ranks of the first attempt, once both wait."""
    files = [marks / f"pid.{rank}" for rank in range(2)]
    wait_until(lambda: all(path.exists() for path in files), 200)
    return [int(path.read_text()) for path in files]


def kill_rank(pids: list[int]) -> None:
    os.kill(pids[1], signal.SIGKILL)


def kill_spark_executor(pids: list[int]) -> None:
    for jvm in jvms_of(pids[0]):
        os.kill(jvm, signal.SIGKILL)


@pytest.mark.parametrize("kill", [kill_spark_executor, kill_rank])
def test_a_gang_that_loses_a_rank_is_tried_again_as_a_whole_from_its_checkpoint(
    kill: Callable[[list[int]], None], spark: SparkSession, tmp_path: Path
) -> None:
    marks, roots = tmp_path / "marks", tmp_path / "shared"
    marks.mkdir()
    roots.mkdir()
    seen: list[int] = []

    def hurt() -> None:
        seen.extend(waiting_ranks(marks))
        kill(seen)

    thread = threading.Thread(target=hurt)
    thread.start()
    found = distribute(
        training(marks), workers=2, checkpoint_root=str(roots), spark=spark, tracking=None, progress=False
    )
    thread.join()
    assert found == {"total": 9, "attempt": 2, "begin": 3, "hosts": 2}
    steps = {path.name for path in marks.iterdir() if not path.name.startswith("p")}
    assert steps == {"0.1", "1.1", "2.1", "3.1", "3.2", "4.2"}
    wait_until(lambda: not any(map(alive, seen)), 10)


def test_a_gang_that_can_never_have_its_slots_is_refused_at_once(spark: SparkSession) -> None:
    began = time.monotonic()
    with pytest.raises(PreflightError, match="a gang of 4 needs 4 slots, has 3: take a gang of at most 3, or start"):
        distribute(training(Path()), workers=4, spark=spark, tracking=None, progress=False)
    assert time.monotonic() - began < 10


def beside(number: int, gang: int, spark: SparkSession, ends: dict[int, Any]) -> threading.Thread:
    """A sweep on a thread of its own."""

    def objective(trial: Any) -> float:
        import time

        time.sleep(0.1)
        trial.barrier()
        return float(trial.world_size)

    def run() -> None:
        try:
            ends[number] = st.sweep(
                objective,
                {"x": st.uniform(0, 1)},
                name=f"beside-{number}",
                gang=gang,
                sampler="random",
                max_trials=3,
                tracking=st.Tracking(uri="memory:"),
                spark=spark,
                progress=False,
            )
        except BaseException as error:
            ends[number] = error

    return threading.Thread(target=run)


@pytest.mark.parametrize("gangs", [(2, 2), (1, 3, 2)])
def test_sweeps_beside_each_other_all_end(gangs: tuple[int, ...], spark: SparkSession) -> None:
    """Gangs of two sweeps that could each hold a part of what both need, and gangs beside single trials."""
    let_go(spark.sparkContext)
    ends: dict[int, Any] = {}
    threads = [beside(number, gang, spark, ends) for number, gang in enumerate(gangs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(200)
    for number, gang in enumerate(gangs):
        assert not isinstance(ends.get(number), BaseException | None), ends.get(number)
        assert [trial.value for trial in ends[number].trials] == [(float(gang),)] * 3
    let_go(spark.sparkContext)
    wait_until(lambda: not [pid for jvm in jvms() for pid in descendants(jvm) if "template" in command(pid)], 180)
