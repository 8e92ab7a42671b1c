"""What befalls a sweep on Spark Connect: its server is killed, or refuses the token."""

from __future__ import annotations

import atexit
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

import sparkml_track as st
from sparkml_track.errors import SetupError, SlotsLost
from sparkml_track.executors import Work, open_executor
from tests.clusters import alive, cluster

pytestmark = [pytest.mark.spark, pytest.mark.alone, pytest.mark.slow]


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARKML_HOME", str(tmp_path / "home"))


def test_a_killed_server_ends_the_sweep_in_bounded_time_with_what_to_do(tmp_path: Path) -> None:
    pytest.importorskip("grpc")
    from pyspark.sql.connect.session import SparkSession

    marks = str(tmp_path)

    def objective(trial: Any) -> float:
        import os
        import time

        if trial.number == 1:
            with open(os.path.join(marks, "running"), "w") as file:
                file.write(str(os.getpid()))
            time.sleep(120)
        return 1.0

    with cluster(tmp_path / "cluster", "--only-connect", "--cores=1") as server:
        session = SparkSession.builder.remote(server.connect).create()
        killed: list[float] = []

        def kill() -> None:
            until = time.monotonic() + 90
            while not (tmp_path / "running").exists() and time.monotonic() < until:
                time.sleep(0.05)
            os.kill(server.pid("connect"), signal.SIGKILL)
            killed.append(time.monotonic())

        thread = threading.Thread(target=kill)
        thread.start()
        with pytest.raises(SlotsLost, match=r"Spark Connect server at localhost:\d+ cannot be used .*resume the sweep"):
            st.sweep(
                objective,
                {"x": st.uniform(0, 1)},
                sampler="random",
                max_trials=3,
                parallelism=1,
                tracking=st.Tracking(uri="memory:"),
                spark=session,  # type: ignore[arg-type]
                progress=lambda _: None,
            )
        thread.join()
        assert time.monotonic() - killed[0] < 30
        # Else its threads ask the dead server for ten minutes, and gRPC's threads and the forks of later tests do not
        # go together.
        session.client.close()
        # Or Python's exit would wait ten minutes for the server.
        hooks = atexit._ncallbacks()  # type: ignore[attr-defined]
        atexit.unregister(session.client._on_exit)  # type: ignore[attr-defined]
        assert atexit._ncallbacks() == hooks  # type: ignore[attr-defined]
        child = int((tmp_path / "running").read_text())
        until = time.monotonic() + 5
        while alive(child):
            assert time.monotonic() < until, "the attempt outlived its server"
            time.sleep(0.05)


def test_a_wrong_token_is_told_at_once(tmp_path: Path) -> None:
    pytest.importorskip("grpc")
    from pyspark.sql.connect.session import SparkSession

    flags = ["--only-connect", "--cores=1", "--conf=spark.connect.authenticate.token right"]
    with cluster(tmp_path / "cluster", *flags) as server:
        began = time.monotonic()
        with pytest.raises((SetupError, SlotsLost), match=r"oken|UNAUTHENTICATED"):
            open_with(SparkSession, f"{server.connect}/;token=wrong")
        assert time.monotonic() - began < 10
        executor = open_with(SparkSession, f"{server.connect}/;token=right")
        executor.close()
    assert executor.name == "jobs"


def open_with(session: Any, url: str) -> Any:
    return open_executor("auto", Work(lambda _: 1.0), session.builder.remote(url).create())
