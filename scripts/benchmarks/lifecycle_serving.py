"""Serving: latency at a steady rate, and throughput beside `mlflow models serve` of the same model.

Both servers are processes of their own on loopback, with one worker each; ours records every request in inference
tables meanwhile. The client sends one row a request over kept connections. The two are asked in turn, ROUNDS times;
medians are printed, and what the model's own ``predict_proba`` of one row takes in this process. With look-ups our
server is sent a key and seven of ten features, and looks three up in SQLite; MLflow's is sent all ten. On a machine
with other work to do, compare the processor seconds of a thousand requests.

SPARKML_BENCH_SERVING_SECONDS (10) is how long each part lasts.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from rows import Row
from sklearn.ensemble import HistGradientBoostingClassifier

from sparkml_track.carried import CarriedFeatures, CarriedLookup
from sparkml_track.home import Home
from sparkml_track.online_stores import Publication, on_demand, open_online_store
from sparkml_track.registries import MlflowRegistry, Package, Run

__all__ = ["serving", "serving_look_ups"]

SECONDS = float(os.environ.get("SPARKML_BENCH_SERVING_SECONDS", "10"))
RATE = 200
CONNECTIONS = 8
ROUNDS = 3
MODEL = "bench"
NAMES = [f"f{number}" for number in range(10)]
KEYS = 10_000
#: Of three features, by one key.
LOOKED_UP = CarriedFeatures(
    tuple(NAMES),
    (CarriedLookup("places", 0, {"place": "place"}, {name: name for name in NAMES[-3:]}),),
    (),
    on_demand.serialised_types({"place": pa.int64(), **dict.fromkeys(NAMES[-3:], pa.float64())}),
)


def serving() -> Row:
    """One row a request: p50 and p99 at 200 requests a second; requests a second beside MLflow's own server."""
    return _beside(None)


def serving_look_ups() -> Row:
    """The same where three of the features are looked up by a key, and nothing by MLflow's server."""
    random = np.random.default_rng(4)
    rows = pa.table({"place": range(KEYS), **{name: random.normal(size=KEYS) for name in NAMES[-3:]}})
    with closing(open_online_store("sqlite")) as online:
        online.publish(Publication("places", 0, ("place",), rows.schema), rows.to_batches())
    return _beside(LOOKED_UP)


def _beside(carried: CarriedFeatures | None) -> Row:
    home = Home.find().make()
    uri, predict = _register(home, carried)
    request, full = _request(carried is not None), _request(False)
    ours = [sys.executable, "-m", "sparkml_track.cli", "serve", MODEL]
    peer = [sys.executable, "-m", "mlflow", "models", "serve", "-m", uri, "--env-manager", "local"]
    with _server(ours, "/health") as (port, process), _server(peer, "/health") as (peer_port, peer_process):
        for each, asked in ((port, request), (peer_port, full)):
            asyncio.run(_flood(each, 1.0, asked))
        times = asyncio.run(_steady(port, SECONDS, request))
        peer_times = asyncio.run(_steady(peer_port, SECONDS, full))
        rates, peer_rates, costs, peer_costs = [], [], [], []
        for _ in range(ROUNDS):
            for number, who, asked, found, cost in (
                (port, process, request, rates, costs),
                (peer_port, peer_process, full, peer_rates, peer_costs),
            ):
                before = _cpu(who.pid)
                done = asyncio.run(_flood(number, SECONDS / ROUNDS, asked))
                found.append(done / (SECONDS / ROUNDS))
                cost.append((_cpu(who.pid) - before) / done * 1000)
    rate, peer_rate = statistics.median(rates), statistics.median(peer_rates)
    return {
        "predict ms": predict,
        "p50 ms at 200/s": _quantile(times, 0.5),
        "p99 ms": _quantile(times, 0.99),
        "mlflow p50 ms": _quantile(peer_times, 0.5),
        "mlflow p99 ms": _quantile(peer_times, 0.99),
        "requests/s": rate,
        "mlflow requests/s": peer_rate,
        "ratio": rate / peer_rate,
        "cpu s per 1,000": statistics.median(costs),
        "mlflow cpu s per 1,000": statistics.median(peer_costs),
        "budget": "p99 <= 15 ms, ratio >= 1",
    }


def _register(home: Home, carried: CarriedFeatures | None) -> tuple[str, float]:
    """A model of 10 columns; gives a folder of it for MLflow's server, and milliseconds of its prediction of a row."""
    import mlflow

    random = np.random.default_rng(3)
    rows = pd.DataFrame(random.normal(size=(5_000, 10)), columns=NAMES)
    model = HistGradientBoostingClassifier(max_iter=100).fit(rows, rows["f0"] + rows["f1"] > 0)
    registry = MlflowRegistry(home.tracking_uri, str(home.artifacts), lineage=False)
    registry.register(MODEL, Package(model, rows.head(5), carried=carried), Run("model", "bench", "bench"))
    registry.set_alias(MODEL, "champion", 1)
    plain = str(home.root / "plain")
    as_usual = {"pyfunc_predict_fn": "predict_proba", "serialization_format": "cloudpickle"}
    mlflow.sklearn.save_model(model, plain, input_example=rows.head(5), **as_usual)
    row, times = rows.head(1), list[float]()
    for _ in range(200):
        start = time.perf_counter()
        model.predict_proba(row)
        times.append((time.perf_counter() - start) * 1000)
    return plain, statistics.median(times)


@contextmanager
def _server(command: Sequence[str], path: str) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environ = {**os.environ, "MLFLOW_TRACKING_URI": Home.find().tracking_uri}
    log = os.open(Path(os.environ["SPARKML_HOME"], f"{port}.log"), os.O_WRONLY | os.O_CREAT)
    process = subprocess.Popen([*command, "--port", str(port)], env=environ, stdout=log, stderr=log)
    try:
        _await(port, path, process)
        yield port, process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def _await(port: int, path: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 300
    while time.monotonic() < until and process.poll() is None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", path)
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.1)
        finally:
            connection.close()
    raise SystemExit(f"the server on port {port} did not answer")


def _cpu(pid: int) -> float:
    """Processor seconds of a process and its children."""
    todo, found = [pid], 0.0
    while todo:
        number = todo.pop()
        fields = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
        found += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        for children in Path(f"/proc/{number}/task").glob("*/children"):
            todo += map(int, children.read_text().split())
    return found


def _request(by_key: bool) -> bytes:
    row: dict[str, float] = {name: 0.1 * number for number, name in enumerate(NAMES)}
    if by_key:
        row = {"place": 77, **{name: row[name] for name in NAMES[:-3]}}
    body = json.dumps({"dataframe_records": [row]}).encode()
    head = f"POST /invocations HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\ncontent-length: {len(body)}"
    return head.encode() + b"\r\n\r\n" + body


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> None:
    writer.write(request)
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    assert head.startswith(b"http/1.1 200"), head
    await reader.readexactly(int(head.partition(b"content-length:")[2].split(b"\r\n")[0]))


async def _flood(port: int, seconds: float, request: bytes) -> int:
    """How many requests are answered, if each connection asks again as soon as it has its answer."""
    until = time.perf_counter() + seconds

    async def one() -> int:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        done = 0
        while time.perf_counter() < until:
            await _ask(reader, writer, request)
            done += 1
        writer.close()
        return done

    return sum(await asyncio.gather(*(one() for _ in range(CONNECTIONS))))


async def _steady(port: int, seconds: float, request: bytes) -> list[float]:
    """Milliseconds of requests that are sent at a rate, whether the ones before are answered or not."""
    free: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
    times, tasks = list[float](), []
    for _ in range(4 * CONNECTIONS):
        free.put_nowait(await asyncio.open_connection("127.0.0.1", port))

    async def one(due: float) -> None:
        pair = await free.get()
        await _ask(*pair, request)
        times.append((time.perf_counter() - due) * 1000)
        free.put_nowait(pair)

    start = time.perf_counter()
    for number in range(int(seconds * RATE)):
        due = start + number / RATE
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        tasks.append(asyncio.create_task(one(due)))
    await asyncio.gather(*tasks)
    return times


def _quantile(values: Sequence[float], share: float) -> float:
    return float(np.quantile(values, share))
