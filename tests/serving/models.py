"""What tests of serving share: models, a registry, an endpoint, a client."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.linear_model import LinearRegression, LogisticRegression

from sparkml_track.registries import MemoryRegistry, Package, Run
from sparkml_track.serving import Recording, Serving

NAME = "delay"
ROW: Mapping[str, object] = {"wind": 1.0, "seats": 3}
RUN = Run("model", "m", "tests")


def inputs(count: int = 60) -> pd.DataFrame:
    random = np.random.default_rng(7)
    return pd.DataFrame({"wind": random.normal(size=count), "seats": random.integers(20, 300, count)})


def package(sign: float = 1.0) -> Package:
    data = inputs()
    return Package(LogisticRegression().fit(data, (data["wind"] * sign > 0).astype(int)), data.head(3))


class Odd:
    """A model with an answer of its own."""

    def __init__(self, answer: Callable[[pd.DataFrame], object]) -> None:
        self.answer = answer

    def predict(self, frame: pd.DataFrame) -> object:
        return self.answer(frame)


def twice(frame: pd.DataFrame) -> object:
    return 2 * frame["wind"].to_numpy()


def registry(*packages: Package) -> MemoryRegistry:
    """Versions 1, 2 ...; the first is champion."""
    made = MemoryRegistry()
    for each in packages or (package(), package(-1.0)):
        made.register(NAME, each, RUN)
    made.set_alias(NAME, "champion", 1)
    return made


def odd_registry(answer: Callable[[pd.DataFrame], object], method: str = "predict") -> MemoryRegistry:
    """One version that answers as a function does."""
    made = registry(Package(Odd(twice), inputs().head(3), method))
    stored = made._models[NAME][0]
    made.load = lambda ref: Odd(answer) if ref == stored.ref else None  # type: ignore[method-assign]
    return made


def numbers(count: int = 60) -> Package:
    """A regression of two columns."""
    data = inputs(count)
    return Package(LinearRegression().fit(data, data["wind"]), data.head(3), "predict")


def recording(folder: Path, **more: Any) -> Recording:
    """Commits only when asked."""
    return Recording(NAME, folder / "records", **{"every": 1e6, **more})


def spec(**more: Any) -> Serving:
    """Looks at aliases only when asked."""
    return Serving(NAME, **{"reload": 1e6, **more})


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text, parse_constant=_no_constant)

    @property
    def message(self) -> str:
        return str(self.json["message"])


def _no_constant(name: str) -> object:
    raise AssertionError(f"{name} is not JSON")


def ask(url: str, body: object = None, path: str = "/invocations", method: str = "POST", **headers: str) -> Answer:
    """One request. A body that is not bytes is sent as JSON; header names have "_" for "-"."""
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=120)
    sent = body if isinstance(body, bytes | None) else json.dumps(body).encode()
    named = {"content-type": "application/json", **{name.replace("_", "-"): text for name, text in headers.items()}}
    try:
        connection.request(method, path, sent, named)
        response = connection.getresponse()
        found = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, found, response.read().decode())
    finally:
        connection.close()


def get(url: str, path: str, **headers: str) -> Answer:
    return ask(url, None, path, "GET", **headers)


def rows(*values: Mapping[str, object]) -> dict[str, object]:
    return {"dataframe_records": list(values or (ROW,))}


def until(holds: Callable[[], bool], seconds: float = 120) -> None:
    """Waits for a condition."""
    end, pause = time.monotonic() + seconds, threading.Event()
    while not holds():
        assert time.monotonic() < end, "it did not come true"
        pause.wait(0.01)
